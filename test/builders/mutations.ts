import fc from 'fast-check';

/** Something that happens to a file: bytes are turned, put in, taken out, or its end is lost. */
export interface Mutation {
  readonly kind: 'flip' | 'insert' | 'remove' | 'cut';
  /** 0 to 1: where in the file. */
  readonly place: number;
  readonly bytes: Uint8Array;
}

/** Bytes that separate what stands in lines of text, and bytes that stand in none. */
const TELLING = [...Buffer.from('\n\r\t\0 -:[]()#=.0x9afF/+')];

/** Few cuts, and those near the end: what is cut off is not tried. */
const KINDS = [...Array<'flip'>(12).fill('flip'), 'insert', 'insert', 'remove', 'remove', 'cut'] as const;

export const mutations = (most: number): fc.Arbitrary<readonly Mutation[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom(...KINDS),
      place: fc.integer({ min: 0, max: 999_999 }).map((millionth) => millionth / 1e6),
      bytes: fc
        .array(fc.oneof(fc.constantFrom(...TELLING), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 8,
        })
        .map((bytes) => Uint8Array.from(bytes)),
    }),
    { maxLength: most, size: 'max' },
  );

/** The file after all that happened to it. */
export function mutated(file: Uint8Array, happened: readonly Mutation[]): Uint8Array {
  let bytes = file.slice();
  for (const { kind, place, bytes: others } of happened) {
    const at = Math.floor(place * bytes.length);
    if (kind === 'flip') bytes.set(others.subarray(0, Math.min(1, bytes.length - at)), at);
    else if (kind === 'cut') bytes = bytes.slice(0, Math.ceil(bytes.length * (0.9 + place / 10)));
    else {
      const [front, back] = [
        bytes.subarray(0, at),
        bytes.subarray(kind === 'remove' ? at + others.length : at),
      ];
      bytes = Uint8Array.from([...front, ...(kind === 'insert' ? others : []), ...back]);
    }
  }
  return bytes;
}
