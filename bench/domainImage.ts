import * as fs from 'node:fs';
import * as path from 'node:path';
import { below, makeRandom } from './random';
import { LEVELS, PAGES_PER_RUN, secondStage, type Halves, type Shape } from './shapes';

/**
 * One domain whose leaf tables are full of 4 KiB leaves, as a raw image; with VT-d also a root and a context table, and a
 * description. Change VERSION with the contents: the file is kept between runs.
 */
const VERSION = 3;

export const FRAME_BYTES = 4096;
const ENTRIES = 512;
/** Where the image begins in physical memory. */
const BASE_FRAME = 0x10_0000;
/** Where the frames that devices reach begin: none of them is in the image. */
const DATA_FRAME = 0x100_0000;
const DATA_FRAMES = 0x400_0000;
/** With two stages: guest memory, of which every fourth 2M is mapped by small pages; tables stand in its first part. */
const GUEST_FRAMES = 0x40_0000;

export interface DomainImage {
  readonly imagePath: string;
  readonly descriptionPath: string;
  readonly leaves: number;
  readonly base: bigint;
  /** RTADDR of the one IOMMU. */
  readonly rootTable: bigint;
  /** Bus 0, device 2, function 0. */
  readonly requester: number;
  /** Address of the root of the page tables, and their levels; of the second stage's root below them, or 0. */
  readonly root: bigint;
  readonly below: bigint;
  readonly levels: number;
  readonly shape: Shape;
}

/** Runs by length: most are short, most leaves are in long ones; about 17 leaves a run. */
const LENGTHS = [
  { share: 0.35, from: 1, to: 1 },
  { share: 0.3, from: 2, to: 4 },
  { share: 0.2, from: 5, to: 16 },
  { share: 0.12, from: 17, to: 64 },
  { share: 0.03, from: 65, to: 512 },
] as const;

function runLength(random: () => number): number {
  let point = random() / 2 ** 32;
  for (const { share, from, to } of LENGTHS) {
    if (point < share) return from + below(random, to - from + 1);
    point -= share;
  }
  return 1;
}

/** The order in which table frames are handed out: short contiguous stretches, the stretches anywhere. */
function shuffledFrames(count: number, random: () => number): number[] {
  const stretches: number[][] = [];
  for (let next = 0; next < count;) {
    const length = Math.min(count - next, 1 + below(random, 16));
    stretches.push(Array.from({ length }, (_, index) => BASE_FRAME + next + index));
    next += length;
  }
  for (let index = stretches.length - 1; index > 0; index--) {
    const other = below(random, index + 1);
    [stretches[index], stretches[other]] = [stretches[other] ?? [], stretches[index] ?? []];
  }
  return stretches.flat();
}

/** Writes the image unless it is there. `leafTables` is a power of two from 512 to 2^18. */
export function makeDomainImage(
  directory: string,
  shape: Shape,
  leafTables: number,
  seed: number,
): DomainImage {
  const random = makeRandom(seed);
  const directories = leafTables / ENTRIES;
  const two = shape.name === 'nested';
  const own = leafTables + directories + 4;
  // Of the second stage: a root, a table of 1G, and one of 2M for each; then a leaf table for every fourth 2M.
  const gigabytes = GUEST_FRAMES / 2 ** 18;
  const belowTables = two ? 2 + gigabytes + GUEST_FRAMES / 2 ** 9 / 4 : 0;
  const frames = shuffledFrames(own + belowTables, random);
  const take = (): number => frames.pop() ?? 0;
  const [rootTable, context, top, pointers] = [take(), take(), take(), take()];
  const underRoot = two ? take() : 0;
  const name = `${shape.name}-v${VERSION}-${leafTables}-${seed}`;
  const imagePath = path.join(directory, `${name}.raw`);
  const descriptionPath = path.join(directory, `${name}.iopte.json`);
  const bytes = (own + belowTables) * FRAME_BYTES;
  const image: DomainImage = {
    imagePath,
    descriptionPath,
    leaves: leafTables * ENTRIES,
    base: BigInt(BASE_FRAME) * 4096n,
    rootTable: BigInt(rootTable) * 4096n,
    requester: 0x10,
    root: BigInt(two ? guestOf(top) : top) * 4096n,
    below: BigInt(underRoot) * 4096n,
    levels: LEVELS,
    shape,
  };
  if (fs.existsSync(imagePath) && fs.statSync(imagePath).size === bytes) return image;

  fs.mkdirSync(directory, { recursive: true });
  const words = new Uint32Array(bytes / 4);
  const write = (frame: number, index: number, [lo, hi]: Halves): void => {
    const at = (frame - BASE_FRAME) * 1024 + 2 * index;
    words[at] = lo;
    words[at + 1] = hi;
  };
  if (two) writeBelow({ root: underRoot, take, write });
  else writeDirectory(image, { rootTable, context, top }, write);
  const pointer = (frame: number, level: number): Halves => shape.table(two ? guestOf(frame) : frame, level);
  const nextPage = makePages(shape, random);
  write(top, 0, pointer(pointers, 3));
  for (let directoryIndex = 0; directoryIndex < directories; directoryIndex++) {
    const pageDirectory = take();
    write(pointers, directoryIndex, pointer(pageDirectory, 2));
    for (let tableIndex = 0; tableIndex < ENTRIES; tableIndex++) {
      const table = take();
      write(pageDirectory, tableIndex, pointer(table, 1));
      for (let index = 0; index < ENTRIES; index++) write(table, index, nextPage(index));
    }
  }
  fs.writeFileSync(`${imagePath}.partial`, new Uint8Array(words.buffer));
  fs.renameSync(`${imagePath}.partial`, imagePath);
  fs.writeFileSync(descriptionPath, describe(image, bytes));
  return image;
}

/** Guest frame of a table: those of the image come first in guest memory. */
const guestOf = (frame: number): number => frame - BASE_FRAME;

/** Gives entry after entry, in runs; where the format has them, an eighth of the runs are pages of 64K. */
function makePages({ name, leafBits, leaf, part }: Shape, random: () => number): (index: number) => Halves {
  let left = 0;
  let frame = 0;
  let bits: Halves = [0, 0];
  let parts = false;
  return (index) => {
    if (left === 0) {
      frame = name === 'nested' ? below(random, GUEST_FRAMES) : DATA_FRAME + below(random, DATA_FRAMES);
      bits = leafBits(random);
      parts = part !== undefined && index % PAGES_PER_RUN === 0 && below(random, 2) === 0;
      left = parts ? PAGES_PER_RUN : runLength(random);
      if (parts) frame -= frame % PAGES_PER_RUN;
    }
    const place = PAGES_PER_RUN - left;
    left--;
    if (parts && part) return part(frame, place, bits);
    return leaf(frame++, bits);
  };
}

/** Legacy root entry of bus 0, and a context entry: translation type 0, domain 1, 4 levels (AW = 2). */
function writeDirectory(
  { requester }: DomainImage,
  { rootTable, context, top }: { readonly rootTable: number; readonly context: number; readonly top: number },
  write: (frame: number, index: number, word: Halves) => void,
): void {
  const [at, to] = [secondStage.leaf(context, [1, 0]), secondStage.leaf(top, [1, 0])];
  write(rootTable, 0, at);
  write(context, 2 * requester, to);
  write(context, 2 * requester + 1, [(1 << 8) | 2, 0]);
}

/** The second stage: guest memory is mapped by 2M, every fourth of them by 4K; tables stand where they are in the image. */
function writeBelow({
  root,
  take,
  write,
}: {
  readonly root: number;
  readonly take: () => number;
  readonly write: (frame: number, index: number, word: Halves) => void;
}): void {
  const LARGE = 1 << 7;
  const gigabyteTable = take();
  write(root, 0, secondStage.table(gigabyteTable, 3));
  for (let gigabyte = 0; gigabyte < GUEST_FRAMES / 2 ** 18; gigabyte++) {
    const table = take();
    write(gigabyteTable, gigabyte, secondStage.table(table, 2));
    for (let index = 0; index < ENTRIES; index++) {
      const first = (gigabyte * ENTRIES + index) * ENTRIES;
      if (index % 4 > 0) {
        write(table, index, secondStage.leaf(BASE_FRAME + first, [3 | LARGE, 0]));
        continue;
      }
      const small = take();
      write(table, index, secondStage.table(small, 1));
      for (let page = 0; page < ENTRIES; page++)
        write(small, page, secondStage.leaf(BASE_FRAME + first + page, [3, 0]));
    }
  }
}

function describe(image: DomainImage, bytes: number): string {
  const segments = [{ paddr: `0x${image.base.toString(16)}`, offset: 0, length: bytes }];
  const registers = { RTADDR: `0x${image.rootTable.toString(16)}` };
  const description = {
    version: 1,
    image: { file: path.basename(image.imagePath), segments },
    iommus: [{ name: 'dmar0', kind: 'vt-d', segment: 0, registers }],
  };
  return `${JSON.stringify(description, null, 2)}\n`;
}

/** Requests over the domain, struct of arrays: low halves, high halves, writes. One in 64 is beyond the domain. */
export interface Requests {
  readonly count: number;
  readonly addressLo: Uint32Array;
  readonly addressHi: Uint32Array;
  readonly write: Uint8Array;
}

export function makeRequests(file: string, count: number, leaves: number, seed: number): Requests {
  const random = makeRandom(seed + 1);
  const requests: Requests = {
    count,
    addressLo: new Uint32Array(count),
    addressHi: new Uint32Array(count),
    write: new Uint8Array(count),
  };
  for (let row = 0; row < count; row++) {
    const page = below(random, 64) === 0 ? leaves + below(random, leaves) : below(random, leaves);
    const address = page * FRAME_BYTES + below(random, FRAME_BYTES);
    requests.addressLo[row] = address % 2 ** 32;
    requests.addressHi[row] = Math.floor(address / 2 ** 32);
    requests.write[row] = below(random, 2);
  }
  const { addressLo, addressHi, write } = requests;
  fs.writeFileSync(
    file,
    Buffer.concat([Buffer.from(addressLo.buffer), Buffer.from(addressHi.buffer), Buffer.from(write.buffer)]),
  );
  return requests;
}
