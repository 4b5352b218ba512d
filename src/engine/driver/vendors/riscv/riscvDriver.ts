import { type Steps } from '../../../steps';
import { type RiscvCapabilities } from '../../capabilities/riscv';
import { done, refused, type Outcome } from '../../errno';
import { type FlushRange } from '../../flusher';
import { type KernelDomain } from '../../iommuDriver';
import { type SoftwareStep } from '../../softwareStep';
import { immediately } from '../common/immediately';
import { blockOf } from '../common/ranges';
import { replaceEntry } from '../common/replaceEntry';
import { BLOCKED, type Use } from '../common/uses';
import { type GuestTarget, type VendorDriver, type VendorParts } from '../common/vendorDriver';
import { type EncodedCommand } from '../common/encodedCommand';
import { checkUse } from './checks';
import { deviceContext, noContext, processContext } from './entries';
import { translateGuestCommand } from './guestCommands';
import {
  invalidateAll,
  invalidateDevice,
  invalidateDeviceTlb,
  invalidateEverything,
  invalidateProcess,
  invalidateRange,
  type Target,
} from './invalidations';
import { RiscvStructures } from './structures';

const FULL = refused('ENOMEM', 'there is no memory for device or process directories');
/** cqen and fqen. */
const ENABLE = 1n;

const isStage1 = ({ attachment }: Use): boolean =>
  attachment.kind === 'paging' && attachment.domain.stage === 1;

/**
 * The RISC-V IOMMU: first stages by fsc, second stages by iohgatp. As an extension of what Linux does: processes, nesting, and
 * A and D set by hardware (GADE, SADE) wherever it can. They are on from the beginning: a clear D faults without.
 */
export class RiscvDriver implements VendorDriver {
  readonly dirtyStages: readonly (1 | 2)[];
  readonly cachesNotPresent = false;
  readonly #parts: VendorParts;
  readonly #capabilities: RiscvCapabilities;
  readonly #structures: RiscvStructures;

  constructor(capabilities: RiscvCapabilities, parts: VendorParts) {
    this.#parts = parts;
    this.#capabilities = capabilities;
    this.#structures = new RiscvStructures(parts.memory, capabilities);
    this.dirtyStages = capabilities.hardwareMarks ? [1, 2] : [];
  }

  *initialise(): Steps<SoftwareStep, Outcome<null>> {
    const { memory, port, submitter } = this.#parts;
    const { commandQueueLog2, faultQueueLog2 } = this.#capabilities;
    const commands = memory.allocate(16 * 2 ** commandQueueLog2);
    const faults = memory.allocate(32 * 2 ** faultQueueLog2);
    if (!this.#structures.makeRoot() || commands === undefined || faults === undefined) return FULL;
    yield { kind: 'build', name: 'device directory, command and fault queue', frames: 3 };
    port.writeRegister('cqb', queueBase(commands, commandQueueLog2));
    port.writeRegister('fqb', queueBase(faults, faultQueueLog2));
    port.writeRegister('cqt', 0n);
    port.writeRegister('cqcsr', ENABLE);
    port.writeRegister('fqh', 0n);
    port.writeRegister('fqcsr', ENABLE);
    yield { kind: 'software', name: 'queues on' };
    port.writeRegister('ddtp', this.#structures.ddtp);
    yield { kind: 'software', name: 'device directory set' };
    return yield* submitter.run(invalidateEverything());
  }

  check(use: Use, others: readonly Use[]): Outcome<null> {
    return checkUse(use, others, this.#capabilities, this.#structures);
  }

  *attach(use: Use, before: Use, others: readonly Use[]): Steps<SoftwareStep, Outcome<null>> {
    const { memory, policy } = this.#parts;
    const { requester, pasid } = use;
    const uses = [use, ...others];
    const hasProcesses = uses.some((each) => each.pasid !== null && isStage1(each));
    const hadProcesses = [before, ...others].some((each) => each.pasid !== null && isStage1(each));
    const address = this.#structures.context(requester);
    const processes = hasProcesses || hadProcesses ? this.#structures.processes(requester) : undefined;
    if (address === undefined || ((hasProcesses || hadProcesses) && !processes)) return FULL;
    // With a directory requests without process_id are of process 0, whose context says what they meet.
    const blocked: Use = { requester, pasid: null, attachment: BLOCKED, ats: use.ats };
    const own = uses.find((each) => each.pasid === null) ?? blocked;
    for (const each of pasid === null || hadProcesses ? [use] : [own, use]) {
      const written = processes ? yield* this.#writeProcess(each, before) : done(null);
      if (!written.ok) return written;
    }
    const changed = yield* replaceEntry(memory, policy, {
      name: 'DC',
      address,
      next: this.#contextOf(uses),
      forget: () => this.#forget(before, [invalidateDevice(requester)]),
    });
    return changed;
  }

  #writeProcess(use: Use, before: Use): Steps<SoftwareStep, Outcome<null>> {
    const { memory, policy } = this.#parts;
    const address = this.#structures.process(use.requester, use.pasid);
    if (address === undefined) return immediately(FULL);
    const { attachment } = use;
    const next = attachment.kind === 'paging' && isStage1(use) ? processContext(attachment.domain) : [0n, 0n];
    return replaceEntry(memory, policy, {
      name: 'PC',
      address,
      next,
      forget: () => this.#forget(before, [invalidateProcess(use.requester, use.pasid)]),
    });
  }

  /** What all uses of a device make of its context. */
  #contextOf(uses: readonly Use[]): bigint[] {
    const of = this.#capabilities;
    const own = uses.find(({ pasid }) => pasid === null)?.attachment ?? { kind: 'blocked' };
    const ats = uses[0]?.ats ?? false;
    if (own.kind === 'nested')
      return deviceContext({ second: own.domain.parent, guest: own.domain, ats }, of);
    if (own.kind === 'paging' && own.domain.stage === 2)
      return deviceContext({ second: own.domain, ats }, of);
    const [process] = uses.filter((use) => use.pasid !== null && isStage1(use));
    if (process) {
      const processes = this.#structures.processes(process.requester);
      const defaultProcess = own.kind !== 'pass-through';
      return deviceContext({ ...(processes ? { processes } : {}), defaultProcess, ats }, of);
    }
    if (own.kind === 'paging') return deviceContext({ first: own.domain, ats }, of);
    return own.kind === 'pass-through' ? deviceContext({ ats }, of) : noContext(of);
  }

  /** Drops structures, and the translations of an attachment that was there before. */
  *#forget(before: Use, structures: readonly EncodedCommand[]): Steps<SoftwareStep, Outcome<null>> {
    const { submitter } = this.#parts;
    const target = targetOf(before);
    const translations = [...structures, ...(target ? [invalidateAll(target)] : [])];
    const devices = before.ats && target ? this.deviceTlbCommands(before, null) : [];
    return yield* submitter.flush(translations, devices);
  }

  /** Nothing to switch: contexts have GADE and SADE wherever hardware has AMO_HWAD. */
  track(): Steps<SoftwareStep, Outcome<null>> {
    return immediately(done(null));
  }

  changeTop(): Steps<SoftwareStep, Outcome<null>> {
    return immediately(refused('EOPNOTSUPP', 'tables of RISC-V keep the mode that they were made with'));
  }

  translationCommands(
    domain: KernelDomain,
    _uses: readonly Use[],
    range: FlushRange | null,
  ): EncodedCommand[] {
    const target: Target =
      domain.stage === 1 ? { kind: 'first', process: domain.id } : { kind: 'second', guest: domain.id };
    if (!range) return [invalidateAll(target)];
    return invalidateRange(target, range, this.#capabilities, this.#parts.policy);
  }

  deviceTlbCommands({ requester, pasid }: Use, range: FlushRange | null): EncodedCommand[] {
    return [invalidateDeviceTlb(requester, pasid, range && blockOf(range, this.#parts.policy))];
  }

  guestCommands(target: GuestTarget, words: readonly bigint[]): Outcome<readonly EncodedCommand[]> {
    return translateGuestCommand(target, words);
  }
}

/** LOG2SZ-1 in bits 4:0, PPN in bits 53:10 (§5.6, §5.9). */
const queueBase = (address: number, log2: number): bigint =>
  (BigInt(address / 4096) << 10n) | BigInt(log2 - 1);

function targetOf({ attachment }: Use): Target | undefined {
  if (attachment.kind === 'nested') return { kind: 'nested', guest: attachment.domain.parent.id };
  if (attachment.kind !== 'paging') return undefined;
  const { id, stage } = attachment.domain;
  return stage === 1 ? { kind: 'first', process: id } : { kind: 'second', guest: id };
}
