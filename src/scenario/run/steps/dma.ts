import { type DmaLine } from '../../../engine/machine/dmaLine';
import { type MachineOperation, type OperationReport } from '../../../engine/machine/operation';
import { parseInteger } from '../../../engine/values';
import { hex } from '../../../engine/values';
import { DEVICE_STOPPED, type Step } from '../../language/schema/steps';
import { below, type Mismatch, type Path } from '../mismatch';
import { type Planner } from './planned';

/** Reports name this many refused requests, and places where requests landed. */
const MOST_NAMED = 1000;
/** Requests of one operation: what is done between two looks whether someone gave up. */
const MOST_LINES = 20_000;

type Given = NonNullable<Step['dma']>;
type Request = Exclude<Given, readonly unknown[]>;

/** A request's lines within an operation. */
interface Stretch {
  readonly request: Request;
  readonly at: Path;
  readonly operation: number;
  readonly first: number;
  readonly lines: number;
  /** The request's first line is here: what is expected of it is looked at. */
  readonly begins: boolean;
}

export const dma: Planner<'dma'> = (given, { names }) => {
  const operations: DmaLine[][] = [];
  const stretches: Stretch[] = [];
  const requests = Array.isArray(given) ? given : [given];
  for (const [index, request] of requests.entries()) {
    const at = Array.isArray(given) ? [index] : [];
    const sid = names.device(request.device, [...at, 'device']);
    const isLooked = request.lands !== undefined || request.refused !== undefined;
    for (let next = 0; next < request.count;) {
      const last = operations.at(-1);
      const isFull = !last || last.length >= (isLooked && next === 0 ? MOST_NAMED : MOST_LINES);
      const lines = isFull ? [] : last;
      if (isFull) operations.push(lines);
      const count = Math.min(request.count - next, MOST_LINES - lines.length);
      const place = { operation: operations.length - 1, first: lines.length, lines: count };
      stretches.push({ request, at, ...place, begins: next === 0 });
      for (let line = 0; line < count; line++, next++) lines.push(lineOf(request, sid, next));
    }
  }
  return {
    operations: operations.map((lines): MachineOperation => ({ kind: 'dma', requests: lines })),
    judge: (reports) =>
      stretches.flatMap((stretch) => {
        const report = reports[stretch.operation];
        return report ? judged(stretch, report).map((each) => below(stretch.at, each)) : [];
      }),
  };
};

const lineOf = ({ pasid, iova, length, access, stride }: Request, sid: string, number: number): DmaLine => ({
  sid,
  ...(pasid === undefined ? {} : { pasid }),
  iova: hex(BigInt.asUintN(64, iova + stride * BigInt(number))),
  length,
  access,
});

function judged({ request, first, lines, begins }: Stretch, report: OperationReport): Mismatch[] {
  const refusals = (report.refused ?? []).filter(({ index }) => index >= first && index < first + lines);
  const refusal = refusals.find(({ index }) => index === first);
  if (request.refused !== undefined) {
    if (!begins || (refusal && faultName(refusal.fault) === request.refused)) return [];
    const actual = refusal ? `refused: ${refusal.fault}` : landedText(report, first);
    return [{ at: ['refused'], what: 'refused', expected: `refused: ${request.refused}`, actual }];
  }
  const [earliest] = refusals;
  if (earliest) {
    if (request.mayBeRefused === true) return [];
    const iova = hex(request.iova + request.stride * BigInt(earliest.index - first));
    const expected = request.lands === undefined ? 'lands' : `lands at ${hex(request.lands)}`;
    const more = refusals.length > 1 ? `, and ${refusals.length - 1} more` : '';
    const actual = `refused at ${iova}: ${earliest.fault}${more}`;
    return [{ at: request.lands === undefined ? [] : ['lands'], what: 'dma', expected, actual }];
  }
  if (request.lands === undefined || !begins) return [];
  const landed = landedAt(report, first);
  if (landed === request.lands) return [];
  const expected = `lands at ${hex(request.lands)}`;
  return [{ at: ['lands'], what: 'lands', expected, actual: landedText(report, first) }];
}

function landedAt({ landed }: OperationReport, index: number): bigint | undefined {
  const found = landed?.find((each) => each.index === index);
  return found && parseInteger(found.address);
}

function landedText(report: OperationReport, index: number): string {
  const found = report.landed?.find((each) => each.index === index);
  return found ? `lands at ${found.address}` : 'lands';
}

/** What the engine says of a device that does nothing. */
const STOPPED = 'the device is stopped';

/** What became of a request, as scenarios call it. */
export const faultName = (fault: string): string => (fault === STOPPED ? DEVICE_STOPPED : fault);
