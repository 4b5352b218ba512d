import { type CpuSecondStage } from '../../driver/cpu/secondStage';
import { done, refused, type Outcome } from '../../driver/errno';
import { type SoftwareStep } from '../../driver/softwareStep';
import { type PageRange } from '../../iommu/cacheOperation';
import { type Steps } from '../../steps';
import { FRAME_BYTES, formatSize, hex, parseInteger } from '../../values';
import { type MachineCore } from '../core';
import { DirtyRanges } from '../dirtyRanges';
import { type OperationReport } from '../operation';
import { PAGE, pagesHolding, report, type Doing, type Of } from './common';

/** Pages that one operation accesses, one after the other. */
const MOST_PAGES = 2 ** 20;
const MOST_TOLD = 1000;
const ACCESSES: readonly string[] = ['read', 'write'];
const REASONS: readonly string[] = ['balloon', 'numa-balancing', 'mmu-notifier'];

function stageOf(machine: MachineCore): Outcome<CpuSecondStage> {
  const { stage } = machine.cpu;
  return stage ? done(stage) : refused('ENODEV', 'the machine has no CPUs: its specification says no "cpu"');
}

/** Pages of 4 KiB of all ranges together; EINVAL: a range is none, or they are too many. */
function bounded(ranges: readonly Outcome<PageRange>[]): Outcome<readonly PageRange[]> {
  const pages: PageRange[] = [];
  let sum = 0;
  for (const range of ranges) {
    if (!range.ok) return range;
    sum += range.value.endPage - range.value.startPage;
    pages.push(range.value);
  }
  return sum > MOST_PAGES
    ? refused('EINVAL', `an operation accesses ${MOST_PAGES} pages at most, and not ${sum}`)
    : done(pages);
}

/** Accesses of vCPUs, one page after the other. */
export function* accessByCpu(machine: MachineCore, { accesses }: Of<'cpu'>): Doing {
  const stage = stageOf(machine);
  if (!stage.ok) return report(stage, '');
  const ranges = bounded(accesses.map(({ address, length = 8 }) => pagesHolding(address, String(length))));
  if (!ranges.ok) return report(ranges, '');
  const landed: { index: number; address: string }[] = [];
  const refusals: { index: number; fault: string }[] = [];
  const counts = { accesses: accesses.length, landed: 0, refused: 0, reads: 0, writes: 0 };
  const steps = function* (): Steps<SoftwareStep, void> {
    for (const [index, { vcpu = 0, address, access }] of accesses.entries()) {
      const { startPage, endPage } = ranges.value[index] ?? { startPage: 0, endPage: 0 };
      const isWrite = access === 'write';
      let outcome: Outcome<null> = ACCESSES.includes(access)
        ? done(null)
        : refused('EINVAL', `"${access}" is no access`);
      for (let page = startPage; page < endPage && outcome.ok; page++) {
        outcome = stage.value.access(vcpu, page, isWrite);
        if (outcome.ok)
          yield { kind: 'software', name: `vCPU ${vcpu} ${access}s ${hex(page * FRAME_BYTES)}` };
      }
      if (outcome.ok) {
        counts.landed++;
        counts[isWrite ? 'writes' : 'reads']++;
        if (landed.length < MOST_TOLD) landed.push({ index, address: hex(parseInteger(address) ?? 0n) });
      } else {
        counts.refused++;
        if (refusals.length < MOST_TOLD)
          refusals.push({ index, fault: `${outcome.errno}: ${outcome.message}` });
      }
    }
  };
  yield* machine.software(steps());
  const lost = counts.refused > 0 ? `, ${counts.refused.toLocaleString('en')} refused` : '';
  const summary = `${counts.accesses.toLocaleString('en')} accesses of vCPUs: ${counts.landed.toLocaleString('en')} landed${lost}.`;
  return { summary, counts, landed, refused: refusals };
}

/** The host writes guest memory by its own mapping. */
export function* hostWrite(machine: MachineCore, operation: Of<'hostWrite'>): Doing {
  const { by, address, length = '8' } = operation;
  const stage = stageOf(machine);
  if (!stage.ok) return report(stage, '');
  const ranges = bounded([pagesHolding(address, length)]);
  if (!ranges.ok) return report(ranges, '');
  let pages = 0;
  const steps = function* (): Steps<SoftwareStep, Outcome<null>> {
    for (const { startPage, endPage } of ranges.value) {
      for (let page = startPage; page < endPage; page++) {
        const written = stage.value.hostWrite(by, page);
        if (!written.ok) return written;
        pages++;
        yield { kind: 'software', name: `${by} writes ${hex(page * FRAME_BYTES)}` };
      }
    }
    return done(null);
  };
  const outcome = yield* machine.software(steps());
  return report(outcome, `${by} wrote ${formatSize(BigInt(pages) * PAGE)} at ${address}.`, { pages });
}

/** Entries of the CPUs' second stage go away. */
export function* zap(machine: MachineCore, { address, length, reason }: Of<'zap'>): Doing {
  const stage = stageOf(machine);
  if (!stage.ok) return report(stage, '');
  const range = pagesHolding(address, length);
  if (!range.ok) return report(range, '');
  if (!REASONS.includes(reason))
    return report(refused('EINVAL', `"${reason}" is no reason: ${REASONS.join(', ')}`), '');
  const steps = function* (): Steps<SoftwareStep, null> {
    stage.value.zap(range.value, reason);
    yield { kind: 'software', name: `zap for ${reason}` };
    return null;
  };
  yield* machine.software(steps());
  return { summary: `Took ${length} at ${address} from the CPUs, for ${reason}.`, counts: {} };
}

/** A round of the CPUs' side, copied at its end. */
export function* harvestCpu(machine: MachineCore): Doing {
  const stage = stageOf(machine);
  if (!stage.ok) return report(stage, '');
  const told = (ranges: readonly PageRange[]): void => {
    machine.named(ranges);
  };
  const dirty = yield* machine.software(machine.cpu.harvest(told));
  return copied(machine, dirty, 'reported, made clean and copied');
}

/** The destination gets what memory holds now. */
export function* copy(machine: MachineCore, operation: Of<'copy'>): Doing {
  const found = toCopy(machine, operation);
  if (!found.ok) return report(found, '');
  yield { kind: 'software', name: 'copy the pages' };
  return copied(machine, found.value, 'copied');
}

function toCopy(machine: MachineCore, { what, address, length }: Of<'copy'>): Outcome<readonly PageRange[]> {
  if (what === 'everything') return done(machine.layout.regions);
  if (what === 'populated') {
    const stage = stageOf(machine);
    return stage.ok ? done(machine.cpu.populated) : stage;
  }
  const other: string = what;
  if (other !== 'range')
    return refused('EINVAL', `"${other}" is nothing to copy: everything, populated, range`);
  if (address === undefined || length === undefined)
    return refused('EINVAL', 'a range has an address and a length');
  const range = pagesHolding(address, length);
  return range.ok ? done([range.value]) : range;
}

function copied(machine: MachineCore, ranges: readonly PageRange[], fate: string): OperationReport {
  const told = new DirtyRanges(() => undefined);
  for (const range of ranges) {
    machine.ledger.copied(range);
    told.addPages(range.startPage, range.endPage);
  }
  told.finish();
  const { pages } = told;
  const summary = `${pages.toLocaleString('en')} ${pages === 1 ? 'page' : 'pages'} ${fate}.`;
  return { summary, counts: { pages }, dirty: told.told };
}
