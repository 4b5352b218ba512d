import { type IommuPort } from '../../../iommu/iommuPort';
import { type Steps } from '../../../steps';
import { type VtdCapabilities } from '../../capabilities/vtd';
import { type DriverPolicy } from '../../driverFaults';
import { done, refused, type Outcome } from '../../errno';
import { type FlushRange } from '../../flusher';
import { type KernelDomain } from '../../iommuDriver';
import { type SoftwareStep } from '../../softwareStep';
import { immediately } from '../common/immediately';
import { blockOf } from '../common/ranges';
import { replaceEntry } from '../common/replaceEntry';
import { type StructureMemory } from '../common/structureMemory';
import { type StatusPage } from '../common/statusPage';
import { type Submitter } from '../common/submitter';
import { type Use } from '../common/uses';
import { type GuestTarget, type VendorDriver, type VendorParts } from '../common/vendorDriver';
import { type EncodedCommand } from '../common/encodedCommand';
import { checkUse } from './checks';
import {
  CONTEXT_DEVICE_TLB,
  didOf,
  legacyContext,
  pasidEntry,
  PRESENT,
  scalableContext,
  SSADE,
} from './entries';
import { pasidOf, VtdInvalidations } from './invalidations';
import { VtdStructures } from './structures';

const FULL = refused('ENOMEM', 'there is no memory for root, context or PASID tables');
/** Bits of GCMD and of GSTS (VT-d 4.1 §11.4.4). One-shot ones are no state. */
const COMMAND = { TE: 31, SRTP: 30, QIE: 26 } as const;
const ONE_SHOT = 1n << BigInt(COMMAND.SRTP);
const SCALABLE_MODE = 1n << 10n;
/** IQA: descriptors of 256 bits, and two pages of them. */
const WIDE_DESCRIPTORS = (1n << 11n) | 1n;
const QUEUE_FRAMES = 2;

const unique = (values: readonly number[]): number[] => [...new Set(values)];

/** Intel VT-d as Linux drives it: legacy context entries, or PASID-table entries where the unit has scalable mode. */
export class VtdDriver implements VendorDriver {
  readonly dirtyStages: readonly (1 | 2)[];
  readonly cachesNotPresent: boolean;
  readonly #port: IommuPort;
  readonly #capabilities: VtdCapabilities;
  readonly #memory: StructureMemory;
  readonly #submitter: Submitter;
  readonly #policy: DriverPolicy;
  readonly #status: StatusPage;
  readonly #structures: VtdStructures;
  readonly #invalidate: VtdInvalidations;

  constructor(capabilities: VtdCapabilities, { port, memory, submitter, status, policy }: VendorParts) {
    this.#port = port;
    this.#capabilities = capabilities;
    this.#memory = memory;
    this.#submitter = submitter;
    this.#status = status;
    this.#policy = policy;
    this.#structures = new VtdStructures(memory, capabilities);
    this.#invalidate = new VtdInvalidations(capabilities);
    this.cachesNotPresent = capabilities.cachingMode;
    const coherent = capabilities.coherentScalable || !policy.wantsCoherentMarks;
    this.dirtyStages = capabilities.dirtyTracking && coherent ? [2] : [];
  }

  /** In the order of VT-d 4.1 §6.6: root pointer, global invalidation, then translation. */
  *initialise(): Steps<SoftwareStep, Outcome<null>> {
    const { scalable } = this.#capabilities;
    const queue = this.#memory.allocate(4096 * (scalable ? QUEUE_FRAMES : 1));
    if (!this.#structures.makeRoot() || !this.#status.make() || queue === undefined) return FULL;
    yield {
      kind: 'build',
      name: 'root table and invalidation queue',
      frames: 1 + (scalable ? QUEUE_FRAMES : 1),
    };
    this.#port.writeRegister('IQT', 0n);
    this.#port.writeRegister('IQA', BigInt(queue) | (scalable ? WIDE_DESCRIPTORS : 0n));
    yield this.#command(COMMAND.QIE, 'queued invalidation on');
    this.#port.writeRegister('RTADDR', BigInt(this.#structures.root) | (scalable ? SCALABLE_MODE : 0n));
    yield this.#command(COMMAND.SRTP, 'root table pointer set');
    const forgotten = yield* this.#submitter.run(this.#invalidate.everything());
    if (!forgotten.ok) return forgotten;
    yield this.#command(COMMAND.TE, 'translation on');
    return done(null);
  }

  /** GCMD takes the whole state with one change. */
  #command(bit: number, name: string): SoftwareStep {
    const state = (this.#port.registers.get('GSTS') ?? 0n) & ~ONE_SHOT;
    this.#port.writeRegister('GCMD', state | (1n << BigInt(bit)));
    return { kind: 'software', name };
  }

  check(use: Use): Outcome<null> {
    return checkUse(use, this.#capabilities, this.dirtyStages.length > 0);
  }

  attach(use: Use, before: Use): Steps<SoftwareStep, Outcome<null>> {
    return this.#capabilities.scalable ? this.#attachScalable(use, before) : this.#attachLegacy(use, before);
  }

  *#attachLegacy(use: Use, before: Use): Steps<SoftwareStep, Outcome<null>> {
    const address = this.#structures.context(use.requester);
    if (address === undefined) return FULL;
    const did = this.#didForgotten(use, before);
    return yield* replaceEntry(this.#memory, this.#policy, {
      name: 'context entry',
      address,
      next: legacyContext(use, this.#capabilities),
      forget: () => this.#forget([this.#invalidate.context(use, did), this.#invalidate.domain(did)], before),
      ...this.#announcing(() => [
        this.#invalidate.context(use, 0),
        this.#invalidate.domain(didOf(use, this.#capabilities)),
      ]),
    });
  }

  *#attachScalable(use: Use, before: Use): Steps<SoftwareStep, Outcome<null>> {
    const context = this.#structures.context(use.requester);
    const address = this.#structures.pasidEntry(use);
    if (context === undefined || address === undefined) return FULL;
    const linked = yield* this.#linkContext(context, use, before);
    if (!linked.ok) return linked;
    return yield* replaceEntry(this.#memory, this.#policy, {
      name: 'PASID entry',
      address,
      next: pasidEntry(use, this.#capabilities, this.#marks(use)),
      forget: () => this.#forget(this.#forgetPasid(before, this.#didForgotten(use, before)), before),
      // What is not present has no domain id that a command could name.
      ...this.#announcing(() => [
        this.#invalidate.everyPasidEntry(),
        ...this.#forgetPasid(use, didOf(use, this.#capabilities)),
      ]),
    });
  }

  /** The context entry of the device: a word that says whether it may have a TLB changes by one store. */
  #linkContext(address: number, use: Use, before: Use): Steps<SoftwareStep, Outcome<null>> {
    const directory = this.#structures.directory(use.requester) ?? 0;
    const { directoryOrder } = this.#structures;
    const next = scalableContext(directory, directoryOrder, use.ats, this.#capabilities);
    const hadTlb = (this.#memory.read(address) & CONTEXT_DEVICE_TLB) !== 0n;
    const commands = [this.#invalidate.context(use, 0)];
    return replaceEntry(this.#memory, this.#policy, {
      name: 'context entry',
      address,
      next,
      forget: () => this.#forget(commands, { ...before, pasid: null, ats: hadTlb }),
      ...this.#announcing(() => commands),
    });
  }

  /** Whether the second stage of a use marks D: what its domain says, or that of the parent. */
  #marks({ attachment, pasid }: Use): boolean {
    if (attachment.kind === 'paging') return attachment.domain.dirtyTracking;
    if (attachment.kind !== 'nested' || !this.#policy.tracksLateAttach) return false;
    return attachment.domain.parent.dirtyTracking && (pasid === null || this.#policy.tracksPasids);
  }

  #didForgotten(use: Use, before: Use): number {
    return didOf(this.#policy.namesOldDomain ? before : use, this.#capabilities);
  }

  /** What caches hold of a PASID entry, and of the tables that it led to. */
  #forgetPasid(use: Use, did: number): EncodedCommand[] {
    const entry = this.#invalidate.pasidEntry(use, did);
    const { attachment } = use;
    const isFirst = attachment.kind === 'paging' && attachment.domain.stage === 1;
    return [entry, isFirst ? this.#invalidate.pasid(did, pasidOf(use)) : this.#invalidate.domain(did)];
  }

  *#forget(commands: readonly EncodedCommand[], before: Use): Steps<SoftwareStep, Outcome<null>> {
    const forgotten = yield* this.#submitter.run(commands);
    if (!forgotten.ok || !before.ats || !this.#policy.namesOldDomain) return forgotten;
    return yield* this.#submitter.run(this.deviceTlbCommands(before, null));
  }

  #announcing(commands: () => readonly EncodedCommand[]) {
    return this.#capabilities.cachingMode ? { announce: () => this.#submitter.run(commands()) } : {};
  }

  *track(uses: readonly Use[], enable: boolean): Steps<SoftwareStep, Outcome<null>> {
    for (const use of uses) {
      const address = this.#structures.pasidEntry(use);
      if (address === undefined) return FULL;
      const word = this.#memory.read(address);
      const next = enable ? word | SSADE : word & ~SSADE;
      // An entry that is being replaced gets the bit with its other words.
      if ((word & PRESENT) === 0n || word === next) continue;
      yield* this.#memory.store('PASID entry SSADE', address, next);
      const commands = this.#forgetPasid(use, didOf(use, this.#capabilities));
      const forgotten = yield* this.#forget(commands, use);
      if (!forgotten.ok) return forgotten;
    }
    return done(null);
  }

  changeTop(): Steps<SoftwareStep, Outcome<null>> {
    return immediately(
      refused('EOPNOTSUPP', 'tables of VT-d keep the number of levels that they were made with'),
    );
  }

  translationCommands(
    domain: KernelDomain,
    uses: readonly Use[],
    range: FlushRange | null,
  ): EncodedCommand[] {
    const block = range && blockOf(range, this.#policy);
    const leaves = range !== null && !range.tables;
    if (domain.stage === 1) {
      return unique(uses.map(pasidOf)).map((pasid) =>
        block
          ? this.#invalidate.pasidPages(domain.id, pasid, block, leaves)
          : this.#invalidate.pasid(domain.id, pasid),
      );
    }
    // Where the tables of a guest's first stage stand is itself cached from leaves of this stage: those pointers must go, too.
    const nested = uses.filter(({ attachment }) => attachment.kind === 'nested');
    const nestedIds = new Set(nested.map((use) => didOf(use, this.#capabilities)));
    return unique(uses.map((use) => didOf(use, this.#capabilities))).map((did) =>
      block
        ? this.#invalidate.domainPages(did, block, leaves && !nestedIds.has(did))
        : this.#invalidate.domain(did),
    );
  }

  deviceTlbCommands(use: Use, range: FlushRange | null): EncodedCommand[] {
    return [this.#invalidate.deviceTlb(use, range && blockOf(range, this.#policy))];
  }

  /** struct iommu_hwpt_vtd_s1_invalidate: address, pages (all ones: everything), flags. */
  guestCommands({ nested, uses }: GuestTarget, words: readonly bigint[]): Outcome<readonly EncodedCommand[]> {
    if (!nested)
      return refused('EOPNOTSUPP', 'VT-d has no virtual IOMMU: guests invalidate by their nested domain');
    const [address = 0n, pages = 0n, flags = 0n] = words;
    if ((flags & ~LEAF) !== 0n) return refused('EOPNOTSUPP', `flag 0x${flags.toString(16)} is not known`);
    const everything = pages === EVERY_PAGE;
    if (address % 4096n !== 0n || (everything && address !== 0n) || pages === 0n) {
      return refused('EINVAL', `0x${address.toString(16)} and ${pages} pages are no range of whole pages`);
    }
    const startPage = Number(address >> 12n);
    const endPage = startPage + Number(pages);
    const tables = (flags & LEAF) === 0n;
    const range = everything ? null : { startPage, endPage, smallestShift: 12, largestShift: 12, tables };
    const block = range && blockOf(range, this.#policy);
    return done([
      ...unique(uses.map(pasidOf)).map((pasid) =>
        block
          ? this.#invalidate.pasidPages(nested.id, pasid, block, !tables)
          : this.#invalidate.pasid(nested.id, pasid),
      ),
      ...uses.filter(({ ats }) => ats).flatMap((use) => this.deviceTlbCommands(use, range)),
    ]);
  }
}

const LEAF = 1n;
const EVERY_PAGE = 2n ** 64n - 1n;
