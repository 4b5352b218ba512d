/**
 * The sample `smmuv3-nested`: built from the specification, not captured. `npx tsx test/builders/nestedSample.ts` writes it to
 * samples/. A guest (VMID 7) owns two devices behind an SMMU with both stages.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { type BuiltImage } from './built';
import { buildElf, withField, type Load } from './elf';
import { GuestSpace } from './independent/armRiscvMemory';
import { AP, armTree, GRANULES, s1Leaf, s2Leaf, S2AP } from './independent/armTables';
import { cd, CONFIG, putWords, SmmuImage, ste, type CdFields } from './independent/smmuImage';

const NAME = 'smmuv3-nested';
/** StreamIDs of 00:02.0, 00:03.0 and 00:04.0. */
const NESTED = 0x10;
const STAGE2_ONLY = 0x18;
const BYPASSED = 0x20;
const EM_AARCH64 = 183;
const MEBIBYTE = 0x10_0000n;

/** A context descriptor with an ASID of its own. */
function context(fields: CdFields, asid: bigint): readonly bigint[] {
  const [first = 0n, ...others] = cd(fields);
  return [(first & ~(0xffffn << 48n)) | (asid << 48n), ...others];
}

/**
 * Guest memory of 1 GiB at 0x4000_0000: its first 32 MiB in pages of 2M, 1 MiB more in pages of 4K, and a page that the guest may
 * only read. Requests without a SubstreamID use ASID 1 with both halves of the address space, SubstreamID 1 uses ASID 2.
 */
export function nestedSample(): BuiltImage {
  const image = new SmmuImage('SMMUv3 nested sample');
  for (let id = 0; id < NESTED; id++) image.stream(ste({ config: CONFIG.abort }));
  const stage2 = armTree(image.memory, { granule: '4K', start: 1, inputBits: 40 });
  for (let offset = 0n; offset < 32n * MEBIBYTE; offset += 2n * MEBIBYTE) {
    stage2.set(0x4000_0000n + offset, 2, s2Leaf(2, 0x8_8000_0000n + offset));
  }
  for (let offset = 0n; offset < MEBIBYTE; offset += 0x1000n) {
    stage2.set(0x4200_0000n + offset, 3, s2Leaf(3, 0x8_9abc_d000n - offset));
  }
  stage2.set(0x4300_0000n, 3, s2Leaf(3, 0x8_9d00_0000n, { permissions: S2AP.R }));
  // The guest's own tables and context descriptors.
  const enter = (ipa: bigint, paddr: bigint): void => stage2.set(ipa, 3, s2Leaf(3, paddr));
  const guest = new GuestSpace(image.memory, enter, 0x4400_0000n);
  const tree = () => armTree(guest, { granule: '4K', start: 1, inputBits: 39 });
  const [low, high, process] = [tree(), tree(), tree()];

  for (let page = 0n; page < 64n; page++) {
    low.set(0xfff0_0000n + page * 0x1000n, 3, s1Leaf(3, 0x4200_0000n + page * 0x1000n));
  }
  low.set(0xfe00_0000n, 2, s1Leaf(2, 0x4020_0000n));
  low.set(0xff00_0000n, 3, s1Leaf(3, 0x4000_3000n, { permissions: AP.RO }));
  low.set(0xff00_1000n, 3, s1Leaf(3, 0x4300_0000n));
  // Beyond what stage 2 maps: the guest is refused there though its own tables allow it.
  low.set(0xff00_2000n, 3, s1Leaf(3, 0x4500_0000n));
  high.set(0x7f_0000_0000n, 2, s1Leaf(2, 0x4040_0000n));
  process.set(0x1_2345_6000n, 3, s1Leaf(3, 0x4208_0000n));

  const half = (root: bigint) => ({ tsz: 25, tg: GRANULES['4K'].tg0, ttb: root });
  const contexts = guest.allocate(128n);
  const both = { ttb0: half(low.root), ttb1: { ...half(high.root), tg: GRANULES['4K'].tg1 } };
  putWords(guest, contexts, context(both, 1n));
  putWords(guest, contexts + 64n, context({ ttb0: half(process.root) }, 2n));
  const s2 = { t0sz: 24, sl0: 1, tg: GRANULES['4K'].tg0, ttb: stage2.root };
  image.stream(ste({ config: CONFIG.nested, contextPtr: contexts, cdMax: 1n, dss: 2n, s2 }));
  for (let id = NESTED + 1; id < STAGE2_ONLY; id++) image.stream(ste({ config: CONFIG.abort }));
  image.stream(ste({ config: CONFIG.stage2, s2 }));
  for (let id = STAGE2_ONLY + 1; id < BYPASSED; id++) image.stream(ste({ config: CONFIG.abort }));
  image.stream(ste({ config: CONFIG.bypass }));

  const { cases } = image;
  const who = { requester: NESTED };
  const page = { size: 0x1000n, perm: 'RW', level: 3 } as const;
  const small = { ...page, paddr: 0x8_9abc_8000n };
  cases.page(who, 0xfff0_5000n, small, 'stage 1 4K over stage 2 4K');
  const block = { ...page, paddr: 0x8_8020_0000n, size: 2n * MEBIBYTE, level: 2 };
  cases.page(who, 0xfe00_0000n, block, 'stage 1 2M over stage 2 2M');
  const readOnly = { ...page, paddr: 0x8_8000_3000n, perm: 'R' } as const;
  cases.page(who, 0xff00_0000n, readOnly, 'stage 1 permits reads');
  const below = { ...page, paddr: 0x8_9d00_0000n, perm: 'R', deniedBy: 2 } as const;
  cases.page(who, 0xff00_1000n, below, 'stage 2 permits reads');
  const hole = { fault: 'not-present', level: 2, stage: 2 } as const;
  cases.refused(who, 0xff00_2000n, hole, 'stage 2 maps nothing there');
  const upper = { ...block, paddr: 0x8_8040_0000n };
  cases.page(who, 0xffff_ffff_0000_0000n, upper, 'the upper half');
  const user = { ...page, paddr: 0x8_9abc_d000n - 0x8_0000n };
  cases.page({ requester: NESTED, pasid: 1 }, 0x1_2345_6000n, user, 'SubstreamID 1');
  cases.page({ requester: STAGE2_ONLY }, 0x4200_5000n, small, 'stage 2 alone');
  return image.build();
}

/** Runs of neighbouring frames, as an ELF core of an AArch64 machine. */
export function elfOf({ frames }: BuiltImage): Uint8Array {
  const loads: { paddr: number; parts: Uint8Array[] }[] = [];
  let next = -1;
  for (const number of [...frames.keys()].sort((a, b) => a - b)) {
    const words = frames.get(number) ?? new BigUint64Array(512);
    const part = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    if (number === next) loads.at(-1)?.parts.push(part);
    else loads.push({ paddr: number * 4096, parts: [part] });
    next = number + 1;
  }
  const whole = loads.map(({ paddr, parts }): Load => ({ paddr, bytes: Buffer.concat(parts) }));
  return withField(buildElf({ loads: whole, alignment: 4096 }), 'machine', EM_AARCH64);
}

export function describeSample({ registers, kind }: BuiltImage): string {
  const values = Object.fromEntries(
    Object.entries(registers).map(([name, value]) => [name, `0x${value.toString(16)}`]),
  );
  const iommus = [{ name: 'smmu0', kind, segment: 0, registers: values }];
  return `${JSON.stringify({ version: 1, image: `${NAME}.elf.gz`, iommus }, null, 2)}\n`;
}

if (require.main === module) {
  const samples = path.join(__dirname, '..', '..', 'samples');
  const image = nestedSample();
  writeFileSync(path.join(samples, `${NAME}.elf.gz`), gzipSync(elfOf(image), { level: 9 }));
  writeFileSync(path.join(samples, `${NAME}.iopte.json`), describeSample(image));
}
