import { type ByteSource } from '../../bytes/byteSource';
import { failure, type Result } from '../../engine/result';
import { type TraceNames } from '../model/dictionary';
import { type OpenTrace, type TraceReader } from '../model/reader';
import { headBytes } from '../text/head';
import { literal } from '../text/lineScanner';
import { textReader } from '../text/textTrace';
import { csv } from './csv';
import { dirtyBitmap } from './dirtyBitmap';
import { dmesg } from './dmesg';
import { ftrace } from './ftrace';
import { jsonLines } from './jsonLines';
import { perfScript } from './perfScript';
import { qemuLog } from './qemuLog';
import { traceCmd } from './traceCmd';
import { traceDat } from './traceDat';

/** All formats. The surest of a file's first bytes reads it; of equally sure ones, the first. */
export const READERS: readonly TraceReader[] = [
  traceDat,
  textReader(ftrace),
  textReader(qemuLog),
  textReader(traceCmd),
  textReader(perfScript),
  textReader(dmesg),
  textReader(csv),
  textReader(jsonLines),
  dirtyBitmap,
];

/** Less sure than this is not sure enough: a text that mentions a trace is none. */
const SURE_ENOUGH = 0.1;

/** Opens a trace of whatever format its content is of. `source` stays open as long as the trace is read. */
export function openTrace(source: ByteSource, names: TraceNames): Result<OpenTrace> {
  const head = headBytes(source);
  let best: TraceReader | undefined;
  let sureness = SURE_ENOUGH;
  for (const reader of READERS) {
    const sure = reader.recognise(head, source.name);
    if (sure > sureness) [best, sureness] = [reader, sure];
  }
  return best ? best.open(source, names) : unrecognised(source, head);
}

/** How a recording of perf begins, `PERFILE2`. Source: tools/perf/Documentation/perf.data-file-format.txt. */
const PERF_DATA = literal('PERFILE2');

function unrecognised(source: ByteSource, head: Uint8Array): Result<never> {
  const fault = source.fault?.();
  if (head.length < source.size && fault !== undefined) {
    return failure('trace/unreadable', `${source.name} cannot be read: ${fault}.`);
  }
  if (source.size === 0) {
    return failure(
      'trace/empty',
      `${source.name} is empty.`,
      'Was the trace read while it was being written?',
    );
  }
  const [first, second] = head;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    const hint = 'Save it as UTF-8: iconv -f UTF-16 -t UTF-8.';
    return failure('trace/utf-16', `${source.name} is UTF-16 text, which no tracer writes.`, hint);
  }
  if (PERF_DATA.every((byte, at) => head[at] === byte)) {
    const hint = 'Print it first: perf script -i perf.data > trace.txt.';
    return failure('trace/perf-data', `${source.name} is a recording of perf, which only perf reads.`, hint);
  }
  const titles = READERS.map(({ title }) => title).join(', ');
  return failure(
    'trace/unrecognised',
    `${source.name} is no trace of a known format.`,
    `Known are: ${titles}.`,
  );
}
