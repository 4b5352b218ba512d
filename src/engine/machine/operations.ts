import { refused } from '../driver/errno';
import { immediately } from '../driver/vendors/common/immediately';
import { isPasid } from './inputs';
import { FRAME_BYTES, formatRequester, formatSize, frameNumber, hex, parseDevice, pasid } from '../values';
import { accessByCpu, copy, harvestCpu, hostWrite, zap } from './operations/cpu';
import { deviceState, dmaLog, type1 } from './operations/devices';
import { during, type Within } from './operations/during';
import { hwptOf, PAGE, pagesIn, report, target, touching, type Doing, type Of } from './operations/common';
import { command, guestCommands } from './operations/commands';
import {
  createGuest,
  createVirtualDevice,
  createVirtualIommu,
  guestInvalidate,
  guestMap,
  guestUnmap,
} from './operations/nesting';
import { sendTraffic, type Pace } from './operations/traffic';
import { readDirty } from './operations/harvest';
import { unmap } from './operations/unmap';
import { numberIn, shiftIn } from './inputs';
import { type MachineCore as Machine } from './core';
import { type MachineOperation } from './operation';
import { operationProblem } from './operationShape';

/** Does an operation; what the driver refuses is a report with its errno. `pace`: of traffic. */
export function performOperation(
  machine: Machine,
  operation: MachineOperation,
  within?: Within,
  pace: Pace = 'steps',
): Doing {
  const problem = operationProblem(operation);
  if (problem !== undefined) return immediately(report(refused('EINVAL', problem), ''));
  const run = OPERATIONS[operation.kind] as (
    machine: Machine,
    of: MachineOperation,
    within: Within | undefined,
    pace: Pace,
  ) => Doing;
  return run(machine, operation, within, pace);
}

const OPERATIONS: {
  readonly [Kind in MachineOperation['kind']]: (
    machine: Machine,
    of: Of<Kind>,
    within: Within | undefined,
    pace: Pace,
  ) => Doing;
} = {
  dma: (machine, { requests }) => machine.dma(requests),
  traffic: (machine, operation, _within, pace) => sendTraffic(machine, operation, pace),
  map,
  unmap,
  split: (machine, operation) => resize(machine, operation),
  collapse: (machine, operation) => resize(machine, operation),
  setDirtyTracking,
  readDirty,
  invalidate,
  attach,
  createDomain,
  evict,
  writeWord,
  createGuest,
  guestMap,
  guestUnmap,
  guestInvalidate,
  createVirtualIommu,
  createVirtualDevice,
  guestCommands,
  command,
  cpu: accessByCpu,
  hostWrite,
  zap,
  harvestCpu,
  copy,
  deviceState,
  dmaLog,
  type1,
  during: (machine, operation, within) =>
    during(machine, operation, (each, inside) => performOperation(machine, each, inside), within),
};

function* map(machine: Machine, { domain, iova, length, paddr, permission }: Of<'map'>): Doing {
  const found = target(machine, domain, iova, length);
  if (!found.ok) return report(found, '');
  const { hwpt, start, bytes } = found.value;
  const to = numberIn(paddr ?? iova, 'the physical address');
  if (!to.ok) return report(to, '');
  const outcome = yield* machine.map(hwpt, start, bytes, to.value, permission);
  const summary = `Mapped ${formatSize(bytes)} at ${hex(start)} to guest physical ${hex(to.value)}, ${permission}.`;
  return touching(report(outcome, summary, { pages: pagesIn(bytes) }), domain, start, bytes);
}

function* resize(machine: Machine, operation: Of<'split'> | Of<'collapse'>): Doing {
  const { kind, domain, iova, length, size, protocol } = operation;
  const found = target(machine, domain, iova, length ?? size);
  if (!found.ok) return report(found, '');
  const shift = shiftIn(size);
  if (!shift.ok) return report(shift, '');
  const { hwpt, start, bytes } = found.value;
  const outcome = yield* machine.resize(hwpt, kind, start, bytes, shift.value, protocol);
  const changed = outcome.ok ? outcome.value : 0;
  const what = kind === 'split' ? 'Split' : 'Collapsed';
  const leaves = `${changed} ${kind === 'split' ? (changed === 1 ? 'leaf' : 'leaves') : changed === 1 ? 'table' : 'tables'}`;
  const summary = `${what} ${leaves} into ${formatSize(2n ** BigInt(shift.value))} pages at ${hex(start)}.`;
  return touching(report(outcome, summary, { changed }), domain, start, bytes);
}

function* setDirtyTracking(machine: Machine, { domain, enable }: Of<'setDirtyTracking'>): Doing {
  const found = hwptOf(machine, domain);
  if (!found.ok) return report(found, '');
  const outcome = yield* machine.setDirtyTracking(found.value, enable);
  return report(outcome, `Dirty tracking of domain ${domain} is ${enable ? 'on' : 'off'}.`);
}

function* invalidate(machine: Machine, { domain, iova, length }: Of<'invalidate'>): Doing {
  const found = hwptOf(machine, domain);
  if (!found.ok) return report(found, '');
  const { flusher } = found.value.paging.kernel.tables;
  if (iova === undefined) {
    const all = yield* machine.software(flusher.flushAll());
    return report(all, `Invalidated everything of domain ${domain}.`);
  }
  const range = target(machine, domain, iova, length ?? String(FRAME_BYTES));
  if (!range.ok) return report(range, '');
  const { start, bytes, hwpt } = range.value;
  const shifts = hwpt.pageShifts;
  const outcome = yield* machine.software(
    flusher.flush({
      startPage: Number(start / PAGE),
      endPage: Number((start + bytes + PAGE - 1n) / PAGE),
      smallestShift: shifts[0] ?? 12,
      largestShift: shifts[0] ?? 12,
      tables: false,
    }),
  );
  return report(outcome, `Invalidated ${formatSize(bytes)} at ${hex(start)} of domain ${domain}.`);
}

function* attach(machine: Machine, { requester, pasid: process, to, ats }: Of<'attach'>): Doing {
  const parsed = parseDevice(requester);
  const from = parsed && machine.addFunction(requester, ats === true);
  if (process !== undefined && process !== null && !isPasid(process))
    return report(refused('EINVAL', `${process} is no PASID`), '');
  if (from && ats !== undefined && from.device.ats !== ats)
    return report(refused('EINVAL', `${requester} is ${ats ? 'without' : 'with'} ATS since it was made`), '');
  if (!from) return report(refused('ENODEV', `"${requester}" is no device`), '');
  const guest = typeof to === 'number' ? machine.guests.get(to) : undefined;
  if (typeof to === 'number' && !guest) {
    const found = hwptOf(machine, to);
    if (!found.ok) return report(found, '');
  }
  const id = process === undefined || process === null ? null : pasid(process);
  const outcome = yield* machine.attach(from, id, to);
  const name = `${formatRequester(from.requester)}${id === null ? '' : ` PASID ${hex(id)}`}`;
  const where = guest
    ? `guest ${guest.id}`
    : typeof to === 'number'
      ? `domain ${to}`
      : to === 'blocked'
        ? 'nothing: blocked'
        : to;
  return report(outcome, `Attached ${name} to ${where}.`);
}

function* createDomain(machine: Machine, operation: Of<'createDomain'>): Doing {
  const { dirtyTracking, nestParent = false, tables, pages } = operation;
  const choice = machine.hwpts.choice(tables, pages);
  if (!choice.ok) return report(choice, '');
  const made = yield* machine.createHwpt({ dirtyTracking, nestParent, choice: choice.value });
  return made.ok
    ? report(made, `Made domain ${made.value.id}.`, { domain: made.value.id })
    : report(made, '');
}

function* evict(machine: Machine, { iommu, all, cache }: Of<'evict'>): Doing {
  const unit = machine.units.find(({ name }) => name === iommu);
  if (!unit) return report(refused('ENODEV', `there is no IOMMU ${iommu}`), '');
  if (cache !== undefined && !Object.hasOwn(EVICTED, cache)) {
    const names = Object.keys(EVICTED).join(', ');
    return report(refused('EINVAL', `"${cache}" is no cache; there are ${names}`), '');
  }
  const dropOne =
    cache === 'device-tlb'
      ? () => machine.evictDeviceTlb(unit)
      : () => unit.iommu.evict(cache === undefined ? undefined : EVICTED[cache]);
  let evicted = 0;
  for (;;) {
    const step = dropOne();
    if (!step) break;
    evicted++;
    yield step;
    if (!all) break;
  }
  return {
    summary: `${iommu} dropped ${evicted} cached ${evicted === 1 ? 'entry' : 'entries'}.`,
    counts: { evicted },
  };
}

/** Caches as hardware names them. */
const EVICTED = {
  iotlb: 'iotlb',
  walk: 'walk',
  contexts: 'context',
  processes: 'process',
  'device-tlb': undefined,
} as const;

function* writeWord(machine: Machine, { address, word }: Of<'writeWord'>): Doing {
  const at = numberIn(address, 'the address');
  const value = numberIn(word, 'the word');
  if (!at.ok) return report(at, '');
  if (!value.ok) return report(value, '');
  if (at.value % 8n !== 0n || at.value >= 2n ** 52n)
    return report(refused('EINVAL', `${hex(at.value)} is no address of a 64-bit word`), '');
  const frame = frameNumber(Number(at.value / PAGE));
  const index = Number((at.value % PAGE) / 8n);
  const lo = Number(value.value & 0xffffffffn);
  const written = machine.memory.writeEntry(frame, index, lo, Number(value.value >> 32n));
  if (!written) return report(refused('EFAULT', machine.memory.explainMissing(frame)), '');
  yield { kind: 'store', name: 'write the word', address: Number(at.value), word: value.value };
  return { summary: `Wrote ${hex(value.value)} to ${hex(at.value)}.`, counts: {} };
}
