import { type Steps } from '../../../steps';
import { assert } from '../../../result';
import { type Smmuv3Capabilities } from '../../capabilities/smmuv3';
import { done, refused, type Outcome } from '../../errno';
import { type FlushRange } from '../../flusher';
import { type KernelDomain } from '../../iommuDriver';
import { type SoftwareStep } from '../../softwareStep';
import { immediately } from '../common/immediately';
import { blockOf } from '../common/ranges';
import { type Use } from '../common/uses';
import { type GuestTarget, type VendorDriver, type VendorParts } from '../common/vendorDriver';
import { type EncodedCommand } from '../common/encodedCommand';
import { checkUse } from './checks';
import {
  abortSte,
  bypassSte,
  CD_VALID,
  contextDescriptor,
  DSS,
  nestedSte,
  noContextDescriptor,
  stage1Ste,
  stage2Ste,
  STE_VALID,
  usedOfCd,
  usedOfSte,
  type ContextTable,
  type EntryWords,
} from './entries';
import { translateGuestCommand } from './guestCommands';
import { changeHitless } from './hitless';
import {
  invalidateAsid,
  invalidateAtc,
  invalidateCd,
  invalidateEverything,
  invalidateNestedOf,
  invalidateRange,
  invalidateSte,
  invalidateVmid,
} from './invalidations';
import { SmmuStructures } from './structures';
import { armTablesOf, type ArmTables } from './tables';

const FULL = refused('ENOMEM', 'there is no memory for stream or context descriptor tables');
/** Bits of CR0 (IHI 0070 6.3.9). */
const CR0 = { SMMUEN: 0, EVENTQEN: 2, CMDQEN: 3, ATSCHK: 4 } as const;
/** RECINVSID, PTM (6.3.12). */
const CR2 = 0b110n;
/** Read-allocate hint of the base registers. */
const ALLOCATE = 1n << 62n;

const isStage1 = ({ attachment }: Use): boolean =>
  attachment.kind === 'paging' && attachment.domain.stage === 1;

function tablesOf(domain: KernelDomain): ArmTables {
  const tables = armTablesOf(domain);
  assert(tables, 'the tables were checked before');
  return tables;
}

/**
 * Arm SMMUv3 as Linux drives it: stage 1 by context descriptors, stage 2 by STEs, guests' STEs over stage 2. Dirty marking is
 * always on where HTTU has it, for stage 2 too, which Linux leaves off.
 */
export class Smmuv3Driver implements VendorDriver {
  readonly dirtyStages: readonly (1 | 2)[];
  readonly cachesNotPresent = false;
  readonly #parts: VendorParts;
  readonly #capabilities: Smmuv3Capabilities;
  readonly #structures: SmmuStructures;

  constructor(capabilities: Smmuv3Capabilities, parts: VendorParts) {
    this.#parts = parts;
    this.#capabilities = capabilities;
    this.#structures = new SmmuStructures(parts.memory, capabilities);
    const coherent = capabilities.coherent || !parts.policy.wantsCoherentMarks;
    this.dirtyStages = capabilities.httu >= 2 && coherent ? [1, 2] : [];
  }

  *initialise(): Steps<SoftwareStep, Outcome<null>> {
    const { memory, port, submitter } = this.#parts;
    const { commandQueueLog2, eventQueueLog2, ats } = this.#capabilities;
    const commands = memory.allocate(16 * 2 ** commandQueueLog2);
    const events = memory.allocate(32 * 2 ** eventQueueLog2);
    if (!this.#structures.makeStreams() || commands === undefined || events === undefined) return FULL;
    yield { kind: 'build', name: 'stream table, command and event queue', frames: 3 };
    const { base, configuration } = this.#structures.streamRegisters;
    port.writeRegister('STRTAB_BASE', base | ALLOCATE);
    port.writeRegister('STRTAB_BASE_CFG', configuration);
    port.writeRegister('CMDQ_BASE', BigInt(commands) | ALLOCATE | BigInt(commandQueueLog2));
    port.writeRegister('EVENTQ_BASE', BigInt(events) | ALLOCATE | BigInt(eventQueueLog2));
    port.writeRegister('CR2', CR2);
    yield { kind: 'software', name: 'base registers set' };
    yield this.#enable('command queue on', CR0.CMDQEN);
    const forgotten = yield* submitter.run(invalidateEverything());
    if (!forgotten.ok) return forgotten;
    yield this.#enable('event queue on', CR0.EVENTQEN);
    yield this.#enable('translation on', CR0.SMMUEN, ...(ats ? [CR0.ATSCHK] : []));
    return done(null);
  }

  #enable(name: string, ...bits: readonly number[]): SoftwareStep {
    const { port } = this.#parts;
    const value = bits.reduce((all, bit) => all | (1n << BigInt(bit)), port.registers.get('CR0') ?? 0n);
    port.writeRegister('CR0', value);
    return { kind: 'software', name };
  }

  check(use: Use, others: readonly Use[]): Outcome<null> {
    return checkUse(use, others, this.#capabilities, this.#structures.substreamBits);
  }

  *attach(use: Use, before: Use, others: readonly Use[]): Steps<SoftwareStep, Outcome<null>> {
    const address = this.#structures.stream(use.requester);
    const uses = [use, ...others];
    const table = [...uses, before].some(isStage1) ? this.#structures.contexts(use.requester) : undefined;
    const needsContext = isStage1(use) || isStage1(before);
    const context = needsContext ? this.#structures.context(use.requester, use.pasid) : undefined;
    if (address === undefined || (needsContext && context === undefined)) return FULL;
    // A descriptor is there before the STE leads to it, and goes after the STE does not any more.
    if (context !== undefined && isStage1(use)) {
      const written = yield* this.#writeContext(context, use);
      if (!written.ok) return written;
    }
    const changed = yield* changeHitless(this.#parts.memory, this.#parts.policy, {
      name: 'STE',
      address,
      next: this.#steOf(uses, table),
      validBit: STE_VALID,
      usedOf: usedOfSte,
      forget: () => this.#parts.submitter.run([invalidateSte(use.requester)]),
    });
    if (!changed.ok) return changed;
    if (context !== undefined && !isStage1(use)) {
      const cleared = yield* this.#writeContext(context, use);
      if (!cleared.ok) return cleared;
    }
    return yield* this.#forget(before);
  }

  #writeContext(address: number, use: Use): Steps<SoftwareStep, Outcome<null>> {
    const { requester, pasid, attachment } = use;
    const next =
      attachment.kind === 'paging' && isStage1(use)
        ? contextDescriptor(attachment.domain.id, tablesOf(attachment.domain), this.#capabilities)
        : noContextDescriptor();
    return changeHitless(this.#parts.memory, this.#parts.policy, {
      name: 'CD',
      address,
      next,
      validBit: CD_VALID,
      usedOf: usedOfCd,
      forget: () => this.#parts.submitter.run([invalidateCd(requester, pasid)]),
    });
  }

  /** What all uses of a stream make of its STE. */
  #steOf(uses: readonly Use[], table: ContextTable | undefined): EntryWords {
    const own = uses.find(({ pasid }) => pasid === null)?.attachment ?? { kind: 'blocked' };
    const ats = uses[0]?.ats ?? false;
    if (own.kind === 'nested') {
      const { parent, words } = own.domain;
      return nestedSte(stage2Ste(parent.id, tablesOf(parent), this.#capabilities, ats), words, ats);
    }
    if (own.kind === 'paging' && own.domain.stage === 2)
      return stage2Ste(own.domain.id, tablesOf(own.domain), this.#capabilities, ats);
    if (table && uses.some(isStage1)) {
      const first = table.log2 === 0 ? DSS.terminate : DSS.substream0;
      const dss = own.kind === 'paging' ? first : own.kind === 'blocked' ? DSS.terminate : DSS.bypass;
      return stage1Ste(table, dss, ats);
    }
    return own.kind === 'blocked' ? abortSte() : bypassSte();
  }

  /** Drops the translations of an attachment that was there before. */
  *#forget(before: Use): Steps<SoftwareStep, Outcome<null>> {
    const { attachment, ats } = before;
    if (attachment.kind !== 'paging' && attachment.kind !== 'nested') return done(null);
    const { submitter } = this.#parts;
    const { domain } = attachment;
    const translations =
      attachment.kind === 'nested'
        ? [invalidateNestedOf(attachment.domain.parent.id)]
        : [attachment.domain.stage === 1 ? invalidateAsid(domain.id) : invalidateVmid(domain.id)];
    const devices = ats ? this.deviceTlbCommands(before, null) : [];
    return yield* submitter.flush(translations, devices);
  }

  /** Nothing to switch: descriptors and STEs have HD wherever hardware has it. */
  track(): Steps<SoftwareStep, Outcome<null>> {
    return immediately(done(null));
  }

  changeTop(): Steps<SoftwareStep, Outcome<null>> {
    return immediately(refused('EOPNOTSUPP', 'tables of Arm keep the input size that they were made with'));
  }

  translationCommands(
    domain: KernelDomain,
    uses: readonly Use[],
    range: FlushRange | null,
  ): EncodedCommand[] {
    const { granuleShift } = tablesOf(domain);
    if (domain.stage === 1) {
      const target = { stage: 1, asid: domain.id } as const;
      return range
        ? invalidateRange(target, range, granuleShift, this.#capabilities)
        : [invalidateAsid(domain.id)];
    }
    const direct = { stage: 2, vmid: domain.id } as const;
    const hasNested = uses.some(({ attachment }) => attachment.kind === 'nested');
    // A whole VMID is both stages of it.
    if (!range) return [invalidateVmid(domain.id)];
    return [
      ...invalidateRange(direct, range, granuleShift, this.#capabilities),
      ...(hasNested ? [invalidateNestedOf(domain.id)] : []),
    ];
  }

  deviceTlbCommands({ requester, pasid }: Use, range: FlushRange | null): EncodedCommand[] {
    return [invalidateAtc(requester, pasid, range && blockOf(range, this.#parts.policy))];
  }

  guestCommands(target: GuestTarget, words: readonly bigint[]): Outcome<readonly EncodedCommand[]> {
    return translateGuestCommand(target, words);
  }
}
