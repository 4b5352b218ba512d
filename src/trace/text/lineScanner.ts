const [ZERO, NINE, A, F, SPACE, TAB, MINUS] = [0x30, 0x39, 0x61, 0x66, 0x20, 0x09, 0x2d];
/** Hexadecimal digits of 12 bits: what an address has below its page number. */
const OFFSET_DIGITS = 3;
const LATIN1_LIMIT = 4096;
/** What 64 bits hold, as far as numbers tell: a longer row of digits is no number of a tracer, and would end as Infinity. */
const LARGEST = 2 ** 64;

/** A literal to look for in lines. */
export const literal = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Reads a line from left to right without making strings. Every read that finds nothing leaves `at` where it was. */
export class LineScanner {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  end = 0;
  /** The last address read: page number and offset in the page. */
  page = 0;
  offset = 0;

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** Steps over spaces and tabs. */
  spaces(): void {
    const { bytes, end } = this;
    while (this.at < end && (bytes[this.at] === SPACE || bytes[this.at] === TAB)) this.at++;
  }

  /** Steps over this text if it stands here. */
  skip(text: Uint8Array): boolean {
    const { bytes, at } = this;
    if (at + text.length > this.end) return false;
    for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text[index]) return false;
    this.at = at + text.length;
    return true;
  }

  /** Steps over this text where it stands next, at most `within` bytes ahead. */
  after(text: Uint8Array, within = 4096): boolean {
    const { at } = this;
    const last = Math.min(this.end - text.length, at + within);
    for (let start = at; start <= last; start++) {
      this.at = start;
      if (this.skip(text)) return true;
    }
    this.at = at;
    return false;
  }

  /** A decimal number of 64 bits, exact below 2^53; NaN when there is none, or a larger one. */
  decimal(): number {
    const { bytes, end, at } = this;
    const negative = bytes[at] === MINUS;
    let digits = negative ? at + 1 : at;
    const first = digits;
    let value = 0;
    for (; digits < end; digits++) {
      const digit = (bytes[digits] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (digits === first || value > LARGEST) return Number.NaN;
    this.at = digits;
    return negative ? -value : value;
  }

  /** A hexadecimal number, `0x` in front or not; NaN when there is none. Exact below 2^53. */
  hex(): number {
    if (!this.address()) return Number.NaN;
    return this.page * 4096 + this.offset;
  }

  /** A hexadecimal 64-bit address, `0x` in front or not, into `page` and `offset`. False when there is none, or more digits. */
  address(): boolean {
    const { bytes, end } = this;
    let { at } = this;
    if (bytes[at] === ZERO && ((bytes[at + 1] ?? 0) | 0x20) === 0x78 && at + 2 < end) at += 2;
    const first = at;
    while (at < end && hexDigit(bytes[at] ?? 0) >= 0) at++;
    let digits = first;
    while (digits < at - 1 && bytes[digits] === ZERO) digits++;
    if (at === first || at - digits > 16) return false;
    const split = Math.max(digits, at - OFFSET_DIGITS);
    let page = 0;
    for (let index = digits; index < split; index++) page = page * 16 + hexDigit(bytes[index] ?? 0);
    let offset = 0;
    for (let index = split; index < at; index++) offset = offset * 16 + hexDigit(bytes[index] ?? 0);
    this.page = page;
    this.offset = offset;
    this.at = at;
    return true;
  }

  /** Up to the next space, or to one of `stops`; empty when there is nothing. Non-ASCII bytes stand for themselves (Latin-1). */
  word(stops = ''): string {
    const { bytes, end, at } = this;
    let next = at;
    for (; next < end; next++) {
      const byte = bytes[next] ?? 0;
      if (byte === SPACE || byte === TAB || (stops !== '' && stops.includes(String.fromCharCode(byte))))
        break;
    }
    this.at = next;
    return latin1(bytes, at, next);
  }
}

/** Short texts that were made before: the words of a trace are few, and making a string costs more than finding it. */
const KNOWN_LENGTH = 40;
const KNOWN_SLOTS = 4096;
const knownBytes = new Uint8Array(KNOWN_SLOTS * KNOWN_LENGTH);
const knownTexts = new Array<string>(KNOWN_SLOTS).fill('');

/** Bytes as text, one character each. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length > KNOWN_LENGTH) return madeLatin1(bytes, start, end);
  let hash = length;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
  const slot = (hash ^ (hash >>> 12)) & (KNOWN_SLOTS - 1);
  const known = knownTexts[slot] ?? '';
  const first = slot * KNOWN_LENGTH - start;
  let at = known.length === length ? start : end + 1;
  while (at < end && knownBytes[first + at] === bytes[at]) at++;
  if (at === end) return known;
  const text = madeLatin1(bytes, start, end);
  knownTexts[slot] = text;
  for (let byte = start; byte < end; byte++) knownBytes[first + byte] = bytes[byte] ?? 0;
  return text;
}

/** The same, of bytes that are not likely to come again. */
export function madeLatin1(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at += LATIN1_LIMIT) {
    // Spreading a typed array takes seven times as long.
    text += Reflect.apply<undefined, readonly number[], string>(
      String.fromCharCode,
      undefined,
      bytes.subarray(at, Math.min(end, at + LATIN1_LIMIT)) as unknown as readonly number[],
    );
  }
  return text;
}

/** The value of a hexadecimal digit's code, or -1. */
export function hexDigit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  const lower = code | 0x20;
  return lower >= A && lower <= F ? lower - A + 10 : -1;
}
