import { parseDevice, parseInteger, type DmaLine } from '../../../inspection/protocol';

/** Requests a trace may have: what is kept in the journal is bounded. */
const MOST_REQUESTS = 1_000_000;

type Lines =
  | { readonly ok: true; readonly value: readonly DmaLine[] }
  | { readonly ok: false; readonly line: number; readonly why: string };

/** Reads a trace: one JSON object a line, empty lines and lines with # left out. */
export function parseDmaLines(text: string, most = MOST_REQUESTS): Lines {
  const value: DmaLine[] = [];
  let number = 0;
  for (const line of text.split('\n')) {
    number++;
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    if (value.length === most) {
      return { ok: false, line: number, why: `more than ${most.toLocaleString('en')} requests` };
    }
    const request = parseLine(trimmed);
    if (typeof request === 'string') return { ok: false, line: number, why: request };
    value.push(request);
  }
  return { ok: true, value };
}

function parseLine(text: string): DmaLine | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'this is not JSON';
  }
  if (typeof value !== 'object' || value === null) return 'this is not an object';
  const { sid, pasid, iova, length, access } = value as Partial<Record<keyof DmaLine, unknown>>;
  return check(sid, pasid ?? null, iova, length ?? 4096, access ?? 'read');
}

/** Reads `00:02.0 write 0x1000 64`, with the PASID after the device as `00:02.0/5`; a text says what is wrong. */
export function parseTypedDma(text: string): DmaLine | string {
  const [device = '', access, iova, length = '4096', surplus] = text.trim().split(/\s+/);
  if (surplus !== undefined) return `${said(surplus)} is one word too many`;
  const [sid, pasid] = device.split('/');
  const bytes = parseInteger(length);
  const process = pasid === undefined ? null : parseInteger(pasid);
  if (process === undefined) return `${String(pasid)} is not a PASID`;
  return check(
    sid,
    process === null ? null : Number(process),
    iova,
    bytes === undefined ? length : Number(bytes),
    access,
  );
}

function check(
  sid: unknown,
  pasid: unknown,
  iova: unknown,
  length: unknown,
  access: unknown,
): DmaLine | string {
  if ((typeof sid !== 'string' && typeof sid !== 'number') || parseDevice(String(sid)) === undefined)
    return `"sid" is ${said(sid)}, and not a device such as "00:02.0" or 16`;
  if (
    pasid !== null &&
    !(typeof pasid === 'number' && Number.isInteger(pasid) && pasid >= 0 && pasid < 2 ** 20)
  )
    return `"pasid" is ${said(pasid)}, and not null or a number of at most 20 bits`;
  if (typeof iova === 'number' && iova > Number.MAX_SAFE_INTEGER)
    return `"iova" ${iova} has more digits than a JSON number keeps: write it as text, "0x..."`;
  if ((typeof iova !== 'string' && typeof iova !== 'number') || parseInteger(String(iova)) === undefined)
    return `"iova" is ${said(iova)}, and not an address such as "0x100000000"`;
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 1 || length > 2 ** 30)
    return `"length" is ${said(length)}, and not a number of bytes from 1 to 1G`;
  if (access !== 'read' && access !== 'write' && access !== 'atomic')
    return `"access" is ${said(access)}, and not "read", "write" or "atomic"`;
  return { sid, pasid, iova, length, access };
}

const said = (value: unknown): string => (value === undefined ? 'missing' : JSON.stringify(value));
