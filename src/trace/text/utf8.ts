import { madeLatin1 } from './lineScanner';

const REPLACEMENT = 0xfffd;
/** UTF-16 units turned into a string at once. */
const BATCH = 4096;
/** The smallest character that needs so many bytes behind its first: shorter ways to write it are no UTF-8. */
const SMALLEST = [0, 0x80, 0x800, 0x10000] as const;

/** Bytes as text, U+FFFD for what is not UTF-8 (RFC 3629): written here because this room has no TextDecoder. */
export function utf8(bytes: Uint8Array): string {
  if (isAscii(bytes)) return madeLatin1(bytes, 0, bytes.length);
  let text = '';
  let units: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at++] ?? 0;
    let code = first;
    if (first >= 0x80) {
      const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
      code =
        first >= 0xc2 && first <= 0xf4 ? continued(bytes, at, first & (0x3f >> more), more) : REPLACEMENT;
      if (code !== REPLACEMENT) at += more;
    }
    if (code >= 0x10000) units.push(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff));
    else units.push(code);
    if (units.length >= BATCH) {
      text += String.fromCharCode(...units);
      units = [];
    }
  }
  return text + String.fromCharCode(...units);
}

function isAscii(bytes: Uint8Array): boolean {
  let all = 0;
  for (const byte of bytes) all |= byte;
  return all < 0x80;
}

/** The character that goes on here, or U+FFFD. */
function continued(bytes: Uint8Array, at: number, start: number, more: number): number {
  let code = start;
  for (let index = at; index < at + more; index++) {
    const byte = bytes[index] ?? 0;
    if ((byte & 0xc0) !== 0x80) return REPLACEMENT;
    code = (code << 6) | (byte & 0x3f);
  }
  const surrogate = code >= 0xd800 && code < 0xe000;
  return code < (SMALLEST[more] ?? 0) || surrogate || code > 0x10ffff ? REPLACEMENT : code;
}

/** A text as bytes; half a pair of surrogates becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(3 * text.length);
  let at = 0;
  for (const letter of text) {
    const point = letter.codePointAt(0) ?? 0;
    const code = point >= 0xd800 && point < 0xe000 ? REPLACEMENT : point;
    const more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    bytes[at++] = more === 0 ? code : ((0xff00 >> (more + 1)) & 0xff) | (code >> (6 * more));
    for (let rest = more - 1; rest >= 0; rest--) bytes[at++] = 0x80 | ((code >> (6 * rest)) & 0x3f);
  }
  return bytes.slice(0, at);
}
