import { done, refused, type Outcome } from '../../driver/errno';
import { type MachineCapabilities } from '../../driver/capabilities/index';
import { type FlushRange } from '../../driver/flusher';
import { guestKindOf } from '../../driver/guest/index';
import { type Iommufd } from '../../driver/iommufd/iommufd';
import { NESTED_DATA } from '../../driver/iommufd/nestedData';
import { type Handled } from '../../driver/iommufd/platform';
import { type AddressRange } from '../../driver/iommufd/ranges';
import { type SoftwareStep } from '../../driver/softwareStep';
import { type EncodedCommand } from '../../driver/vendors/common/encodedCommand';
import { type CompiledFormat } from '../../formats/compile';
import { type LedgerAttachment } from '../../ledger/mappings';
import { type Arena } from '../../memory/arena';
import { type WritableMemory } from '../../memory/writableMemory';
import { ALL_PAGES } from '../../pageTable/addressSpace';
import { type Steps } from '../../steps';
import { FRAME_BYTES } from '../../values';
import { type DomainChoice } from '../domainChoice';
import { type MachineHwpt } from '../domains';
import { GUEST_START_FRAME, type GuestLayout } from '../layout';
import { type StepRunner } from '../runner';
import { type MachineFunction } from '../unit';
import { guestTables, MachineGuest } from './guest';
import { GuestFrames, HeldGuestMemory } from './guestMemory';
import { VirtualIommus } from './virtualIommus';
import { bytesOfWords, puttingWords } from './words';

/** What guests' tables are made with. */
export interface GuestsOptions {
  readonly iommufd: Iommufd;
  readonly capabilities: MachineCapabilities;
  readonly arena: Arena;
  /** As software sees it. */
  readonly software: WritableMemory;
  readonly layout: GuestLayout;
  /** Bytes of the smallest page. */
  readonly granule: number;
  /** Has hardware read guests' queues. */
  readonly runner: StepRunner;
  /** All devices of the machine. */
  readonly functions: ReadonlyMap<unknown, MachineFunction>;
}

export interface NewGuest {
  readonly parent: MachineHwpt;
  readonly choice: DomainChoice;
  /** A device behind the IOMMU that it is for. */
  readonly device: MachineFunction;
  readonly viommu: number | undefined;
  /** Found by `memory.find`. */
  readonly range: AddressRange;
}

/** Ids that guests use: those of all vendors' have at least 8 bits. */
const MOST_SPACES = 255;

/** The guests of a machine that have tables of their own, and how they tell the hardware of changes. */
export class MachineGuests {
  readonly memory: HeldGuestMemory;
  readonly virtual: VirtualIommus;
  readonly #options: GuestsOptions;
  readonly #guests = new Map<number, MachineGuest>();

  constructor(options: GuestsOptions) {
    this.#options = options;
    this.memory = new HeldGuestMemory(options.layout.regions, Math.max(options.granule, FRAME_BYTES));
    this.virtual = new VirtualIommus(options);
  }

  get(id: number): MachineGuest | undefined {
    return this.#guests.get(id);
  }

  get all(): readonly MachineGuest[] {
    return [...this.#guests.values()];
  }

  /** The format of the kernel's tables of a stage, unless a guest's differ: an entry of its own does not say whose it is. */
  agreed(stage: 1 | 2, kernels: CompiledFormat | undefined): CompiledFormat | undefined {
    const differs = (guest: MachineGuest): boolean => guest.tables.format.format !== kernels?.format;
    return stage === 1 && this.all.some(differs) ? undefined : kernels;
  }

  /** The first device behind an IOMMU; `iommu` absent: of all. */
  deviceBehind(iommu: string | undefined): MachineFunction | undefined {
    return [...this.#options.functions.values()].find(
      ({ unit }) => iommu === undefined || unit.name === iommu,
    );
  }

  /** What an attachment promises; undefined: this is no guest. */
  promiseOf(id: number): LedgerAttachment | undefined {
    const guest = this.#guests.get(id);
    return guest && { domain: guest.parent.id, nested: true };
  }

  /** Tables and structures in guest memory, and an HWPT for them. What is refused leaves nothing. */
  *create(of: NewGuest): Steps<SoftwareStep, Outcome<MachineGuest>> {
    const { parent, choice, device, viommu, range } = of;
    const { iommufd, capabilities, arena, software } = this.#options;
    const { unit } = device;
    const kind = guestKindOf(unit.iommu.kind);
    const space = this.#guests.size + 1;
    if (space > MOST_SPACES) return refused('ENOSPC', `a machine has at most ${MOST_SPACES} guests' tables`);
    const frames = new GuestFrames(arena, range, GUEST_START_FRAME);
    const structures = frames.allocate();
    if (structures === undefined) return refused('ENOMEM', 'no guest memory is left for structures');
    const clean = (address: number, words: number): void => {
      unit.iommu.cleanLine(address, words);
    };
    const marked = !setsMarks(capabilities);
    const tables = guestTables({ choice, memory: software, frames, space, marked, clean });
    if (!tables.ok) return tables;
    const put = puttingWords(software, unit.iommu);
    const words = kind.describe(
      {
        tables: tables.value,
        space,
        structures: BigInt(structures) * BigInt(FRAME_BYTES),
        put: (address, entry) => {
          put(Number(address) + GUEST_START_FRAME * FRAME_BYTES, entry);
        },
      },
      capabilities,
    );
    yield { kind: 'build', name: 'the guest’s root table and structures', frames: frames.allocated };
    const bytes = bytesOfWords(words).subarray(0, NESTED_DATA[kind.kind].bytes);
    const data = { type: NESTED_DATA[kind.kind].type, length: bytes.length, data: bytes };
    const made = yield* iommufd.hwptAlloc({ deviceId: device.id, pageTableId: viommu ?? parent.id, data });
    if (!made.ok) return made;
    const rest = { tables: tables.value, space, memory: range };
    const guest = new MachineGuest({ id: made.value, kind, unit, parent, viommu, ...rest });
    this.#guests.set(guest.id, guest);
    this.memory.hold(range);
    return done(guest);
  }

  /** Names of the commands that a guest may invalidate by, the usual one first. */
  commandsOf({ kind }: MachineGuest): readonly string[] {
    return Object.keys(kind.flushes);
  }

  /** The guest invalidates pages, or everything; how many commands it sent. `name`: one of `commandsOf`. */
  *invalidate(
    guest: MachineGuest,
    range: FlushRange | null,
    name: string,
  ): Steps<SoftwareStep, Outcome<number>> {
    const { kind, space } = guest;
    const translations = kind.flushes[name]?.(range, space) ?? [];
    const devices = this.#devicesOf(guest).flatMap((requester) => kind.devices(range, requester));
    const commands = [...translations, ...devices].map((words) => ({ name, words }));
    const { handled, outcome } = yield* this.#send(guest, commands);
    if (!outcome.ok) return outcome;
    guest.invalidated(range?.startPage ?? 0, range?.endPage ?? ALL_PAGES);
    return done(handled);
  }

  /** Ids by which a guest knows its devices that have TLBs: without a vIOMMU they are the physical ones. */
  #devicesOf({ id, viommu }: MachineGuest): number[] {
    const ids: number[] = [];
    for (const { requester, device, attached } of this.#options.functions.values()) {
      if (!device.ats || ![...attached.values()].includes(id)) continue;
      const known = viommu === undefined ? requester : this.virtual.idOf(viommu, requester);
      if (known !== undefined) ids.push(known);
    }
    return ids;
  }

  /**
   * Through the vIOMMU, or IOMMU_HWPT_INVALIDATE; where that has no form for guests without a vIOMMU, the hypervisor hands on
   * what it trapped.
   */
  *#send(guest: MachineGuest, commands: readonly EncodedCommand[]): Steps<SoftwareStep, Handled> {
    const { iommufd } = this.#options;
    if (guest.viommu !== undefined) return yield* this.virtual.give(guest.viommu, commands);
    const rule = NESTED_DATA[guest.kind.kind].invalidation;
    const words = commands.map((command) => command.words);
    if (rule) {
      const array = { type: rule.type, entryLength: rule.bytes, entryNumber: words.length };
      return yield* iommufd.hwptInvalidate(guest.id, { ...array, data: bytesOfWords(words.flat()) });
    }
    const hwpt = iommufd.object(guest.id);
    if (hwpt?.kind !== 'nested') return { handled: 0, outcome: refused('ENOENT', 'the guest is gone') };
    return yield* guest.unit.driver.invalidateNested(hwpt.domain, words);
  }
}

/** RISC-V: AMO_HWAD. VT-d sets no marks in first-stage tables that it walks without snooping (PWSNP = 0). */
function setsMarks(of: MachineCapabilities): boolean {
  if (of.vendor === 'riscv') return of.hardwareMarks;
  return of.vendor !== 'vt-d' || of.coherentScalable;
}
