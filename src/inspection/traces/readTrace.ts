import { type ByteSource, bytesSource } from '../../bytes/byteSource';
import { CANCELLED, type Progress } from '../../bytes/task';
import { type Failure, type Result, success } from '../../engine/result';
import { isGzip } from '../../image/gzip';
import { type ImageFile } from '../../image/openImage';
import { type ImagePlatform } from '../../image/platform';
import { decodeIndex, encodeIndex } from '../../trace/index/storedIndex';
import { TraceIndex } from '../../trace/index/traceIndex';
import { traceNames } from '../../trace/model/dictionary';
import { type TraceProblem } from '../../trace/model/reader';
import { openTrace } from '../../trace/readers/index';
import { type TraceId } from '../protocol';
import { RequestError, refuse } from '../requestError';
import { type CallContext, type Work } from '../work';
import { type IndexCache, type IndexSlot, type KeptIndex } from './indexCache';
import { OpenedTrace, type OpenedFile } from './openTraces';
import { growViews } from './rows';

/** What reading a trace needs of the place it runs in. */
export interface TracePlatform {
  readonly images: ImagePlatform;
  /** Absent: indexes are not kept. */
  readonly indexes?: IndexCache;
  /** Traces of fewer bytes are not kept an index of: reading them takes no time. */
  readonly keptFrom?: number;
}

const KEPT_FROM = 4 * 2 ** 20;
/** Bytes of columns that are kept with an index: they are read back in one go. */
const KEPT_COLUMNS = 48 * 2 ** 20;

/** Opens a file: unpacks it, recognises its format, and takes its index from the cache or reads its first rows. */
export async function openTraceFile(
  id: TraceId,
  from: ImageFile,
  { images, indexes, keptFrom = KEPT_FROM }: TracePlatform,
  context: CallContext,
): Promise<OpenedTrace> {
  const opened = openFile(from, images);
  if (!opened.ok) throw new RequestError(reworded(opened.failure));
  // Before it is unpacked: that throws out what is kept of other versions of the file.
  const slot = indexes?.slotOf(opened.value);
  const kept: KeptIndex = slot?.read() ?? { kind: 'none' };
  const { name } = opened.value;
  try {
    const unpackedFile = await unpacked(opened.value, images, context);
    return indexOf(id, name, unpackedFile, slot, kept, keptFrom);
  } finally {
    if (kept.kind === 'kept') kept.source.close();
  }
}

/** The index that is kept of a trace, or a new one with its first rows. Takes over the source. */
function indexOf(
  id: TraceId,
  name: string,
  { source, packed, problems }: Unpacked,
  slot: IndexSlot | undefined,
  kept: KeptIndex,
  keptFrom: number,
): OpenedTrace {
  try {
    const found = kept.kind === 'kept' ? decoded(source, kept.source) : undefined;
    const why = kept.kind === 'stale' ? kept.why : found?.ok === false ? found.failure.message : undefined;
    if (why !== undefined) slot?.drop();
    const file: OpenedFile = {
      name,
      bytes: source.size,
      packed,
      problems: why === undefined ? problems : [...problems, staleIndex(why)],
      slot: source.size >= keptFrom ? slot : undefined,
      fault: () => source.fault?.(),
      close: () => {
        source.close();
      },
    };
    if (found?.ok === true) {
      const trace = new OpenedTrace(id, file, found.value);
      trace.cached = true;
      trace.stored = true;
      return trace;
    }
    const names = traceNames();
    const opened = openTrace(source, names);
    if (!opened.ok) throw new RequestError(opened.failure);
    const trace = new OpenedTrace(id, file, TraceIndex.create(opened.value, names));
    trace.table.readChunk();
    return trace;
  } catch (error) {
    source.close();
    throw error;
  }
}

/** With names of its own: a decoding that fails leaves some behind. */
function decoded(source: ByteSource, kept: ByteSource): Result<TraceIndex> {
  const names = traceNames();
  const trace = openTrace(source, names);
  return trace.ok ? decodeIndex(kept, trace.value, names) : trace;
}

function openFile(file: ImageFile, images: ImagePlatform): Result<ByteSource> {
  return file.kind === 'path' ? images.openPath(file.path) : success(bytesSource(file.name, file.bytes));
}

/** What images are told of files, in words for traces. */
function reworded({ code, message, hint }: Failure): Failure {
  const said = hint
    ?.replace('; a description names its image relative to itself', '')
    .replace('images', 'files');
  return { code: code.replace(/^image\//, 'trace/'), message, ...(said === undefined ? {} : { hint: said }) };
}

const staleIndex = (why: string): TraceProblem => ({
  severity: 'info',
  code: 'trace/stale-index',
  message: `The index that was kept of this file is not used: ${why}. The file is read again.`,
});

interface Unpacked {
  readonly source: ByteSource;
  readonly packed: boolean;
  readonly problems: readonly TraceProblem[];
}

/** Takes over `file`: it is in the result, or closed. */
async function unpacked(file: ByteSource, images: ImagePlatform, context: CallContext): Promise<Unpacked> {
  const head = new Uint8Array(Math.min(16, file.size));
  if (!isGzip(head.subarray(0, file.read(0, head)))) return { source: file, packed: false, problems: [] };
  try {
    const { signal, onProgress } = context;
    const inflated = await images.inflate(file, { signal, onProgress, pause: () => images.pause() });
    if (!inflated.ok) throw new RequestError(reworded(inflated.failure));
    const { source, problem } = inflated.value;
    if (signal.aborted) {
      source.close();
      return refuse(CANCELLED, 'Cancelled.');
    }
    const problems = problem ? [{ ...reworded(problem), severity: problem.severity }] : [];
    return { source, packed: true, problems };
  } finally {
    file.close();
  }
}

/** Reads to the end, and keeps the index. Begun again after a cancel, it goes on where it was. */
export function* readOn(trace: OpenedTrace): Work<undefined> {
  const { table, file } = trace;
  const reading = (): Progress => ({
    message: `Reading trace: ${table.rows.toLocaleString('en')} rows`,
    fraction: file.bytes === 0 ? 1 : (table.bytesRead ?? file.bytes) / file.bytes,
  });
  for (;;) {
    // First of all: a cancel may have left views behind.
    const growing = growViews(trace);
    while (growing.next().done !== true) yield reading();
    if (!table.readChunk()) break;
    yield reading();
  }
  // What could not be read now may be there the next time.
  if (trace.stored || !file.slot || file.fault() !== undefined) return undefined;
  // Whoever asks meanwhile must not write it a second time.
  trace.stored = true;
  const writing = file.slot.write(encodeIndex(table, KEPT_COLUMNS));
  let isDone = false;
  try {
    while (!(isDone = writing.next().done === true)) yield { message: 'Keeping the index' };
  } finally {
    trace.stored = isDone;
    writing.return(false);
  }
  return undefined;
}
