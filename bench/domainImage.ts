import * as fs from 'node:fs';
import * as path from 'node:path';
import { below, makeRandom } from './random';

/**
 * One VT-d legacy domain whose leaf tables are full of 4 KiB leaves, as a raw image with its description. Change VERSION
 * with the contents: the file is kept between runs.
 */
const VERSION = 2;

export const FRAME_BYTES = 4096;
const ENTRIES = 512;
/** Where the image begins in physical memory. */
const BASE_FRAME = 0x10_0000;
/** Where the frames that devices reach begin: none of them is in the image. */
const DATA_FRAME = 0x100_0000;
const DATA_FRAMES = 0x400_0000;

export interface DomainImage {
  readonly imagePath: string;
  readonly descriptionPath: string;
  readonly leaves: number;
  readonly base: bigint;
  /** RTADDR of the one IOMMU. */
  readonly rootTable: bigint;
  /** Bus 0, device 2, function 0. */
  readonly requester: number;
  /** Physical address of the root of the page tables, and their levels. */
  readonly root: bigint;
  readonly levels: number;
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

/** The low bits of a leaf: mostly read and write, A and D as they come, sometimes snooped. */
function leafBits(random: () => number): number {
  const kind = below(random, 20);
  const permission = kind < 17 ? 3 : kind < 19 ? 1 : 2;
  const used = below(random, 4) << 8;
  const snoop = below(random, 8) === 0 ? 1 << 11 : 0;
  return permission | used | snoop;
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
export function makeDomainImage(directory: string, leafTables: number, seed: number): DomainImage {
  const random = makeRandom(seed);
  const directories = leafTables / ENTRIES;
  const frames = shuffledFrames(leafTables + directories + 4, random);
  const take = (): number => frames.pop() ?? 0;
  const [rootTable, context, top, pointers] = [take(), take(), take(), take()];
  const name = `domain-v${VERSION}-${leafTables}-${seed}`;
  const imagePath = path.join(directory, `${name}.raw`);
  const descriptionPath = path.join(directory, `${name}.iopte.json`);
  const bytes = (leafTables + directories + 4) * FRAME_BYTES;
  const image: DomainImage = {
    imagePath,
    descriptionPath,
    leaves: leafTables * ENTRIES,
    base: BigInt(BASE_FRAME) * 4096n,
    rootTable: BigInt(rootTable) * 4096n,
    requester: 0x10,
    root: BigInt(top) * 4096n,
    levels: 4,
  };
  if (fs.existsSync(imagePath) && fs.statSync(imagePath).size === bytes) return image;

  fs.mkdirSync(directory, { recursive: true });
  const words = new Uint32Array(bytes / 4);
  const write = (frame: number, index: number, lo: number, hi: number): void => {
    const at = (frame - BASE_FRAME) * 1024 + 2 * index;
    words[at] = lo;
    words[at + 1] = hi;
  };
  const point = (frame: number, index: number, to: number, bits: number): void => {
    write(frame, index, ((to % 2 ** 20) * FRAME_BYTES + bits) >>> 0, Math.floor(to / 2 ** 20));
  };
  // Legacy root entry of bus 0, and a context entry: translation type 0, domain 1, 4 levels (AW = 2).
  point(rootTable, 0, context, 1);
  point(context, 2 * image.requester, top, 1);
  write(context, 2 * image.requester + 1, (1 << 8) | 2, 0);
  point(top, 0, pointers, 3);
  let left = 0;
  let frame = 0;
  let bits = 0;
  for (let directoryIndex = 0; directoryIndex < directories; directoryIndex++) {
    const pageDirectory = take();
    point(pointers, directoryIndex, pageDirectory, 3);
    for (let tableIndex = 0; tableIndex < ENTRIES; tableIndex++) {
      const table = take();
      point(pageDirectory, tableIndex, table, 3);
      for (let index = 0; index < ENTRIES; index++, left--, frame++) {
        if (left === 0) {
          left = runLength(random);
          frame = DATA_FRAME + below(random, DATA_FRAMES);
          bits = leafBits(random);
        }
        point(table, index, frame, bits);
      }
    }
  }
  fs.writeFileSync(`${imagePath}.partial`, new Uint8Array(words.buffer));
  fs.renameSync(`${imagePath}.partial`, imagePath);
  fs.writeFileSync(descriptionPath, describe(image, bytes));
  return image;
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
