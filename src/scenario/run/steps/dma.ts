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
  readonly operation: number;
  readonly first: number;
  readonly lines: number;
  /** Of all lines of the request, where these begin. */
  readonly from: number;
}

/** A request of the scenario, and where its lines went. */
interface Asked {
  readonly request: Request;
  readonly at: Path;
  readonly stretches: readonly Stretch[];
}

export const dma: Planner<'dma'> = (given, { names }) => {
  const operations: DmaLine[][] = [];
  const asked: Asked[] = [];
  const requests = Array.isArray(given) ? given : [given];
  for (const [index, request] of requests.entries()) {
    const at = Array.isArray(given) ? [index] : [];
    const stretches: Stretch[] = [];
    asked.push({ request, at, stretches });
    const sid = names.device(request.device, [...at, 'device']);
    for (let next = 0; next < request.count;) {
      const last = operations.at(-1);
      // A request's first line has to be among what reports name, whatever else of the operation is refused.
      const isFull = !last || last.length >= (next === 0 ? MOST_NAMED : MOST_LINES);
      const lines = isFull ? [] : last;
      if (isFull) operations.push(lines);
      const count = Math.min(request.count - next, MOST_LINES - lines.length);
      const place = { operation: operations.length - 1, first: lines.length, lines: count };
      stretches.push({ ...place, from: next });
      for (let line = 0; line < count; line++, next++) lines.push(lineOf(request, sid, next));
    }
  }
  return {
    operations: operations.map((lines): MachineOperation => ({ kind: 'dma', requests: lines })),
    judge: (reports) =>
      asked.flatMap((each) => {
        const wrong = judged(each, reports);
        return wrong ? [below(each.at, wrong)] : [];
      }),
  };
};

const iovaOf = ({ iova, stride }: Pick<Request, 'iova' | 'stride'>, number: number): string =>
  hex(BigInt.asUintN(64, iova + stride * BigInt(number)));

const lineOf = ({ pasid, iova, length, access, stride }: Request, sid: string, number: number): DmaLine => ({
  sid,
  ...(pasid === undefined ? {} : { pasid }),
  iova: iovaOf({ iova, stride }, number),
  length,
  access,
});

/** What is told of a request: one thing, however many of its lines were refused. */
function judged({ request, stretches }: Asked, reports: readonly OperationReport[]): Mismatch | undefined {
  const [begin] = stretches;
  const report = begin && reports[begin.operation];
  if (!report) return undefined;
  const refusals = stretches.flatMap((stretch) => refusalsIn(stretch, reports[stretch.operation]));
  const [earliest] = refusals;
  if (request.refused !== undefined) {
    const fault = earliest?.line === 0 ? earliest.fault : undefined;
    if (fault !== undefined && faultName(fault) === request.refused) return undefined;
    const actual = fault === undefined ? landedText(report, begin.first) : `refused: ${fault}`;
    return { at: ['refused'], what: 'refused', expected: `refused: ${request.refused}`, actual };
  }
  if (earliest) {
    if (request.mayBeRefused === true) return undefined;
    const iova = iovaOf(request, earliest.line);
    const expected = request.lands === undefined ? 'lands' : `lands at ${hex(request.lands)}`;
    const others = stretches.reduce((sum, stretch) => {
      const of = reports[stretch.operation];
      return of ? sum + refusedIn(stretch, of) : sum;
    }, -1);
    const more = others > 0 ? `, and ${others.toLocaleString('en')} more` : '';
    const actual = `refused at ${iova}: ${earliest.fault}${more}`;
    return { at: request.lands === undefined ? [] : ['lands'], what: 'dma', expected, actual };
  }
  if (request.lands === undefined || landedAt(report, begin.first) === request.lands) return undefined;
  const expected = `lands at ${hex(request.lands)}`;
  return { at: ['lands'], what: 'lands', expected, actual: landedText(report, begin.first) };
}

/** Refused lines of a stretch, by their places among all of the request. Reports name the first ones only. */
const refusalsIn = (
  { first, lines, from }: Stretch,
  { refused = [] }: Pick<OperationReport, 'refused'> = {},
) =>
  refused
    .filter(({ index }) => index >= first && index < first + lines)
    .map(({ index, fault }) => ({ line: from + index - first, fault }));

/** How many lines of a stretch were refused. Those that are not named are of the last stretch: it begins among the first ones. */
function refusedIn(stretch: Stretch, { counts, refused = [] }: OperationReport): number {
  const isLast = stretch.first + stretch.lines >= (counts['requests'] ?? 0);
  const unnamed = isLast ? (counts['refused'] ?? 0) - refused.length : 0;
  return refusalsIn(stretch, { refused }).length + unnamed;
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
