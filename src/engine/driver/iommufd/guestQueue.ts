import { type CacheOperation, type TagSelection } from '../../iommu/cacheOperation';
import { CommandQueue } from '../../iommu/commandQueue';
import { type Command } from '../../iommu/commands';
import { type HardwareStep } from '../../iommu/hardwareStep';
import { type Iommu } from '../../iommu/iommu';
import { type EmulatedKind, type RegisterFile, type RingPointer } from '../../iommu/vendor';
import { vendorOf } from '../../iommu/vendors/index';
import { type WritableMemory } from '../../memory/writableMemory';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { runSteps } from '../../steps';
import { done, refused, type Outcome } from '../errno';
import { type HardwareQueue } from './hardwareQueue';
import { type VirtualIommu } from './viommu';

/** Bytes of a command of SMMUv3 and AMD. */
const COMMAND_BYTES = 16;

/** What hardware makes of commands in a queue that a guest owns. */
interface GuestQueueRule {
  /** Commands that such a queue takes, by their names. */
  readonly takes: ReadonlySet<string>;
  /** What stands in the place of a domain id: of the guest's, or of nothing. Undefined: the guest has no such id. */
  readonly domain: (viommu: VirtualIommu, guest: number | undefined) => number | undefined;
}

const RULES: Partial<Readonly<Record<EmulatedKind, GuestQueueRule>>> = {
  // Tegra241 CMDQV, Linux tegra241_guest_vcmdq_supports_cmd: the VMID is that of the virtual interface, whatever was written.
  smmuv3: {
    takes: new Set(['CMD_TLBI_NH_ASID', 'CMD_TLBI_NH_VA', 'CMD_ATC_INV', 'CMD_SYNC']),
    domain: ({ parent }) => parent.domain.kernel.id,
  },
  // AMD 48882 3.10 §2.9: DomainIDs and DeviceIDs go through the guest's tables of them.
  'amd-vi': {
    takes: new Set([
      'COMPLETION_WAIT',
      'INVALIDATE_IOMMU_PAGES',
      'INVALIDATE_IOTLB_PAGES',
      'INVALIDATE_DEVTAB_ENTRY',
    ]),
    domain: (viommu, guest) => (guest === undefined ? undefined : viommu.domainOf(guest)),
  },
};

const pointer = (register: string): RingPointer => ({
  register,
  position: (registers: RegisterFile) => Number(registers.get(register) ?? 0n),
  value: (_registers: RegisterFile, position: number) => BigInt(position),
});

const HEAD = pointer('guest queue head');
const TAIL = pointer('guest queue tail');

/**
 * Hardware's side of a guest-owned queue: it reads commands from guest memory, puts the host's ids in the place of the
 * guest's, and executes them on the IOMMU's caches. No host takes part.
 */
export class GuestQueue {
  readonly #queue: HardwareQueue<VirtualIommu>;
  readonly #registers: RegisterFile;
  readonly #commands: CommandQueue;
  readonly #slots: number;
  #error: string | undefined;

  constructor(queue: HardwareQueue<VirtualIommu>, iommu: Iommu, memory: WritableMemory) {
    this.#queue = queue;
    this.#registers = new Map([...iommu.registers, [HEAD.register, 0n], [TAIL.register, 0n]]);
    const vendor = vendorOf(iommu.kind);
    const rule = RULES[iommu.kind];
    const slots = Math.floor(Number(queue.range.end - queue.range.start) / COMMAND_BYTES);
    this.#slots = slots;
    const place = { baseAddress: queue.base, slots, slotBytes: COMMAND_BYTES, enabled: true, wraps: false };
    this.#commands = new CommandQueue({
      vendor: {
        ...vendor,
        commands: {
          ring: () => place,
          head: HEAD,
          tail: TAIL,
          decode: (words, registers) => {
            const command = vendor.commands.decode(words, registers);
            return rule ? this.#translate(command, rule) : illegal(command.name, 'guests have no queues');
          },
          refuse: (_registers, error) => {
            this.#error ??= error;
            return undefined;
          },
          isStopped: () => this.#error !== undefined,
          afterTimeout: vendor.commands.afterTimeout,
          // The guest looks at the head.
          interrupt: () => undefined,
        },
      },
      memory,
      registers: this.#registers,
      log: iommu.faults,
      // Guest physical: through the guest's stage 2.
      store: (address, value, bytes) => {
        const { id } = queue.viommu.parent.domain.kernel;
        return runSteps(iommu.store(this.#space, id, address, value, bytes));
      },
      apply: (operation) => {
        iommu.invalidate(operation);
      },
      device: (requester) => iommu.devices.get(requester),
      inFlight: iommu.inFlight,
      drains: iommu.rules.drains,
    });
  }

  /** The slot that is executed next. */
  get head(): number {
    return HEAD.position(this.#registers);
  }

  /** Why the queue stands still. */
  get error(): string | undefined {
    return this.#error;
  }

  /**
   * The guest moves the tail, by a register that it reaches itself; a stopped queue goes on at the command it stopped at. What is
   * no slot of the ring leaves the tail where it is, and stops the queue.
   */
  setTail(slot: number): void {
    const isSlot = Number.isInteger(slot) && slot >= 0 && slot < this.#slots;
    this.#error = isSlot ? undefined : `the tail ${slot} is none of the ${this.#slots} slots of the ring`;
    if (!isSlot) return;
    this.#registers.set(TAIL.register, BigInt(slot));
  }

  /** Does one command; undefined: there is none, or it has to wait. */
  runCommand(): HardwareStep | undefined {
    return this.#commands.runOne();
  }

  #translate(command: Command, rule: GuestQueueRule): Command {
    if (command.kind === 'illegal') return this.#refuse(command.name, command.why);
    if (!rule.takes.has(command.name)) return this.#refuse(command.name, 'a guest may not give this command');
    const { viommu } = this.#queue;
    const requesterOf = (id: number): Outcome<number> => {
      const requester = viommu.requesterOf(BigInt(id));
      return requester === undefined ? refused('EIO', `the guest has no device ${id}`) : done(requester);
    };
    switch (command.kind) {
      case 'other':
      case 'wait':
        return command;
      case 'device-tlb': {
        const requester = requesterOf(command.operation.requester);
        if (!requester.ok) return this.#refuse(command.name, requester.message);
        return { ...command, operation: { ...command.operation, requester: requester.value } };
      }
      case 'invalidate': {
        const operations: CacheOperation[] = [];
        for (const operation of command.operations) {
          const translated = translateOperation(operation, (vm) => rule.domain(viommu, vm), requesterOf);
          if (!translated.ok) return this.#refuse(command.name, translated.message);
          operations.push(translated.value);
        }
        return { ...command, operations };
      }
    }
  }

  #refuse(name: string, why: string): Command {
    this.#error = `${name}: ${why}`;
    return illegal(name, why);
  }

  /** The guest's stage 2 as hardware uses it now: it marks only while dirty pages are tracked. */
  get #space(): AddressSpace {
    const { tables, dirtyTracking } = this.#queue.viommu.parent.domain.kernel;
    const { space } = tables;
    const marks = { setsAccessed: dirtyTracking, setsDirty: dirtyTracking };
    return { ...space, format: { ...space.format, ...marks } };
  }
}

const illegal = (name: string, why: string): Command => ({ kind: 'illegal', name, why });

/** An operation on the caches of one guest: each part names a domain or a device of it. */
function translateOperation(
  { translations, tables, contexts, processes }: CacheOperation,
  domain: (guest: number | undefined) => number | undefined,
  requesterOf: (id: number) => Outcome<number>,
): Outcome<CacheOperation> {
  const noDomain = refused('EIO', 'the guest has no such domain');
  const tagged = <T extends TagSelection>(selection: T): T | undefined => {
    const vm = domain(selection.vm);
    return vm === undefined ? undefined : { ...selection, vm };
  };
  let translated: CacheOperation = {};
  if (translations) {
    const own = tagged(translations);
    if (!own) return noDomain;
    translated = { ...translated, translations: own };
  }
  if (tables) {
    const own = tagged(tables);
    if (!own) return noDomain;
    translated = { ...translated, tables: own };
  }
  for (const [part, selection] of [['contexts', contexts] as const, ['processes', processes] as const]) {
    if (!selection) continue;
    const { vm, requester } = selection;
    if (vm === undefined && requester === undefined)
      return refused('EIO', 'a guest names a device or a domain');
    const host = vm === undefined ? undefined : domain(vm);
    if (vm !== undefined && host === undefined) return noDomain;
    const physical = requester === undefined ? undefined : requesterOf(requester);
    if (physical?.ok === false) return physical;
    const own = {
      ...selection,
      ...(host === undefined ? {} : { vm: host }),
      ...(physical ? { requester: physical.value } : {}),
    };
    translated = { ...translated, [part]: own };
  }
  return done(translated);
}
