import * as z from 'zod';
import { DRIVER_FAULTS } from '../../../engine/driver/driverFaults';
import { BITMAP_FAULTS } from '../../../engine/driver/iommufd/bitmapFaults';
import { TABLE_FAULTS } from '../../../engine/driver/pageTable/tableFaults';
import { VFIO_MODELS } from '../../../engine/driver/vfio/models';
import { HARDWARE_MISTAKES } from '../../../engine/iommu/rules';
import { EMULATED_KINDS } from '../../../engine/iommu/vendor';
import { TABLE_CHOICES } from '../../../engine/machine/tableChoices';
import { count, deviceName, flag, name, oneOf, requester, size } from './values';
import { traffic } from './traffic';

export const TABLE_IDS = [...new Set(TABLE_CHOICES.map(({ id }) => id))] as [string, ...string[]];
const TABLE_TITLES = Object.fromEntries(
  TABLE_CHOICES.map(({ id, title, vendor }) => [id, `${vendor}: ${title}.`]),
);
const FAULTS = [...DRIVER_FAULTS, ...TABLE_FAULTS, ...BITMAP_FAULTS];
const FAULT_IDS = FAULTS.map(({ id }) => id) as unknown as [string, ...string[]];
const FAULT_TITLES = Object.fromEntries(
  FAULTS.map(({ id, leavesOut, source }) => [id, `${leavesOut} ${source}.`]),
);

const cache = (description: string) =>
  z
    .strictObject({
      sets: count('Sets: a power of two, or 0 for no such cache.', 2 ** 18),
      ways: count('Ways of each set.', 64),
    })
    .meta({ description });

/** The names are those of `HardwareRules`; docs/hardware.md explains each. */
const rules = z
  .strictObject({
    update: oneOf(
      ['compare', 'blind'],
      'How an A or D update meets a word that changed since the walk read it.',
    ),
    removesLarger: flag('An invalidation of fewer bytes removes a cached entry that is larger.'),
    drains: flag('A wait for invalidations waits for accesses translated before.'),
    evictEvery: count('Requests between two evictions, on average; 0: never by itself.', 2 ** 20),
    prefetchEvery: count('Requests between two prefetches, on average; 0: never by itself.', 2 ** 20),
    cachesNotPresent: flag('Translations that are not present are cached, too.'),
    refusesFromCache: flag('A cached entry without the permission refuses, instead of a new walk.'),
    bbml: count('Arm BBML 0, 1 or 2.', 2),
    snoopsCaches: flag('The walker snoops the caches of the CPUs.'),
    iotlb: cache('The IOTLB.'),
    walkCache: cache('The caches of table pointers.'),
    cachedShifts: z
      .array(count('log2 of a page size.', 52, 12))
      .max(64)
      .meta({
        description: 'log2 of the page sizes that the IOTLB holds: larger pages are cached in parts.',
      }),
    bareShift: count('log2 of the bytes that an answer is good for where nothing is translated.', 63, 12),
    contextEntries: count('Entries of the cache of device contexts.', 2 ** 20),
    processEntries: count('Entries of the cache of PASID or process contexts.', 2 ** 20),
    deviceTlbEntries: count('Entries of the TLB of a device.', 2 ** 20),
    mistakes: z
      .array(oneOf(HARDWARE_MISTAKES, 'A mistake of hardware.'))
      .max(8)
      .meta({ description: 'Mistakes that real models of hardware had.' }),
  })
  .partial()
  .meta({ description: 'Readings of the specifications and choices of implementations: docs/hardware.md.' });

const cpu = z
  .strictObject({
    vcpus: count('Virtual CPUs.', 256, 1).default(1),
    logging: oneOf(
      ['none', 'dirty-bits', 'write-protect'],
      'How the hypervisor knows what vCPUs write.',
    ).default('dirty-bits'),
    logsHostWriters: flag(
      'Writes of the host itself (loader, vhost, device models) go into the dirty log.',
    ).default(true),
    harvestsOnZap: flag('What is dirty when its entry goes away goes into the dirty log.').default(true),
  })
  .meta({ description: 'The second stage of the guest’s CPUs (EPT, NPT).' });

const type1 = z
  .strictObject({
    populates: oneOf(['never', 'at-detach', 'ahead'], 'What is marked for a group that pins no pages.'),
    newMappings: flag('With `ahead`: mappings made while logging, too.'),
    promotions: flag('A group that begins to pin leaves behind what it may have written.'),
  })
  .partial()
  .meta({ description: 'A VFIO type1 container beside iommufd.' });

export const machine = z
  .strictObject({
    vendor: oneOf(EMULATED_KINDS as unknown as [string, ...string[]], 'Whose IOMMU it is.'),
    tables: oneOf(
      TABLE_IDS,
      'The page-table format of the domains; left out: what the vendor’s kernel driver uses for guests.',
      TABLE_TITLES,
    ).optional(),
    memory: size('Memory of the guest; a multiple of the granule.'),
    iommus: count('IOMMUs that use the same tables: devices are dealt out to them in turn.', 2, 1).default(1),
    seed: count('Of everything that happens by itself: replacement, eviction, prefetch, traffic.').default(1),
    capabilities: z
      .record(z.string(), z.union([z.boolean(), z.bigint().transform(Number), z.number(), z.string()]))
      .meta({ description: 'Departures from a large, current machine of the vendor: docs/hardware.md.' })
      .optional(),
    rules: rules.optional(),
    driverFaults: z
      .array(oneOf(FAULT_IDS, 'A named omission of the driver.', FAULT_TITLES))
      .max(64)
      .meta({ description: 'Real bugs of drivers, switched on: docs/bugs.md.' })
      .optional(),
    cpu: cpu.optional(),
    type1: type1.optional(),
  })
  .meta({ description: 'The emulated machine: one guest, its IOMMUs, and the kernel’s drivers.' });

const vfio = z
  .strictObject({
    model: oneOf(Object.keys(VFIO_MODELS) as [string, ...string[]], 'The device’s migration driver.'),
    writesBack: oneOf(
      ['never', 'stop', 'save'],
      'When it writes back what it caches to guest memory.',
    ).optional(),
    writeBackTo: size('Guest physical address that a write-back writes.').optional(),
    state: size('Bytes of its state.').optional(),
  })
  .meta({ description: 'Migrates by VFIO’s device states.' });

const log = z
  .strictObject({
    mostRanges: count('Ranges that it takes.', 2 ** 20, 1),
    mostBytes: size('Bytes that all ranges may have together.').transform(Number),
    atomicBytes: flag('A byte of its bitmap is changed in one atomic step.'),
  })
  .partial()
  .meta({ description: 'Logs its own DMA (VFIO_DEVICE_FEATURE_DMA_LOGGING_START).' });

export const device = z
  .strictObject({
    requester: requester('Requester id: bus:device.function, stream id or device id.'),
    ats: flag('Has a device TLB, and uses it.').optional(),
    traffic: traffic.optional(),
    vfio: vfio.optional(),
    log: log.optional(),
  })
  .meta({ description: 'A device that does DMA.' });

const attached = z.union([
  deviceName(),
  z.strictObject({ device: deviceName(), pasid: count('A process of the device.', 2 ** 20 - 1).optional() }),
]);

export const domain = z
  .strictObject({
    maps: oneOf(
      ['guest', 'nothing'],
      'guest: all guest memory, IOVA = guest physical address, with the hole below 4 GiB.',
    ).default('guest'),
    pages: z
      .array(size('A page size.'))
      .max(16)
      .meta({ description: 'Page sizes that may be used; left out: every size that fits.' })
      .optional(),
    dirtyTracking: oneOf(
      ['none', 'off', 'on'],
      'Whether the domain can track dirty pages, and does from the start.',
    ).default('none'),
    nestParent: flag('Guests may put a stage 1 of their own over it.').optional(),
    tables: oneOf(
      TABLE_IDS,
      'Its page-table format, where it is not the machine’s.',
      TABLE_TITLES,
    ).optional(),
    devices: z
      .array(attached)
      .max(64)
      .meta({ description: 'Devices attached to it from the start.' })
      .default([]),
  })
  .meta({ description: 'An address space with a page table of its own.' });

export const devices = z.record(name(), device).meta({ description: 'Devices, by a name that steps use.' });
export const domains = z
  .record(name(), domain)
  .meta({ description: 'Domains, by a name that steps use; the first one is made with the machine.' });
