import { done, refused, type Outcome } from '../../driver/errno';
import { type DmaLogging, type IovaSpan } from '../../driver/vfio/dmaLogging';
import { VFIO_STATES } from '../../driver/vfio/states';
import { type PageRange } from '../../iommu/cacheOperation';
import { immediately } from '../../driver/vendors/common/immediately';
import { FRAME_BYTES, formatRequester, hex, parseDevice, parseInteger, type RequesterId } from '../../values';
import { type MachineCore } from '../core';
import { DirtyRanges } from '../dirtyRanges';
import { type DeviceSide } from '../deviceSides';
import { sendRequest } from '../dma';
import { type OperationReport } from '../operation';
import { pagesHolding, report, type Doing, type Of } from './common';

/** Bytes of a write-back. */
const WRITE_BACK_BYTES = 64;
/** More ranges than the kernel takes, so that its own refusal is told. */
const MOST_RANGES = 1024;
const LOG_PAGE = 4096;

interface Known {
  readonly requester: RequesterId;
  readonly side: DeviceSide | undefined;
}

function deviceOf(machine: MachineCore, name: string): Outcome<Known> {
  const parsed = parseDevice(name);
  if (!parsed || !machine.functionOf(parsed.requester))
    return refused('ENODEV', `"${name}" is no device of this machine`);
  return done({ requester: parsed.requester, side: machine.sideOf(parsed.requester) });
}

/** A migration state; what the driver has the device write back on the way is DMA. */
export function* deviceState(machine: MachineCore, { requester: name, state }: Of<'deviceState'>): Doing {
  const known = deviceOf(machine, name);
  if (!known.ok) return report(known, '');
  const { requester, side } = known.value;
  if (!side?.migration)
    return report(refused('EOPNOTSUPP', `${name} does not migrate: its specification says no "vfio"`), '');
  if (!VFIO_STATES.includes(state))
    return report(refused('EINVAL', `"${state}" is no state: ${VFIO_STATES.join(', ')}`), '');
  const set = side.migration.setState(state);
  yield { kind: 'software', name: `device state ${side.migration.state}` };
  const counts = { writtenBack: 0, writeBackRefused: 0 };
  for (; side.writesBackDue > 0; side.writesBackDue--) {
    if (side.writeBackTo === undefined) continue;
    const sent = yield* sendRequest(machine, writeBack(requester, side.writeBackTo), true);
    counts[typeof sent === 'string' ? 'writeBackRefused' : 'writtenBack']++;
  }
  const summary = `${formatRequester(requester)} is in ${side.migration.state}.`;
  return report(set, summary, { ...counts, stopCopyBytes: side.migration.stopCopyLength });
}

const writeBack = (requester: RequesterId, iova: bigint) =>
  ({
    requester,
    pasid: null,
    addressLo: Number(iova & 0xffff_ffffn),
    addressHi: Number(iova >> 32n),
    length: WRITE_BACK_BYTES,
    access: 'write',
    kind: 'untranslated',
  }) as const;

/** The device's own log of its writes. */
export function* dmaLog(machine: MachineCore, { requester: name, action, ranges }: Of<'dmaLog'>): Doing {
  const known = deviceOf(machine, name);
  if (!known.ok) return report(known, '');
  const { requester, side } = known.value;
  if (!side?.log) return report(refused('EOPNOTSUPP', `${name} logs nothing: it has no "log"`), '');
  const spans = spansOf(ranges ?? []);
  if (!spans.ok) return report(spans, '');
  yield { kind: 'software', name: `DMA log: ${action}` };
  switch (action) {
    case 'start':
      return report(
        side.log.start(spans.value, LOG_PAGE),
        `${formatRequester(requester)} logs its writes to ${side.log.ranges.length} ranges.`,
        { ranges: side.log.ranges.length },
      );
    case 'stop':
      side.log.stop();
      return { summary: `${formatRequester(requester)} logs no more.`, counts: {} };
    case 'read':
      return readLog(machine, requester, side.log, ranges ? spans.value : side.log.ranges);
    default:
      return report(refused('EINVAL', `"${String(action)}" is nothing to do: start, stop, read`), '');
  }
}

/** Reports, clears and copies. */
function readLog(
  machine: MachineCore,
  requester: RequesterId,
  log: DmaLogging,
  spans: readonly IovaSpan[],
): OperationReport {
  const told = new DirtyRanges(() => undefined);
  if (spans.length === 0) return report(refused('EINVAL', 'the device does not log'), '');
  const attached = machine.functionOf(requester)?.attached.get(null);
  const hwpt = typeof attached === 'number' ? machine.hwpts.get(attached) : undefined;
  for (const span of spans) {
    const found = log.report(span, LOG_PAGE);
    if (!found.ok) return report(found, '');
    for (const { startPage, endPage } of found.value) {
      told.addPages(startPage, endPage);
      if (hwpt) machine.reported(hwpt, startPage, endPage, true);
    }
  }
  told.finish();
  const { pages } = told;
  const summary = `${pages.toLocaleString('en')} ${pages === 1 ? 'page' : 'pages'} that ${formatRequester(requester)} wrote reported and copied.`;
  return { summary, counts: { pages }, dirty: told.told };
}

function spansOf(ranges: readonly { readonly iova: string; readonly length: string }[]): Outcome<IovaSpan[]> {
  if (ranges.length > MOST_RANGES) return refused('E2BIG', `more than ${MOST_RANGES} ranges`);
  const spans: IovaSpan[] = [];
  for (const { iova, length } of ranges) {
    const start = parseInteger(iova);
    const bytes = parseInteger(length);
    if (start === undefined) return refused('EINVAL', `"${iova}" is no IOVA`);
    if (bytes === undefined || bytes === 0n) return refused('EINVAL', `"${length}" is no length`);
    spans.push({ iova: Number(start), length: Number(bytes) });
  }
  return done(spans);
}

/** What user space asks of a VFIO type1 container, whose IOVAs are guest physical. */
export function type1(machine: MachineCore, operation: Of<'type1'>): Doing {
  return immediately(inContainer(machine, operation));
}

function inContainer(machine: MachineCore, operation: Of<'type1'>): OperationReport {
  const { action, group = '', pins = false, iova = '0x0', length = String(machine.layout.bytes) } = operation;
  const container = machine.sides.type1;
  if (!container) {
    return report(
      refused('EOPNOTSUPP', 'the machine has no type1 container: its specification says no "type1"'),
      '',
    );
  }
  const range = pagesHolding(iova, length);
  if (!range.ok) return report(range, '');
  const at = hex(range.value.startPage * FRAME_BYTES);
  switch (action) {
    case 'map':
      return report(container.map(range.value), `The container maps ${length} at ${at}.`);
    case 'unmap':
      return report(container.unmap(range.value, false), `The container maps ${length} at ${at} no more.`);
    case 'attach':
      return report(container.attach(group, pins), `Group ${group} is in the container.`);
    case 'detach':
      return report(container.detach(group), `Group ${group} is out of the container.`);
    case 'pin':
      return report(container.pin(group, range.value), `Group ${group} pins ${length} at ${at}.`);
    case 'startLogging':
      container.startLogging();
      return { summary: 'The container logs dirty pages.', counts: {} };
    case 'stopLogging':
      container.stopLogging();
      return { summary: 'The container logs no more.', counts: {} };
    case 'report':
      return reportOf(machine, container.report(range.value));
    default:
      return report(refused('EINVAL', `"${String(action)}" is nothing that a container does`), '');
  }
}

function reportOf(machine: MachineCore, found: Outcome<PageRange[]>): OperationReport {
  if (!found.ok) return report(found, '');
  const told = new DirtyRanges(() => undefined);
  machine.named(found.value);
  for (const range of found.value) {
    machine.ledger.copied(range);
    told.addPages(range.startPage, range.endPage);
  }
  told.finish();
  const { pages } = told;
  const summary = `${pages.toLocaleString('en')} ${pages === 1 ? 'page' : 'pages'} of the container reported and copied.`;
  return { summary, counts: { pages }, dirty: told.told };
}
