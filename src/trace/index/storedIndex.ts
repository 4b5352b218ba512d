import { type ByteSource } from '../../bytes/byteSource';
import { failure, type Result, success } from '../../engine/result';
import { CHUNK_ROWS } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { OPERATIONS } from '../model/operation';
import { type OpenTrace } from '../model/reader';
import { utf8, utf8Bytes } from '../text/utf8';
import { decodeChunk, encodeChunk } from './storedChunk';
import { describeIndex, restoreNames, type StoredDescription, storedDescription } from './storedDescription';
import { DEFAULT_BUDGET, type IndexedChunk, TraceIndex } from './traceIndex';
import { wordHash } from './wordHash';

/** Changes whenever a stored index of before would be read wrongly: with the columns, the operations, and what readers make. */
export const INDEX_VERSION = 2;

const MAGIC = utf8Bytes('IOPTE-TX');
/** In front of each part: kind, number, bytes and check sum. */
const PART_HEAD = 16;
const [DESCRIPTION, DIRECTORY, COLUMNS, END] = [1, 2, 3, 4];
/** A description larger than this, or a chunk, was not written by us. */
const PART_LIMIT = 64 * 2 ** 20;
/** Numbers of a chunk in the directory: rows, offset, three ranges, and rows by operation. */
const ENTRY = 8 + OPERATIONS.length;

/**
 * A whole index as bytes, part by part: the directory of its chunks, its names, and the columns that are in memory. Nothing at all
 * when a part would be larger than parts are.
 *
 * @param columnBytes Columns that are stored at most; the others are read from the trace again.
 */
export function* encodeIndex(index: TraceIndex, columnBytes = DEFAULT_BUDGET): Generator<Uint8Array> {
  const { state } = index;
  const head = new Uint8Array(MAGIC.length + 8);
  head.set(MAGIC);
  new DataView(head.buffer).setUint32(MAGIC.length, INDEX_VERSION, true);
  const text = JSON.stringify(describeIndex(index));
  const description = text.length > PART_LIMIT ? undefined : utf8Bytes(text);
  const directory = encodeDirectory(state.chunks);
  // It would be refused at each opening.
  if (!description || Math.max(description.length, directory.length) > PART_LIMIT) return;
  yield head;
  yield* part(DESCRIPTION, 0, description);
  yield* part(DIRECTORY, 0, directory);
  let left = columnBytes;
  for (let chunk = 0; chunk < state.chunks.length; chunk++) {
    const held = index.held(chunk);
    if (!held || held.bytes > left) continue;
    left -= held.bytes;
    yield* part(COLUMNS, chunk, encodeChunk(held));
  }
  yield* part(END, state.chunks.length, new Uint8Array());
}

/**
 * The index that was stored of this trace. Nothing in it is believed: one that is damaged, cut, of another version or of another
 * trace is a failure, and the trace is then read anew. `names` has to be that of `trace`.
 */
export function decodeIndex(
  source: ByteSource,
  trace: OpenTrace,
  names: TraceNames,
  options: { readonly budget?: number } = {},
): Result<TraceIndex> {
  const damaged = (what: string): Result<never> =>
    failure(
      'trace/index-damaged',
      `The stored index ${source.name} cannot be used: ${what}.`,
      'It is made anew.',
    );
  const head = new Uint8Array(MAGIC.length + 8);
  if (source.read(0, head) < head.length || MAGIC.some((byte, at) => head[at] !== byte))
    return damaged('it is none');
  const version = new DataView(head.buffer).getUint32(MAGIC.length, true);
  if (version !== INDEX_VERSION) return damaged(`it has version ${version} instead of ${INDEX_VERSION}`);
  let description: StoredDescription | undefined;
  let index: TraceIndex | undefined;
  const budget = options.budget ?? DEFAULT_BUDGET;
  let at = head.length;
  for (;;) {
    const found = readPart(source, at);
    if (!found) return damaged(`the part at byte ${at} is not whole`);
    const { kind, number, payload } = found;
    if (kind === DESCRIPTION && !description) {
      description = storedDescription(utf8(payload), trace);
      if (!description) return damaged('it is of another trace');
    } else if (kind === DIRECTORY && description && !index) {
      const chunks = decodeDirectory(payload, description.states);
      if (!chunks) return damaged('its directory contradicts itself');
      if (!restoreNames(description, names)) return damaged('its names are others');
      const rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
      index = new TraceIndex(trace, names, budget, { ...description.state, chunks, rows });
    } else if (kind === COLUMNS && index) {
      const rows = index.chunks[number]?.rows;
      const chunk = rows === undefined ? undefined : decodeChunk(payload, rows);
      if (!chunk) return damaged(`the columns at byte ${at} are not those of a chunk`);
      if (index.bytesHeld + chunk.bytes <= budget) index.keep(number, chunk);
    } else if (kind === END && index) {
      return number === index.chunks.length ? success(index) : damaged('chunks are missing');
    } else return damaged(`the part at byte ${at} does not belong there`);
    at += PART_HEAD + payload.length;
  }
}

function* part(kind: number, number: number, payload: Uint8Array): Generator<Uint8Array> {
  const head = new DataView(new ArrayBuffer(PART_HEAD));
  head.setUint32(0, kind, true);
  head.setUint32(4, number, true);
  head.setUint32(8, payload.length, true);
  head.setUint32(12, checkOf(head, payload), true);
  yield new Uint8Array(head.buffer);
  if (payload.length > 0) yield payload;
}

/** Of the payload and of what its head says. */
const checkOf = (head: DataView, payload: Uint8Array): number =>
  (wordHash(payload) ^ wordHash(new Uint8Array(head.buffer, 0, 12))) >>> 0;

function readPart(source: ByteSource, at: number) {
  const bytes = new Uint8Array(PART_HEAD);
  if (source.read(at, bytes) < PART_HEAD) return undefined;
  const head = new DataView(bytes.buffer);
  const size = head.getUint32(8, true);
  if (size > PART_LIMIT || at + PART_HEAD + size > source.size) return undefined;
  const payload = new Uint8Array(size);
  if (source.read(at + PART_HEAD, payload) < size) return undefined;
  if (head.getUint32(12, true) !== checkOf(head, payload)) return undefined;
  return { kind: head.getUint32(0, true), number: head.getUint32(4, true), payload };
}

function encodeDirectory(chunks: readonly IndexedChunk[]): Uint8Array {
  const numbers = new DataView(new ArrayBuffer(8 * ENTRY * chunks.length));
  chunks.forEach(({ rows, from, zone }, chunk) => {
    const ranges = [...zone.time, ...zone.iovaPages, ...zone.paddrPages];
    [rows, from.offset, ...ranges, ...zone.operations].forEach((number, field) => {
      numbers.setFloat64(8 * (ENTRY * chunk + field), number, true);
    });
  });
  return new Uint8Array(numbers.buffer);
}

function decodeDirectory(bytes: Uint8Array, states: readonly unknown[]): IndexedChunk[] | undefined {
  if (bytes.length !== 8 * ENTRY * states.length) return undefined;
  const numbers = new DataView(bytes.buffer);
  const chunks: IndexedChunk[] = [];
  let first = 0;
  let offset = -1;
  for (const [chunk, state] of states.entries()) {
    const number = (field: number): number => numbers.getFloat64(8 * (ENTRY * chunk + field), true);
    const range = (field: number): readonly [number, number] => [number(field), number(field + 1)];
    const rows = number(0);
    const at = number(1);
    const operations = Uint32Array.from(OPERATIONS, (_, code) => number(8 + code));
    const counted = operations.reduce((sum, count) => sum + count, 0);
    if (!Number.isSafeInteger(at) || at <= offset || !Number.isInteger(rows)) return undefined;
    if (rows < 1 || rows > CHUNK_ROWS || counted !== rows) return undefined;
    const zone = { time: range(2), iovaPages: range(4), paddrPages: range(6), operations };
    const from = state === null ? { offset: at } : { offset: at, state };
    chunks.push({ first, rows, zone, from });
    first += rows;
    offset = at;
  }
  return chunks;
}
