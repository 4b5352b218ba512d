import { requestOf } from '../../engine/machine/dma';
import { type DmaLine } from '../../engine/machine/dmaLine';
import { parseDevice } from '../../engine/values';
import { type Slices } from './live';

/** Requests that a trace may have: all of them are kept with the machine. */
const MOST_REQUESTS = 1_000_000;
const MOST_LINE_BYTES = 4096;

const LINES_PER_YIELD = 1000;

export type Trace =
  { readonly ok: true; readonly lines: readonly DmaLine[] } | { readonly ok: false; readonly why: string };

/**
 * The requests of a trace file, one JSON object a line; empty lines and those with # are left out. Of one device: other devices'
 * are left out, too, and a request without `sid` is its own.
 */
export function* readTrace(bytes: Uint8Array, requester?: string): Slices<Trace> {
  const own = requester === undefined ? undefined : parseDevice(requester)?.requester;
  const lines: DmaLine[] = [];
  let number = 0;
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found;
    number++;
    if (number % LINES_PER_YIELD === 0)
      yield {
        message: `Reading requests: ${number.toLocaleString('en')} lines`,
        fraction: start / bytes.length,
      };
    if (end - start > MOST_LINE_BYTES) return wrong(number, `has more than ${MOST_LINE_BYTES} bytes`);
    const text = asciiText(bytes.subarray(start, end)).trim();
    start = end + 1;
    if (text === '' || text.startsWith('#')) continue;
    const line = parseLine(text, requester);
    if (typeof line === 'string') return wrong(number, line);
    if (requester !== undefined && parseDevice(String(line.sid))?.requester !== own) continue;
    if (lines.length === MOST_REQUESTS)
      return { ok: false, why: `It has more than ${MOST_REQUESTS.toLocaleString('en')} requests.` };
    lines.push(line);
  }
  if (lines.length > 0) return { ok: true, lines };
  return { ok: false, why: `It has no request${requester === undefined ? '' : ` of ${requester}`}.` };
}

const wrong = (line: number, why: string): Trace => ({ ok: false, why: `Line ${line}: ${why}.` });

/** Whatever is no ASCII is nothing that a trace needs. */
const asciiText = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

function parseLine(text: string, requester: string | undefined): DmaLine | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is no JSON';
  }
  if (typeof value !== 'object' || value === null) return 'it is no object';
  const { sid, pasid, iova, length, access } = value as Partial<DmaLine>;
  const line: DmaLine = {
    sid: sid ?? requester ?? '',
    ...(pasid === undefined || pasid === null ? {} : { pasid }),
    iova: iova ?? '',
    length: length ?? 4096,
    access: access ?? 'read',
  };
  const request = requestOf(line);
  return typeof request === 'string' ? request : line;
}
