import { type DmaLine } from '../../engine/machine/dmaLine';
import { type OperationReport } from '../../engine/machine/operation';
import { parseInteger } from '../../engine/values';
import { FAULTS } from '../../engine/faults';
import { DEVICE_STOPPED } from '../language/schema/steps';
import { faultName } from '../run/steps/dma';
import { type SavedNames } from './names';
import { type WrittenMap } from './yamlText';

/** Requests of one operation that are written into the text; more go into a file. */
const MOST_WRITTEN = 50;
const PAGE = 4096n;
const KNOWN: readonly string[] = [...FAULTS, DEVICE_STOPPED];

/**
 * Files beside a scenario, by their names. A name has the sum of what is in the file, so that a scenario that is saved into a folder of
 * others never takes the place of their files, but for the same.
 */
export class SavedFiles {
  readonly files: Record<string, Uint8Array> = {};
  readonly #stem: string;

  constructor(title: string) {
    const stem = title
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 40)
      .replace(/^-|-$/g, '');
    this.#stem = stem === '' ? 'requests' : stem;
  }

  /** Writes requests as a trace, one a line; its name. */
  add(lines: readonly DmaLine[]): string {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0) & 0x7f);
    const name = `${this.#stem}-${sumOf(bytes)}.jsonl`;
    this.files[name] = bytes;
    return name;
  }
}

/** FNV-1a of 64 bits, as 16 digits: two halves of 32, of which the prime 2^40 + 0x1b3 moves the lower one up by 8 bits. */
function sumOf(bytes: Uint8Array): string {
  let [high, low] = [0xcbf29ce4, 0x84222325];
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    const product = low * 0x1b3;
    high = (Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  return [high, low].map((half) => half.toString(16).padStart(8, '0')).join('');
}

/**
 * A step of requests: those that are alike and evenly apart as one. Absent report: they are done within another operation, and
 * nobody knows how often which of them is refused.
 */
export function requestStep(
  lines: readonly DmaLine[],
  report: OperationReport | undefined,
  names: SavedNames,
  files: SavedFiles,
): WrittenMap {
  const refused = new Map((report?.refused ?? []).map(({ index, fault }) => [index, faultName(fault)]));
  const count = report?.counts['refused'] ?? 0;
  const written = count === refused.size ? writtenRequests(lines, refused, names) : undefined;
  if (written && written.length <= MOST_WRITTEN && written.length > 0) {
    const all = report ? written : written.map((each) => ({ ...each, mayBeRefused: true }));
    const [only] = all;
    return { dma: all.length === 1 && only !== undefined ? only : all };
  }
  const file = files.add(lines);
  return { replay: { file, refused: report ? count : { atLeast: 0 } } };
}

/** Undefined: something about them cannot be said in a text. */
function writtenRequests(
  lines: readonly DmaLine[],
  refused: ReadonlyMap<number, string>,
  names: SavedNames,
): readonly WrittenMap[] | undefined {
  const written: {
    first: DmaLine;
    start: bigint;
    stride: bigint | undefined;
    count: number;
    fault: string | undefined;
  }[] = [];
  for (const [index, line] of lines.entries()) {
    const start = parseInteger(String(line.iova));
    const fault = refused.get(index);
    if (start === undefined || names.device(line.sid) === undefined) return undefined;
    if (fault !== undefined && !KNOWN.includes(fault)) return undefined;
    const last = written.at(-1);
    const step = last ? start - last.start - (last.stride ?? 0n) * BigInt(last.count - 1) : 0n;
    const isNext =
      last && isAlike(last.first, line) && fault === undefined && last.fault === undefined && step > 0n;
    if (isNext && (last.stride === undefined || last.stride === step)) {
      last.stride = step;
      last.count++;
    } else written.push({ first: line, start, stride: undefined, count: 1, fault });
  }
  return written.map(({ first, start, stride, count, fault }) => ({
    device: names.device(first.sid),
    ...(first.pasid === undefined || first.pasid === null ? {} : { pasid: first.pasid }),
    iova: start,
    length: first.length ?? Number(PAGE),
    access: first.access,
    ...(count === 1 ? {} : { count }),
    ...(stride === undefined || stride === PAGE ? {} : { stride }),
    ...(fault === undefined ? {} : { refused: fault }),
  }));
}

const isAlike = (one: DmaLine, other: DmaLine): boolean =>
  String(one.sid) === String(other.sid) &&
  (one.pasid ?? null) === (other.pasid ?? null) &&
  (one.length ?? 4096) === (other.length ?? 4096) &&
  one.access === other.access;
