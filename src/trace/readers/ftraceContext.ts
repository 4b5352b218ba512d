import { type LineScanner, literal } from '../text/lineScanner';

/** How much of a line's front there is: `TASK-PID [CPU] flags time:`, `TASK-PID CPUflags time us:`, or nothing. */
export type FtraceLayout = 'default' | 'latency' | 'bare';

/** Who was interrupted by an event, where and when. */
export interface FtraceContext {
  /** Where in the bytes the task's name begins and ends, and its number. */
  commStart: number;
  commEnd: number;
  /** All that tells the task: name, number and number of its group, padded as they are. */
  prefixStart: number;
  prefixEnd: number;
  pid: number;
  /** NaN when it was not recorded. */
  tgid: number;
  /** The word of flags; both behind `[CPU] ` when there is none, negative when it stands elsewhere. */
  flagsStart: number;
  flagsEnd: number;
  /** Where the point in the time stands; negative when there is none. */
  point: number;
  cpu: number;
  /** Whole seconds and nanoseconds; of a clock without a unit, 0 and its count. */
  seconds: number;
  nanoseconds: number;
}

/** Characters that a name of a task has at least: the tracer pads it to these, right-aligned. */
const PADDED = { default: 16, latency: 8 } as const;
const FLAG_CHARACTERS = 16;
const CLOCK_DIGITS = 20;
const [SPACE, MINUS, COLON, OPEN, CLOSE, BRACKET, POINT] = [0x20, 0x2d, 0x3a, 0x28, 0x29, 0x5b, 0x2e];
const CLOSE_BRACKET = 0x5d;
const MICROSECONDS = literal('us');

export const emptyContext = (): FtraceContext => ({
  commStart: 0,
  commEnd: 0,
  prefixStart: 0,
  prefixEnd: 0,
  flagsStart: -1,
  flagsEnd: -1,
  point: -1,
  pid: 0,
  tgid: Number.NaN,
  cpu: 0,
  seconds: 0,
  nanoseconds: 0,
});

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/**
 * Reads a line up to its event and leaves the scanner there; false, and the scanner where it was, when the line does not begin
 * so. A task's name may hold whatever separates it from the rest: where the tracer puts the separator is tried first.
 * Source: Linux kernel/trace/trace_output.c, trace_print_context and trace_print_lat_context.
 */
export function readContext(
  scanner: LineScanner,
  layout: 'default' | 'latency',
  into: FtraceContext,
): boolean {
  const { bytes, at: start, end } = scanner;
  const rest = layout === 'default' ? afterTask : afterLatencyTask;
  const usual = start + PADDED[layout];
  if (usual < end && bytes[usual] === MINUS && isDigit(bytes[usual + 1])) {
    scanner.at = usual + 1;
    if (rest(scanner, into)) return named(scanner, into, start, usual);
  }
  for (let dash = start + 1; dash < end - 1; dash++) {
    if (bytes[dash] !== MINUS || !isDigit(bytes[dash + 1])) continue;
    scanner.at = dash + 1;
    if (rest(scanner, into)) return named(scanner, into, start, dash);
    // A name has 15 bytes at most; what is further right stands in the event.
    if (dash - start > 64) break;
  }
  scanner.at = start;
  return false;
}

function named({ bytes }: LineScanner, into: FtraceContext, start: number, end: number): true {
  let first = start;
  while (first < end && bytes[first] === SPACE) first++;
  into.prefixStart = start;
  into.commStart = first;
  into.commEnd = end;
  return true;
}

/** `1234 (   1234) [001] d.h1.   109.358426: ` */
function afterTask(scanner: LineScanner, into: FtraceContext): boolean {
  const { bytes } = scanner;
  into.pid = digits(scanner);
  if (bytes[scanner.at] !== SPACE) return false;
  scanner.spaces();
  into.tgid = Number.NaN;
  if (bytes[scanner.at] === OPEN) {
    scanner.at++;
    scanner.spaces();
    if (bytes[scanner.at] === MINUS) while (bytes[scanner.at] === MINUS) scanner.at++;
    else into.tgid = digits(scanner);
    if (bytes[scanner.at++] !== CLOSE) return false;
    scanner.spaces();
  }
  into.prefixEnd = scanner.at;
  if (bytes[scanner.at++] !== BRACKET) return false;
  into.cpu = digits(scanner);
  if (!(into.cpu >= 0) || bytes[scanner.at++] !== CLOSE_BRACKET || bytes[scanner.at] !== SPACE) return false;
  into.flagsStart = into.flagsEnd = scanner.at + 1;
  scanner.spaces();
  if (readClock(scanner, into)) return true;
  const { at } = scanner;
  if (!skipFlags(scanner)) return false;
  if (at !== into.flagsStart) into.flagsStart = -1;
  into.flagsEnd = scanner.at;
  scanner.spaces();
  return readClock(scanner, into);
}

/** `1234    1d.h2. 38780us+: ` */
function afterLatencyTask(scanner: LineScanner, into: FtraceContext): boolean {
  const { bytes } = scanner;
  into.pid = digits(scanner);
  into.prefixEnd = scanner.at;
  if (bytes[scanner.at] !== SPACE) return false;
  scanner.spaces();
  into.tgid = Number.NaN;
  into.cpu = digits(scanner);
  if (!(into.cpu >= 0) || !skipFlags(scanner)) return false;
  scanner.spaces();
  const { at } = scanner;
  const count = digits(scanner);
  if (!(count >= 0)) return false;
  if (scanner.skip(MICROSECONDS)) {
    // A mark of the delay to the next event, or a space.
    if (bytes[scanner.at] !== COLON) scanner.at++;
    into.seconds = Math.floor(count / 1e6);
    into.nanoseconds = (count % 1e6) * 1000;
    return colon(scanner);
  }
  scanner.at = at;
  return readClock(scanner, into);
}

/** Letters for interrupts, rescheduling and depths: four, five or more by the kernel's options, none of them a space. */
function skipFlags(scanner: LineScanner): boolean {
  const { bytes, end, at } = scanner;
  let behind = at;
  while (behind < end && bytes[behind] !== SPACE) behind++;
  if (behind === at || behind - at > FLAG_CHARACTERS || bytes[behind - 1] === COLON) return false;
  scanner.at = behind;
  return true;
}

/** `109.358426: ` or, of a clock that has no unit, `123456: `. */
function readClock(scanner: LineScanner, into: FtraceContext): boolean {
  const { bytes, at } = scanner;
  const whole = digits(scanner);
  if (!(whole >= 0) || scanner.at - at > CLOCK_DIGITS) return false;
  into.seconds = 0;
  into.nanoseconds = whole;
  into.point = -1;
  if (bytes[scanner.at] === POINT) {
    into.point = scanner.at;
    const point = ++scanner.at;
    const fraction = digits(scanner);
    const count = scanner.at - point;
    if (!(fraction >= 0) || count > 9) return false;
    into.seconds = whole;
    into.nanoseconds = fraction * 10 ** (9 - count);
  }
  return colon(scanner);
}

function colon(scanner: LineScanner): boolean {
  if (scanner.at >= scanner.end || scanner.bytes[scanner.at] !== COLON) return false;
  scanner.at++;
  scanner.spaces();
  return true;
}

/** An unsigned decimal number; NaN when there is none. */
function digits(scanner: LineScanner): number {
  return isDigit(scanner.bytes[scanner.at]) && scanner.at < scanner.end ? scanner.decimal() : Number.NaN;
}
