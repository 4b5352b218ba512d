import { failure, type Result, success } from '../../../engine/result';
import { type ByteSource } from '../../../bytes/byteSource';
import { type ProblemList } from '../../problems';
import { CANCELLED, type Task } from '../../../bytes/task';
import { reason } from '../elfHeader';

/** `makedumpfile_header`: signature[16], type and version as big-endian 64 bits, in a block of 4 KiB. */
const HEADER_BYTES = 4096;
const TYPE = 16;
const VERSION = 24;
/** `makedumpfile_data_header`: offset and size as big-endian 64 bits. */
const RECORD_BYTES = 16;
/** The offset that ends the records: -1. */
const END = 0xffff_ffff;
/** Records are 16 KiB and more; each takes 24 bytes here. */
const MOST_RECORDS = 2 ** 22;
/** Small records share a read. */
const WINDOW_BYTES = 4096;
/** Records read between two pauses. */
const AT_ONCE = 4096;

/** The records of a flattened dump, in the order in which they were written, as columns. Bytes. */
export interface Records {
  count: number;
  /** Offset in the dump that is put together. */
  offsets: Float64Array;
  lengths: Float64Array;
  /** Offset in the flattened file. */
  places: Float64Array;
}

const CUT =
  'The file is cut short or damaged: copy it again, or dump again. What is present can be inspected.';

/** Unsigned 64 bits, big-endian; Infinity when it does not fit 53 bits. */
function exact64Big(view: DataView, at: number): number {
  const value = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  return Number.isSafeInteger(value) ? value : Infinity;
}

/** Reads where the records stand. Layout: makedumpfile, IMPLEMENTATION, "The flattened format". */
export async function readRecords(
  source: ByteSource,
  problems: ProblemList,
  task: Task,
): Promise<Result<Records>> {
  const { name, size } = source;
  const header = new Uint8Array(32);
  if (size < HEADER_BYTES + RECORD_BYTES || source.read(0, header) < header.length) {
    return failure(
      'image/flattened-truncated',
      `${name}: the header of a flattened dump needs ${HEADER_BYTES} bytes and a record; the file has ${size}${reason(source)}.`,
      'The file is cut short: copy it again.',
    );
  }
  const head = new DataView(header.buffer);
  const [type, version] = [exact64Big(head, TYPE), exact64Big(head, VERSION)];
  if (type !== 1 || version !== 1) {
    return failure(
      'image/flattened-version',
      `${name} is a flattened dump of type ${type}, version ${version}; type 1, version 1 is known.`,
      'Put it together with makedumpfile -R DUMPFILE < FLATTENED and open DUMPFILE.',
    );
  }
  const reader = new RecordReader(source);
  const records = newRecords(1024);
  for (let position = HEADER_BYTES; ;) {
    if (task.signal?.aborted) return failure(CANCELLED, `Opening ${name} was cancelled.`);
    const view = reader.at(position);
    if (!view) {
      problems.add(
        'error',
        'image/flattened-truncated',
        `${name} ends without the mark of its end${reason(source)}.`,
        CUT,
      );
      break;
    }
    if (view.getUint32(0) === END && view.getUint32(4) === END) break;
    const [offset, length] = [exact64Big(view, 0), exact64Big(view, 8)];
    position += RECORD_BYTES;
    if (offset + length > Number.MAX_SAFE_INTEGER) {
      problems.add(
        'error',
        'image/flattened-corrupt',
        `${name}: record ${records.count} at file offset ${position - RECORD_BYTES} is damaged; it and what follows are not read.`,
        CUT,
      );
      break;
    }
    const present = Math.min(length, size - position);
    if (present > 0) push(records, offset, present, position);
    if (present < length) {
      problems.add(
        'error',
        'image/flattened-truncated',
        `${name} ends ${length - present} bytes before the end of its record ${records.count - 1}.`,
        CUT,
      );
      break;
    }
    if (records.count > MOST_RECORDS) {
      return failure(
        'image/flattened-too-many',
        `${name} has more than ${MOST_RECORDS} records.`,
        'Put it together with makedumpfile -R DUMPFILE < FLATTENED and open DUMPFILE.',
      );
    }
    position += length;
    if (++reader.read % AT_ONCE === 0) {
      task.onProgress?.({ message: `Reading the records of ${name}`, fraction: position / size });
      await task.pause();
    }
  }
  return success(records);
}

/** Record headers by position, small neighbouring records with one read. */
class RecordReader {
  /** Records read so far. */
  read = 0;
  private readonly window = new Uint8Array(WINDOW_BYTES);
  private start = 0;
  private filled = 0;

  constructor(private readonly source: ByteSource) {}

  at(position: number): DataView | undefined {
    if (position < this.start || position + RECORD_BYTES > this.start + this.filled) {
      if (position + RECORD_BYTES > this.source.size) return undefined;
      this.start = position;
      this.filled = this.source.read(position, this.window);
      if (this.filled < RECORD_BYTES) return undefined;
    }
    return new DataView(this.window.buffer, position - this.start, RECORD_BYTES);
  }
}

export const newRecords = (room: number): Records => ({
  count: 0,
  offsets: new Float64Array(room),
  lengths: new Float64Array(room),
  places: new Float64Array(room),
});

/** Appends a record; the columns double when they are full. */
export function push(records: Records, offset: number, length: number, place: number): void {
  if (records.count === records.offsets.length) {
    records.offsets = doubled(records.offsets);
    records.lengths = doubled(records.lengths);
    records.places = doubled(records.places);
  }
  const at = records.count++;
  records.offsets[at] = offset;
  records.lengths[at] = length;
  records.places[at] = place;
}

function doubled(column: Float64Array): Float64Array {
  const grown = new Float64Array(2 * column.length);
  grown.set(column);
  return grown;
}
