import * as z from 'zod';
import { ERRNO } from '../../../engine/driver/errno';
import { VFIO_STATES } from '../../../engine/driver/vfio/states';
import { COLLAPSES } from '../../../engine/driver/pageTable/protocols/collapse';
import { HARVESTS } from '../../../engine/driver/pageTable/protocols/harvest';
import { SPLITS } from '../../../engine/driver/pageTable/protocols/split';
import { UNMAPS } from '../../../engine/driver/pageTable/protocols/unmapReporting';
import { FAULTS } from '../../../engine/faults';
import { expect } from './expect';
import { TABLE_IDS } from './machine';
import { migrate } from './migrate';
import { traffic } from './traffic';
import {
  address,
  attachmentName,
  count,
  deviceName,
  domainName,
  expectedCount,
  flag,
  guestName,
  name,
  oneOf,
  size,
  text,
  viommuName,
  word,
} from './values';

const ids = (of: object) => Object.keys(of) as [string, ...string[]];
const permission = oneOf(['R', 'W', 'RW'], 'What is allowed.').default('RW');
const domain = domainName('The domain; left out: the first one.').optional();
const range = {
  iova: address('First address; left out: all that is mapped.').optional(),
  length: size('Bytes.').optional(),
};
const mustRange = { iova: address('First address.'), length: size('Bytes.') };

/** A device in a migration state in which it accesses no memory: nobody refuses it. */
export const DEVICE_STOPPED = 'device-stopped';

const dma = z.strictObject({
  device: deviceName('The device; left out: the first one.').optional(),
  pasid: count('Process of the device.', 2 ** 20 - 1).optional(),
  iova: address('First address.'),
  length: size('Bytes.').transform(Number).default(64),
  access: oneOf(['read', 'write', 'atomic'], 'What it does.').default('write'),
  count: count('So many requests, `stride` apart.', 1_000_000, 1).default(1),
  stride: size('Bytes from one to the next.').default(4096n),
  lands: address('Guest physical address that the first request must reach.').optional(),
  refused: oneOf(
    [...FAULTS, DEVICE_STOPPED],
    'The fault that the first request must meet: docs/faults.md. device-stopped: its migration state lets it do nothing.',
  ).optional(),
  mayBeRefused: flag('Nothing fails where requests are refused: `expect` says what must be so.').optional(),
});

const command = z.strictObject({
  name: text('The command’s name in its specification: IOTINVAL.VMA, CMD_TLBI_NH_VA.'),
  fields: z
    .record(z.string(), z.union([z.bigint(), z.number(), z.string(), z.boolean()]))
    .default({})
    .meta({ description: 'Its fields, by their names in the specification.' }),
});

const actions = {
  dma: z.union([dma, z.array(dma).min(1).max(1000)]).meta({
    description:
      'Requests of a device, one after the other. A request that is refused fails the scenario unless `refused` or `mayBeRefused` says so.',
  }),
  replay: z
    .strictObject({
      file: text(
        'A file of requests, relative to this file: one JSON object a line with sid, iova, length, access; may be a .gz.',
      ),
      refused: expectedCount('How many of them are refused; left out: none.').optional(),
    })
    .meta({ description: 'Requests of a file, of whichever devices, one after the other.' }),
  traffic: z
    .strictObject({
      devices: z
        .array(deviceName())
        .max(64)
        .optional()
        .meta({ description: 'Left out: all that have traffic.' }),
      requests: count('How many requests in all.', 100_000_000, 1).optional(),
      cycles: count(
        'For so many cycles: each device makes one request an `interval`.',
        1_000_000_000,
        1,
      ).optional(),
      traffic: traffic.optional(),
    })
    .meta({ description: 'Requests of the devices’ generators, dealt out by their rates.' }),
  map: z
    .strictObject({
      domain,
      ...mustRange,
      to: address('Guest physical address; left out: the same as the IOVA.').optional(),
      permission,
    })
    .meta({ description: 'The hypervisor maps guest memory (IOMMU_IOAS_MAP).' }),
  unmap: z
    .strictObject({
      domain,
      ...mustRange,
      more: z
        .array(z.strictObject(mustRange))
        .max(64)
        .optional()
        .meta({ description: 'through tables: ranges that go in the same gather.' }),
      through: oneOf(
        ['iommufd', 'tables'],
        'iommufd: whole areas only; tables: the kernel’s own call, of any range. Left out: iommufd.',
      ).optional(),
      flush: oneOf(
        ['gathered', 'everything'],
        'through tables: how what was unmapped is flushed.',
      ).optional(),
      protocol: oneOf(
        ids(UNMAPS),
        'through tables: with a last dirty report, by this protocol. iommufd has none: read before, or what is dirty is lost.',
      ).optional(),
    })
    .meta({ description: 'Takes mappings away (IOMMU_IOAS_UNMAP).' }),
  split: z
    .strictObject({
      domain,
      ...range,
      size: size('Bytes of the pages to split to.'),
      protocol: oneOf(
        ids(SPLITS),
        'The steps in which the entry is replaced; left out: the one that is safe on this hardware.',
      ).optional(),
    })
    .meta({ description: 'Replaces large leaves by small ones while DMA goes on.' }),
  collapse: z
    .strictObject({
      domain,
      ...range,
      size: size('Bytes of the page to collapse to.'),
      protocol: oneOf(
        ids(COLLAPSES),
        'The steps in which the table is replaced; left out: the one that is safe on this hardware.',
      ).optional(),
    })
    .meta({ description: 'Replaces tables of small leaves by a large one.' }),
  dirtyTracking: z
    .strictObject({ domain, enable: flag('On or off.') })
    .meta({ description: 'IOMMU_HWPT_SET_DIRTY_TRACKING; switching it on copies all of memory next.' }),
  readDirty: z
    .strictObject({
      domain,
      ...range,
      pageSize: size('Bytes that a bit stands for.').optional(),
      clear: flag('false: NO_CLEAR; what is reported is not copied then.').default(true),
      protocol: oneOf(ids(HARVESTS), 'The order of clear, flush and copy.').optional(),
      bitmapOffset: count('Byte of its first page at which the bitmap begins.', 4095).optional(),
    })
    .meta({ description: 'IOMMU_HWPT_GET_DIRTY_BITMAP; what it reports is copied to the destination.' }),
  copy: z
    .union([
      oneOf(['everything', 'populated'], 'All of guest memory, or what the CPUs’ second stage has.'),
      z.strictObject({ address: address('Guest physical.'), length: size('Bytes.') }),
    ])
    .meta({ description: 'The destination gets what memory holds now.' }),
  invalidate: z
    .strictObject({ domain, ...range })
    .meta({ description: 'Software invalidates although nothing changed.' }),
  attach: z
    .strictObject({
      device: deviceName(),
      pasid: count('Process of the device.', 2 ** 20 - 1).optional(),
      to: attachmentName('A domain or a guest by name, pass-through, or blocked.'),
    })
    .meta({ description: 'Attaches a device, from whatever it has now.' }),
  createDomain: z
    .strictObject({
      name: name().meta({ description: 'What steps call it.' }),
      dirtyTracking: flag('Whether it can track dirty pages.').default(false),
      nestParent: flag('Guests may put a stage 1 over it.').default(false),
      tables: oneOf(TABLE_IDS, 'Its page-table format, where it is not the machine’s.').optional(),
      pages: z
        .array(size('A page size.'))
        .max(16)
        .optional()
        .meta({ description: 'Page sizes that may be used.' }),
    })
    .meta({ description: 'A new, empty domain (IOMMU_HWPT_ALLOC).' }),
  evict: z
    .strictObject({
      iommu: text('Name of the IOMMU: iommu0.').default('iommu0'),
      cache: oneOf(['iotlb', 'walk', 'contexts', 'processes', 'device-tlb'], 'Which cache.').optional(),
      all: flag('Everything that it holds.').default(true),
    })
    .meta({ description: 'Hardware drops what it has cached.' }),
  writeWord: z
    .strictObject({
      address: address('Host physical address of a 64-bit word.'),
      word: word('What is stored.'),
    })
    .meta({ description: 'Stores a word, as a program would.' }),
  cpu: z
    .strictObject({
      vcpu: count('Number of the vCPU.', 255).default(0),
      address: address('Guest physical.'),
      length: size('Bytes.').transform(Number).default(8),
      access: oneOf(['read', 'write'], 'What it does.').default('write'),
    })
    .meta({ description: 'A vCPU accesses memory. Needs `cpu` of the machine.' }),
  hostWrite: z
    .strictObject({
      by: text('Who: loader, vhost, a device model.'),
      address: address('Guest physical.'),
      length: size('Bytes.').optional(),
    })
    .meta({ description: 'The host itself writes guest memory.' }),
  zap: z
    .strictObject({
      address: address('Guest physical.'),
      length: size('Bytes.'),
      reason: oneOf(['balloon', 'numa-balancing', 'mmu-notifier'], 'Why.'),
    })
    .meta({ description: 'Entries of the CPUs’ second stage go away.' }),
  harvestCpu: z
    .strictObject({})
    .meta({ description: 'What vCPUs and logged host writers wrote is reported, made clean and copied.' }),
  deviceState: z
    .strictObject({ device: deviceName(), state: oneOf(VFIO_STATES, 'VFIO device state.') })
    .meta({ description: 'VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE. Needs `vfio` of the device.' }),
  dmaLog: z
    .strictObject({
      device: deviceName(),
      action: oneOf(['start', 'stop', 'read'], 'What is asked of the device.'),
      ranges: z
        .array(z.strictObject(mustRange))
        .max(10_000)
        .optional()
        .meta({ description: 'start: what is logged; read: what is looked at.' }),
    })
    .meta({ description: 'The device’s own log of what it writes. Needs `log` of the device.' }),
  type1: z
    .strictObject({
      action: oneOf(
        ['map', 'unmap', 'attach', 'detach', 'pin', 'startLogging', 'stopLogging', 'report'],
        'What is asked of the container.',
      ),
      group: text('Name of the group.').optional(),
      pins: flag('attach: the group pins all that it reaches.').optional(),
      ...range,
    })
    .meta({ description: 'The VFIO type1 container. Needs `type1` of the machine.' }),
  guest: z
    .strictObject({
      name: name().meta({ description: 'What steps call it.' }),
      parent: domainName('The domain beneath it, with `nestParent`; left out: the first one.').optional(),
      tables: oneOf(TABLE_IDS, 'Its format, of stage 1; left out: what guests of the vendor use.').optional(),
      memory: address('Guest physical address of its tables.').optional(),
      memoryLength: size('Bytes for its tables.').optional(),
      pages: z
        .array(size('A page size.'))
        .max(16)
        .optional()
        .meta({ description: 'Page sizes that the guest uses.' }),
      viommu: viommuName().optional(),
    })
    .meta({ description: 'A guest’s own stage 1, over a domain of the kernel’s.' }),
  guestMap: z
    .strictObject({ guest: guestName(), ...mustRange, to: address('Guest physical address.'), permission })
    .meta({ description: 'The guest maps in its own tables.' }),
  guestUnmap: z
    .strictObject({
      guest: guestName(),
      ...mustRange,
      invalidate: flag('It invalidates, too.').default(true),
    })
    .meta({ description: 'The guest unmaps in its own tables.' }),
  guestInvalidate: z
    .strictObject({
      guest: guestName(),
      ...range,
      command: text('Part of the name of the command to use.').optional(),
    })
    .meta({ description: 'The guest invalidates.' }),
  viommu: z
    .strictObject({
      name: name().meta({ description: 'What steps call it.' }),
      parent: domainName('The domain beneath it, with `nestParent`; left out: the first one.').optional(),
      hardwareQueue: flag('The guest’s own command queue, which hardware reads.').default(false),
    })
    .meta({ description: 'A vIOMMU: an instance of the hardware for a guest (IOMMU_VIOMMU_ALLOC).' }),
  vdevice: z
    .strictObject({
      viommu: viommuName(),
      device: deviceName(),
      id: word('What the guest calls the device.'),
    })
    .meta({ description: 'Says which device a guest’s id means (IOMMU_VDEVICE_ALLOC).' }),
  guestCommands: z
    .strictObject({
      viommu: viommuName(),
      commands: z.array(command).min(1).max(1000).meta({ description: 'In their order.' }),
    })
    .meta({ description: 'Invalidation commands of a guest, by its own ids.' }),
  command: command
    .extend({ iommu: text('Name of the IOMMU.').default('iommu0') })
    .meta({ description: 'A command that software puts into the queue of an IOMMU.' }),
  wait: z
    .strictObject({ cycles: count('How many.', 1_000_000_000_000) })
    .meta({ description: 'Time goes by: nothing happens.' }),
  expect,
  migrate,
};

/** What a step may have beside its action. */
const beside = {
  errno: oneOf(
    ids(ERRNO),
    'What the driver must refuse it with. A step that is refused fails the scenario unless this says so.',
  ).optional(),
  note: text('A remark, shown with the step.').optional(),
};

type Plain = {
  readonly [Key in keyof typeof actions]?: z.output<(typeof actions)[Key]> | undefined;
} & { readonly [Key in keyof typeof beside]?: z.output<(typeof beside)[Key]> };

/** Steps that hold steps. */
export interface Step extends Plain {
  readonly repeat?: { readonly times: number; readonly steps: readonly Step[] } | undefined;
  readonly during?: During | undefined;
}

export interface During {
  readonly step: Step;
  readonly moments: readonly {
    readonly after?: number | string | undefined;
    readonly every?: number | string | undefined;
    readonly runsCommands?: boolean | undefined;
    readonly steps: readonly Step[];
  }[];
  readonly holdsCommands?: boolean | undefined;
}

const moment = (description: string) =>
  z
    .union([z.bigint().transform(Number), z.string().min(1)])
    .meta({ description })
    .optional();

/** Exactly one action a step: the parser says which there are, and which one was meant. */
export const step: z.ZodType<Step> = z.strictObject({
  ...partial(actions),
  ...beside,
  get repeat() {
    return z
      .strictObject({
        times: count('How often.', 1_000_000, 1),
        steps: z.array(step).min(1).max(1000).meta({ description: 'In their order.' }),
      })
      .meta({ description: 'The same steps again and again.' })
      .optional();
  },
  get during() {
    return z
      .strictObject({
        step: step.meta({ description: 'What is done one atomic action at a time.' }),
        moments: z
          .array(
            z.strictObject({
              after: moment(
                'After the step of this number, or the first whose name has this part; 0: before the first.',
              ),
              every: moment(
                'Every so many steps, after every step whose name has this part, or `poll`: whenever software waits.',
              ),
              runsCommands: flag('Hardware does its commands first: for a step that holds them.').optional(),
              steps: z.array(step).min(1).max(1000).meta({ description: 'What is done then, in order.' }),
            }),
          )
          .min(1)
          .max(64)
          .meta({ description: 'When something else is done meanwhile.' }),
        holdsCommands: flag('Hardware does no command meanwhile.').optional(),
      })
      .meta({ description: 'Does a step one atomic action at a time, and others in between.' })
      .optional();
  },
});

/** Names of the actions: of a step exactly one is given. */
export const ACTIONS = [...Object.keys(actions), 'repeat', 'during'] as const;

type Partials<Shape extends Record<string, z.ZodType>> = { [Key in keyof Shape]: z.ZodOptional<Shape[Key]> };

function partial<Shape extends Record<string, z.ZodType>>(shape: Shape): Partials<Shape> {
  return Object.fromEntries(
    Object.entries(shape).map(([key, of]) => [key, of.optional().meta({ ...of.meta() })]),
  ) as Partials<Shape>;
}
