import { formatSize } from '../values';
import { type Pending } from './source';
import { type MigrationSpec } from './spec';

/** What is kept of a round to tell where it all leads. Bytes and seconds. */
export interface RoundFacts {
  /** At its end. */
  readonly pending: number;
  readonly seconds: number;
  /** What was dirty half way through its sending. */
  readonly halfWay: Pending;
  readonly halfSeconds: number;
  readonly estimate: number;
  /** Of devices' states, what the estimate counts in. */
  readonly deviceState: number;
}

/** Rounds that leave the same before it is called steady, and by how much they may differ. */
const ALIKE = 8;
const TOLERANCE = 0.005;
/** What may be missing half way of what is dirty at the end, if it is all there is. */
const FULL = 0.1;
/** Leaves of which one more or less is within the tolerance. */
const MANY_LEAVES = 1 / TOLERANCE;

/** Rounds in which more gets dirty than the link carries before it is called hopeless. */
const HOPELESS = 3;

/**
 * Whether, in the last rounds, the link carried less than what got dirty in half of their time, also with one leaf less, and no
 * less was left each time.
 */
export function isHopeless(facts: readonly RoundFacts[], bandwidth: number): boolean {
  const last = facts.slice(-HOPELESS);
  const grows = last.every(({ pending }, index) => pending >= (last[index - 1]?.pending ?? 0));
  const outruns = last.every(({ halfWay, halfSeconds }) => {
    const largest = Math.max(0, ...[...halfWay.leaves.keys()].map((shift) => 2 ** shift));
    return halfWay.bytes - largest > halfSeconds * bandwidth;
  });
  return last.length === HOPELESS && grows && outruns;
}

/**
 * Whether rounds have come to leave the same each time, so that more of them change nothing. With few leaves a slow fall
 * shows only now and then, as one leaf less: there, devices must also dirty what is dirty at the end in half a round.
 */
export function isSteady(facts: readonly RoundFacts[]): boolean {
  const last = facts.slice(-ALIKE);
  const pending = last.map((fact) => fact.pending);
  const most = Math.max(...pending);
  if (last.length < ALIKE || most - Math.min(...pending) > most * TOLERANCE) return false;
  return last.every(({ halfWay, pending: end }) => leavesOf(halfWay) >= MANY_LEAVES || halfWay.bytes >= end);
}

/** Why it converged, with figures. */
export function whyConverged(facts: readonly RoundFacts[], { downtimeLimit, rule }: MigrationSpec): string {
  const last = facts.at(-1);
  const round = facts.length;
  const estimate = last ? estimateText(last) : secondsText(0);
  const than = rule === 'qemu' ? 'less than' : 'within';
  return `After round ${round}, ${amountText(last?.pending ?? 0)} were pending: ${estimate}, ${than} the ${secondsText(downtimeLimit)} that the guest may stand still.`;
}

/** What keeps it from converging, with figures. `bandwidth`: of the last round. */
export function whyNot(
  facts: readonly RoundFacts[],
  { downtimeLimit }: MigrationSpec,
  bandwidth: number,
): string {
  const last = facts.at(-1);
  if (!last) return 'No round was done.';
  const { halfWay, halfSeconds, pending } = last;
  // What is all dirty again half way tells no rate.
  const isFull = halfWay.bytes >= pending * (1 - FULL);
  if (!isFull && halfWay.bytes > halfSeconds * bandwidth) {
    const link = `the link's ${bytesText(bandwidth)}/s`;
    // As many digits as it takes to see that it is more.
    const digits =
      [3, 4, 5].find((count) => bytesText(halfWay.bytes / halfSeconds, count) !== bytesText(bandwidth)) ?? 6;
    return `${rateText(halfWay, halfSeconds, digits)}, more than ${link}.`;
  }
  const before = facts.at(-2)?.pending ?? 0;
  const what = isFull ? ` (${leavesText(halfWay)})` : '';
  const left = `${amountText(pending)}${what} are dirty again`;
  const takes = `${estimateText(last)}, more than the ${secondsText(downtimeLimit)} that the guest may stand still`;
  if (Math.abs(pending - before) <= pending * TOLERANCE)
    return `After each round the same ${left}: ${takes}.`;
  const trend = pending < before ? `, ${percent(1 - pending / before)} less than a round before` : '';
  return `After round ${facts.length}, the last one allowed, ${left}${trend}: ${takes}.`;
}

/** `1.37 s with 16 GiB of device state`. */
const estimateText = ({ estimate, deviceState }: RoundFacts): string =>
  `${secondsText(estimate)}${deviceState > 0 ? ` with ${amountText(deviceState)} of device state` : ''}`;

/** `11.7 dirty 1G leaves a second x 1G are 12.6 GB/s`; of several sizes, by the one that weighs most. */
function rateText({ leaves, bytes }: Pending, seconds: number, digits: number): string {
  const [heaviest] = heaviestFirst(leaves);
  const whole = `${bytesText(bytes / seconds, digits)}/s`;
  if (!heaviest) return `vCPUs dirty ${whole}`;
  const [shift, count] = heaviest;
  const size = iecText(shift);
  const product = (count * 2 ** shift) / seconds;
  const rest = product < 0.95 * (bytes / seconds) ? `, with all else ${whole}` : '';
  return `${figure(count / seconds, digits)} dirty ${size} leaves a second x ${size} is ${bytesText(product, digits)}/s${rest}`;
}

function leavesText({ leaves }: Pending): string {
  const parts = heaviestFirst(leaves).map(
    ([shift, count]) =>
      `${count.toLocaleString('en')} ${count === 1 ? 'leaf' : 'leaves'} of ${iecText(shift)}`,
  );
  return parts.length === 0 ? 'of vCPUs' : parts.join(', ');
}

const heaviestFirst = (leaves: ReadonlyMap<number, number>): [number, number][] =>
  [...leaves]
    .filter(([, count]) => count > 0)
    .sort(([one, many], [other, more]) => more * 2 ** other - many * 2 ** one);

const leavesOf = ({ leaves }: Pending): number => [...leaves.values()].reduce((all, count) => all + count, 0);

/** `1 GiB`, of log2 bytes. */
function iecText(shift: number): string {
  const text = formatSize(2n ** BigInt(shift));
  return `${text.slice(0, -1)} ${text.slice(-1)}iB`;
}

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `12.5 GiB`: units of 1024, as memory is measured. */
function amountText(bytes: number): string {
  const power = Math.min(BINARY.length - 1, bytes < 1024 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${figure(bytes / 1024 ** power)} ${BINARY[power] ?? 'B'}`;
}

const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `12.5 GB` of `12.5 GB/s`: units of 1000, as links are measured. */
function bytesText(bytes: number, digits = 3): string {
  const power = Math.min(DECIMAL.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${figure(bytes / 1000 ** power, digits)} ${DECIMAL[power] ?? 'B'}`;
}

function secondsText(seconds: number): string {
  if (seconds >= 1) return `${figure(seconds)} s`;
  return seconds >= 0.001 ? `${figure(seconds * 1000)} ms` : `${figure(seconds * 1e6)} µs`;
}

const percent = (share: number): string => `${figure(share * 100)} %`;

/** So many digits that count, and all before the point. */
function figure(value: number, digits = 3): string {
  if (value >= 10 ** (digits - 1)) return Math.round(value).toLocaleString('en');
  return Number(value.toPrecision(digits)).toString();
}
