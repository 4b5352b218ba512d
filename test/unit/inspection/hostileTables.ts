/** Memory that no kernel would write: tables that point anywhere, in the formats of VT-d legacy mode. */

/** A seeded generator of numbers (mulberry32): one seed, one image. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 bits. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** From 0 to below `count`. */
  below(count: number): number {
    return this.word() % count;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.below(values.length)] ?? values[0];
  }

  wide(): bigint {
    return (BigInt(this.word()) << 32n) | BigInt(this.word());
  }
}

const FRAME = 4096;
const PRESENT = 1n;
const READ_WRITE = 3n;
const LARGE = 1n << 7n;

export interface HostileImage {
  readonly bytes: Uint8Array;
  readonly description: string;
  /** IOVAs worth asking for. */
  readonly iovas: readonly bigint[];
  readonly requesters: readonly number[];
}

/** One image with its description. The first frame is the root table; the rest may be anything. */
export function makeHostileImage(seed: number): HostileImage {
  const random = new Random(seed);
  const frames = 4 + random.below(28);
  const base = random.pick([0n, 0x1000n, 0x7fff_f000n, 0xffff_ffff_f000n - BigInt(frames * FRAME)]);
  const bytes = new Uint8Array(frames * FRAME);
  const view = new DataView(bytes.buffer);
  const addressOf = (frame: number): bigint => base + BigInt(frame * FRAME);
  const anyFrame = (): bigint => addressOf(random.below(frames));
  const anyAddress = (): bigint =>
    random.chance(85)
      ? anyFrame()
      : random.chance(50)
        ? random.wide() & 0x000f_ffff_ffff_f000n
        : addressOf(frames);

  const rubbish = random.chance(15);
  for (let frame = 0; frame < frames; frame++) {
    const kind = rubbish
      ? 'rubbish'
      : random.pick(['tables', 'tables', 'leaves', 'mixed', 'rubbish', 'empty']);
    // Full tables of tables claim to map more than can be read; sparse ones are read to their end.
    const percent = random.pick([1, 1, 1, 5, 60]);
    for (let entry = 0; entry < 512; entry++)
      view.setBigUint64(frame * FRAME + entry * 8, entryOf(kind, percent), true);
  }
  function entryOf(kind: string, percent: number): bigint {
    if (kind === 'rubbish') return random.wide();
    if (kind === 'empty') return random.chance(1) ? random.wide() & 0xf00n : 0n;
    if (kind === 'tables') return random.chance(percent) ? anyAddress() | READ_WRITE : 0n;
    if (kind === 'leaves') return random.chance(percent + 30) ? leaf() : 0n;
    return random.pick([0n, anyAddress() | BigInt(random.below(4)), leaf(), random.wide()]);
  }
  function leaf(): bigint {
    const large = random.chance(30) ? LARGE : 0n;
    const reserved = random.chance(5) ? random.wide() : 0n;
    return anyAddress() | BigInt(random.below(4)) | large | (random.chance(20) ? 0x300n : 0n) | reserved;
  }

  const requesters = [0, 1, 0x10, 0xff, 0x100, 0xffff, random.below(0x10000)];
  if (!rubbish) {
    // Root and context entries that mostly hold, so that the tables are reached.
    for (const requester of requesters) {
      const context = 1 + random.below(frames - 1);
      view.setBigUint64((requester >> 8) * 16, addressOf(context) | PRESENT, true);
      view.setBigUint64((requester >> 8) * 16 + 8, random.chance(5) ? random.wide() : 0n, true);
      const at = context * FRAME + (requester & 0xff) * 16;
      view.setBigUint64(
        at,
        anyAddress() | PRESENT | (BigInt(random.below(4)) << (random.chance(20) ? 2n : 60n)),
        true,
      );
      const width = random.chance(90) ? 1 + random.below(3) : random.below(8);
      view.setBigUint64(at + 8, BigInt(width) | (BigInt(random.below(6)) << 8n), true);
    }
  }
  const registers: Record<string, string> = {
    RTADDR: hex(random.chance(90) ? base : random.chance(50) ? anyAddress() : random.wide()),
  };
  if (random.chance(50)) registers['GSTS'] = hex(random.chance(90) ? 0xc700_0000n : BigInt(random.word()));
  if (random.chance(50)) registers['CAP'] = hex(random.chance(80) ? 0xd2_008c_222f_0606n : random.wide());
  if (random.chance(50)) registers['ECAP'] = hex(random.chance(80) ? 0xf0_0f4an : random.wide());
  return {
    bytes,
    description: JSON.stringify({
      version: 1,
      image: { file: 'hostile.raw', segments: segmentsOf(random, base, frames) },
      iommus: [{ name: 'dmar0', kind: 'vt-d', segment: 0, registers }],
    }),
    iovas: [
      0n,
      0xfff_ffffn,
      0xfee0_0000n,
      ...Array.from({ length: 24 }, () => random.wide() >> BigInt(random.below(64))),
      ...Array.from({ length: 8 }, () => BigInt(random.below(2 ** 21)) << 12n),
    ],
    requesters,
  };
}

/** All frames, or all but one. */
function segmentsOf(random: Random, base: bigint, frames: number): object[] {
  const missing = random.chance(30) ? 1 + random.below(frames - 2) : frames;
  const part = (first: number, end: number): object[] =>
    end <= first
      ? []
      : [{ paddr: hex(base + BigInt(first * FRAME)), offset: first * FRAME, length: (end - first) * FRAME }];
  return [...part(0, missing), ...part(missing + 1, frames)];
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
