/** First-stage and second-stage page tables. Privileged specification 1.12: 4.3.2 (walk), 4.4 to 4.6, Svnapot, Svpbmt, 8.5 (x4). */
import {
  type Build,
  type Cases,
  type Fault,
  type Mapped,
  type Permission,
  type Requester,
} from './armRiscvCases';
import { type RadixTree } from './armRiscvRadix';
import { range } from './riscvDirectory';
import {
  atp,
  CAP,
  CAPABILITIES,
  LEAF,
  leafTo,
  type Mode,
  MODES,
  MODES_X4,
  pageTable,
  PTE,
  RiscvImage,
  SV39,
  SV57X4,
  TC,
} from './riscvImage';

/** One stage alone, the other Bare. */
export interface Stage {
  readonly number: 1 | 2;
  readonly mode: Mode;
}
const stages: readonly Stage[] = [
  ...MODES.map((mode) => ({ number: 1 as const, mode })),
  ...MODES_X4.map((mode) => ({ number: 2 as const, mode })),
];

/** A device whose only stage is the one asked for. */
export function device(image: RiscvImage, stage: Stage, root: bigint, tc: bigint = TC.V): Requester {
  const pointer = atp(stage.mode.code, root);
  return { requester: image.device(stage.number === 1 ? { tc, fsc: pointer } : { tc, iohgatp: pointer }) };
}

const fault = (stage: Stage, name: string, level?: number): Fault => ({
  fault: name,
  ...(level === undefined ? {} : { level }),
  stage: stage.number,
});

const mapped = (stage: Stage, paddr: bigint, size: bigint, perm: Permission, level: number): Mapped => ({
  paddr,
  size,
  perm,
  level,
  deniedBy: stage.number,
});

/** Inputs at the edges of the range; for the first stage the upper half is sign-extended. */
function edges({ number, mode }: Stage): {
  readonly inside: readonly bigint[];
  readonly outside: readonly bigint[];
} {
  const { width } = mode;
  const end = 1n << BigInt(width);
  const all = 1n << 64n;
  const beyond = range(width, 63).map((bit) => (1n << BigInt(bit)) | 0x5000n);
  if (number === 2)
    return { inside: [0n, end - 0x1000n, end / 2n, end / 4n - 0x1000n], outside: [end, ...beyond] };
  const half = end / 2n;
  // One bit of the sign extension wrong, and the first address after the lower half.
  const wrong = range(width - 1, 63).map((bit) => (all - 0x1000n) ^ (1n << BigInt(bit)));
  return {
    inside: [0n, half - 0x1000n, all - half, all - 0x1000n],
    outside: [half, all - half - 0x1000n, ...beyond, ...wrong],
  };
}

/** Leaves at every level, at the edges of the input range. */
const geometry = (stage: Stage): Build => {
  return () => {
    const { mode } = stage;
    const image = new RiscvImage(`riscv: ${mode.name}, leaves at every level`);
    const { cases } = image;
    const tree = pageTable(image.memory, mode);
    const who = device(image, stage, tree.root);
    const { inside, outside } = edges(stage);
    const section = stage.number === 1 ? 'Privileged 4.4 to 4.6' : 'Privileged 8.5.1';
    inside.forEach((iova, index) => {
      const paddr = 0x4321_0000_0000n + BigInt(index) * 0x11_1000n;
      tree.set(iova, 0, leafTo(paddr));
      cases.page(who, iova, mapped(stage, paddr, 0x1000n, 'RW', 0), `${mode.name}, 4K page (${section})`);
    });
    for (const iova of outside) {
      const why =
        stage.number === 1
          ? `${mode.name}: the bits above ${mode.width - 1} must equal it (${section})`
          : `${mode.name}: GPA bits above ${mode.width - 1} must be zero (${section})`;
      cases.refused(who, iova, fault(stage, 'address-width'), why);
    }
    for (let level = 1; level < mode.levels; level++) {
      const span = tree.span(level);
      const top = level === mode.levels - 1;
      const iova = top ? span * 3n : tree.span(level + 1) + span * 5n;
      const paddr = span * 7n + (level === 4 ? 0n : 1n << 50n);
      tree.set(iova, level, leafTo(paddr));
      const why = `${mode.name}: a leaf at level ${level} (Privileged 4.3.2 step 6)`;
      cases.page(who, iova, mapped(stage, paddr, span, 'RW', level), why);
    }
    const largest = ((1n << 56n) - 0x1000n) | 0n;
    tree.set(0x1000n, 0, leafTo(largest));
    const ppn = 'A PPN has 44 bits (Privileged 4.4.1)';
    cases.page(who, 0x1000n, mapped(stage, largest, 0x1000n, 'RW', 0), ppn);
    cases.refused(who, 0x2000n, fault(stage, 'not-present', 0), 'PTE.V=0 (Privileged 4.3.2 step 3)');
    const lost = tree.span(1) * 9n;
    tree.set(lost, 1, ((1n << 41n) >> 2n) | PTE.V);
    const absent = 'The next table is not in the image: access fault (Privileged 4.3.2 step 2)';
    cases.refused(who, lost, { fault: 'table-unreadable' }, absent);
    for (let level = 1; level < mode.levels; level++) {
      const empty = level === mode.levels - 1 ? tree.span(level) * 6n : tree.span(level) * 77n;
      cases.refused(who, empty, fault(stage, 'not-present', level), `PTE.V=0 at level ${level}`);
    }
    return image.build();
  };
};

/** R, W, X, U, A and D of a leaf; SADE and GADE. */
const permissions = (stage: Stage): Build => {
  return () => {
    const { mode, number } = stage;
    const image = new RiscvImage(`riscv: ${mode.name}, permissions, A and D`);
    const { cases } = image;
    const tree = pageTable(image.memory, mode);
    const plain = device(image, stage, tree.root);
    const updated = device(image, stage, tree.root, TC.V | (number === 1 ? TC.SADE : TC.GADE));
    const other = device(image, stage, tree.root, TC.V | (number === 1 ? TC.GADE : TC.SADE));
    const enable = number === 1 ? 'SADE' : 'GADE';
    for (let level = 0; level < mode.levels; level++) {
      const span = tree.span(level);
      const base = level === mode.levels - 1 ? span * 8n : tree.span(level + 1);
      const put = (index: bigint, flags: bigint): { readonly iova: bigint; readonly paddr: bigint } => {
        const at = { iova: base + index * span, paddr: (1n << 50n) + index * span };
        tree.set(at.iova, level, leafTo(at.paddr, flags));
        return at;
      };
      const page = (who: Requester, at: ReturnType<typeof put>, perm: Permission, why: string): void =>
        cases.page(who, at.iova, mapped(stage, at.paddr, span, perm, level), why);
      const AD = PTE.A | PTE.D;
      const user = PTE.V | PTE.U | AD;
      page(plain, put(0n, user | PTE.R), 'R', 'R=1, W=0 (Privileged 4.3.2 step 5)');
      page(plain, put(1n, user | PTE.R | PTE.W), 'RW', 'R=1, W=1');
      page(plain, put(2n, user | PTE.R | PTE.X), 'R', 'R=1, X=1');
      page(plain, put(3n, user | PTE.R | PTE.W | PTE.X | PTE.G), 'RW', 'R=W=X=G=1');
      const execute = put(4n, user | PTE.X);
      const denied = number === 1 ? { level, stage: 1 as const } : { stage: 2 as const };
      cases.denied(
        plain,
        execute.iova,
        denied,
        'X=1 alone: neither data reads nor writes (Privileged 4.3.2 step 5)',
      );
      const supervisor = put(5n, LEAF & ~PTE.U);
      const noUser = 'U=0: the request has no supervisor privilege (Privileged 4.3.2 step 5, 8.5.1)';
      cases.denied(plain, supervisor.iova, denied, noUser);
      for (const [index, flags] of [user | PTE.W, user | PTE.W | PTE.X].entries()) {
        const at = put(6n + BigInt(index), flags);
        const why = 'W=1 without R is reserved: page fault (Privileged 4.3.2 step 3)';
        cases.refused(plain, at.iova, fault(stage, 'entry-reserved', level), why);
      }
      const old = put(8n, LEAF & ~PTE.A);
      const noUpdate = `A=0 with ${enable}=0: page fault (IOMMU 1.0 2.1.3, Privileged 4.3.2 step 7)`;
      for (const who of [plain, other]) {
        cases.refused(who, old.iova, fault(stage, 'access-flag', level), noUpdate);
      }
      page(updated, old, 'RW', `${enable}=1: hardware sets A (IOMMU 1.0 2.1.3)`);
      const clean = put(9n, LEAF & ~PTE.D);
      const noDirty = `D=0 on a write with ${enable}=0: page fault (IOMMU 1.0 2.1.3)`;
      for (const who of [plain, other]) {
        cases.refusedOne(who, clean.iova, 'write', fault(stage, 'dirty-flag', level), noDirty);
      }
      page(updated, clean, 'RW', `${enable}=1: hardware sets D on a write (IOMMU 1.0 2.1.3)`);
      const readOnly = put(10n, (LEAF & ~PTE.D & ~PTE.W) | 0n);
      page(plain, readOnly, 'R', 'D=0 does not matter to reads; W=0 refuses the write (Privileged 4.3.2)');
      const neither = put(11n, LEAF & ~AD);
      page(updated, neither, 'RW', `${enable}=1: hardware sets A and D (IOMMU 1.0 2.1.3)`);
      const software = put(12n, LEAF | (3n << 8n));
      page(plain, software, 'RW', 'RSW is for software (Privileged 4.4.1)');
    }
    return image.build();
  };
};

/** A chain of valid tables below every level, so that one pointer can be damaged alone. */
function chains(tree: RadixTree, mode: Mode, target: bigint): readonly bigint[] {
  const shared = 1n << BigInt(mode.width - 2);
  tree.set(shared, 0, leafTo(target));
  const pointers: bigint[] = [0n];
  for (let level = 1; level < mode.levels; level++) {
    // The address of the table of the next level is the slot of its first entry.
    pointers.push(((tree.slot(shared, level - 1) & ~0xfffn) >> 2n) | PTE.V);
  }
  return pointers;
}

interface Flip {
  readonly cases: Cases;
  readonly stage: Stage;
  readonly tree: RadixTree;
  readonly who: Requester;
}

/** Sets each bit of a good leaf or pointer alone and expects the fault that reserved bits give. */
function flipLeaves(
  { cases, stage, tree, who }: Flip,
  level: number,
  bits: readonly number[],
  why: string,
): void {
  const span = tree.span(level);
  bits.forEach((bit, index) => {
    const iova = place(stage.mode, level, index, span);
    tree.set(iova, level, leafTo(1n << 55n) ^ (1n << BigInt(bit)));
    const rule = `Bit ${bit} of a leaf at level ${level}: ${why}`;
    cases.refused(who, iova, fault(stage, 'entry-reserved', level), rule);
  });
}

/** Where entry `index` of a level stands: beside the first table of the level above, from its second entry on. */
function place(mode: Mode, level: number, index: number, span: bigint): bigint {
  // The root uses its lower quarter only, so that the first stage stays in the lower half.
  if (index >= (level === mode.levels - 1 ? 120 : 500)) throw new Error('too many entries');
  return span * BigInt(index + 4);
}

/** Every reserved bit of every level alone. */
const reservedBits = (stage: Stage): Build => {
  return () => {
    const { mode } = stage;
    const image = new RiscvImage(`riscv: ${mode.name}, reserved bits`);
    const { cases } = image;
    const tree = pageTable(image.memory, mode);
    const who = device(image, stage, tree.root);
    const flip = { cases, stage, tree, who };
    const pointers = chains(tree, mode, 0x77_7777_7000n);
    const rule = 'reserved: page fault (Privileged 4.3.2 step 3, 4.4.1)';
    for (let level = 0; level < mode.levels; level++) {
      const span = tree.span(level);
      const misaligned = range(10, 9 + 9 * level);
      const reserved = range(54, 62);
      const all = level === 0 ? [] : [63];
      flipLeaves(flip, level, [...reserved, ...all], rule);
      const next = reserved.length + all.length;
      misaligned.forEach((bit, index) => {
        const iova = place(mode, level, next + index, span);
        tree.set(iova, level, leafTo(1n << 55n) | (1n << BigInt(bit)));
        const why = `PPN bit ${bit} of a leaf at level ${level}: misaligned superpage (Privileged 4.3.2 step 6)`;
        cases.refused(who, iova, fault(stage, 'entry-reserved', level), why);
      });
      const used = next + misaligned.length;
      const good = place(mode, level, used, span);
      tree.set(good, level, leafTo(1n << 55n));
      const whyGood = `The leaf at level ${level} that the others differ from in one bit`;
      cases.page(who, good, mapped(stage, 1n << 55n, span, 'RW', level), whyGood);
      const pointer = pointers[level];
      if (level === 0 || pointer === undefined) continue;
      // The tables are shared: an unharmed pointer reaches the page that the chain maps, at its first entries.
      const fine = place(mode, level, used + 1, span);
      tree.set(fine, level, pointer);
      const shared = mapped(stage, 0x77_7777_7000n, 0x1000n, 'RW', 0);
      cases.page(who, fine, shared, `The pointer at level ${level} that the others differ from in one bit`);
      [4, 6, 7, ...range(54, 63)].forEach((bit, index) => {
        const iova = place(mode, level, used + 2 + index, span);
        tree.set(iova, level, pointer | (1n << BigInt(bit)));
        const why = `Bit ${bit} of a pointer at level ${level}: ${rule}`;
        cases.refused(who, iova, fault(stage, 'entry-reserved', level), why);
      });
      [5, 8, 9].forEach((bit, index) => {
        const iova = place(mode, level, used + 15 + index, span);
        tree.set(iova, level, pointer | (1n << BigInt(bit)));
        const why = `Bit ${bit} of a pointer at level ${level} does not count (Privileged 4.4.1)`;
        if (bit !== 5 || stage.number === 1) cases.page(who, iova, shared, why);
      });
    }
    const last = place(mode, 0, 300, 0x1000n);
    tree.set(last, 0, pointers[1] ?? 0n);
    const tooDeep = 'R=W=X=0 at level 0: there is no further level, page fault (Privileged 4.3.2 step 4)';
    cases.refused(who, last, fault(stage, 'entry-reserved', 0), tooDeep);
    return image.build();
  };
};

/** Svnapot: 16 equal entries with PPN[3:0]=8 map 64 KiB; other codes are reserved. */
const napot = (stage: Stage): Build => {
  return () => {
    const { mode } = stage;
    const image = new RiscvImage(`riscv: ${mode.name}, Svnapot`);
    const { cases } = image;
    const tree = pageTable(image.memory, mode);
    const who = device(image, stage, tree.root);
    for (const [start, paddr] of [
      [0n, 0x12_3450_0000n],
      [0x1f_0000n, 0xab_cdef_0000n],
    ] as const) {
      const size = 0x10000n;
      for (let page = 0n; page < 16n; page++) {
        tree.set(start + page * 0x1000n, 0, leafTo(paddr | 0x8000n) | PTE.N);
      }
      const range64 = mapped(stage, paddr, size, 'RW', 0);
      const why = 'N=1 and PPN[3:0]=8: a 64 KiB range (Svnapot)';
      cases.page(who, start, range64, why);
      for (let page = 0n; page < 16n; page++) {
        cases.hit(who, start, 'read', range64, page * 0x1000n, why);
        cases.hit(who, start, 'write', range64, page * 0x1000n + 0xfffn, why);
      }
    }
    for (let low = 0n; low < 16n; low++) {
      if (low === 8n) continue;
      const iova = 0x10_0000n + low * 0x1000n;
      tree.set(iova, 0, leafTo(0x55_5550_0000n | (low << 12n)) | PTE.N);
      const why = `N=1 and PPN[3:0]=${low}: a reserved code, page fault (Svnapot, table of encodings)`;
      cases.refused(who, iova, fault(stage, 'entry-reserved', 0), why);
    }
    const block = tree.span(1) * 3n;
    tree.set(block, 1, leafTo(0x60_0000_0000n) | PTE.N);
    const above = 'N=1 above level 0: a reserved code, page fault (Svnapot)';
    cases.refused(who, block, fault(stage, 'entry-reserved', 1), above);
    return image.build();
  };
};

/** Svpbmt and Svrsw60t59b when the IOMMU has them. */
const extensions = (stage: Stage): Build => {
  return () => {
    const { mode } = stage;
    const capabilities = CAPABILITIES | CAP.svpbmt | CAP.svrsw60t59b;
    const image = new RiscvImage(`riscv: ${mode.name}, Svpbmt and Svrsw60t59b`, { capabilities });
    const { cases } = image;
    const tree = pageTable(image.memory, mode);
    const who = device(image, stage, tree.root);
    for (let level = 0; level < mode.levels; level++) {
      const span = tree.span(level);
      const at = (index: number): bigint => place(mode, level, index, span);
      const page = mapped(stage, 1n << 55n, span, 'RW', level);
      [1n << 59n, 1n << 60n, 3n << 59n, 1n << 61n, 2n << 61n].forEach((bits, index) => {
        tree.set(at(index), level, leafTo(1n << 55n) | bits);
        const why =
          'capabilities.Svpbmt: PBMT 1 and 2; Svrsw60t59b: bits 60:59 are for software (IOMMU 1.0 5.3)';
        cases.page(who, at(index), page, why);
      });
      tree.set(at(6), level, leafTo(1n << 55n) | (3n << 61n));
      const three = 'PBMT=3 is reserved: page fault (Svpbmt)';
      cases.refused(who, at(6), fault(stage, 'entry-reserved', level), three);
      if (level === 0) continue;
      const reached = at(8);
      tree.set(reached, 0, leafTo(0x44_4444_4000n));
      tree.add(reached, level, 3n << 59n);
      const software = 'Svrsw60t59b: bits 60:59 of a pointer are for software';
      cases.page(who, reached, mapped(stage, 0x44_4444_4000n, 0x1000n, 'RW', 0), software);
      for (const [index, type] of [1n, 2n, 3n].entries()) {
        const iova = at(9 + index);
        tree.set(iova, 0, leafTo(0x44_4444_4000n));
        tree.add(iova, level, type << 61n);
        const why = `PBMT=${type} of a pointer is reserved: page fault (Svpbmt)`;
        cases.refused(who, iova, fault(stage, 'entry-reserved', level), why);
      }
    }
    return image.build();
  };
};

export const RISCV_PAGE_IMAGES: readonly Build[] = stages
  .flatMap((stage) => [geometry(stage), permissions(stage), reservedBits(stage)])
  .concat([napot({ number: 1, mode: SV39 }), napot({ number: 2, mode: SV57X4 })])
  .concat([extensions({ number: 1, mode: SV39 }), extensions({ number: 2, mode: SV57X4 })]);
