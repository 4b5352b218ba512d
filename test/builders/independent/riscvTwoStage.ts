/** Both stages: every address of the first stage is a guest physical address. Privileged 8.5; IOMMU 1.0 2.3. */
import { type Build, type Permission } from './armRiscvCases';
import { GuestSpace } from './armRiscvMemory';
import { type RadixTree } from './armRiscvRadix';
import {
  atp,
  LEAF,
  leafTo,
  type Mode,
  MODES,
  MODES_X4,
  pageTable,
  ppn,
  PTE,
  RiscvImage,
  SV39,
  SV39X4,
  SV48,
  SV48X4,
  TC,
} from './riscvImage';

const PAGE = 0x1000n;
const STAGE2 = { stage: 2 } as const;

export interface TwoStage {
  readonly image: RiscvImage;
  readonly second: RadixTree;
  readonly guest: GuestSpace;
  readonly iohgatp: bigint;
}

/** A second stage, with guest pages high in its range that lie scattered in memory. */
export function twoStage(image: RiscvImage, mode: Mode): TwoStage {
  const second = pageTable(image.memory, mode);
  const enter = (gpa: bigint, paddr: bigint): void => second.set(gpa, 0, leafTo(paddr));
  // A PPN has 44 bits, so the guest addresses of tables stay below 2^56 even where the mode takes more.
  const width = Math.min(mode.width, 56);
  const start = (1n << BigInt(width - 1)) | (1n << BigInt(width - 3));
  const guest = new GuestSpace(image.memory, enter, start);
  return { image, second, guest, iohgatp: atp(mode.code, second.root) };
}

function firstStage({ image, guest, iohgatp }: TwoStage, mode: Mode, tc: bigint = TC.V) {
  const tree = pageTable(guest, mode);
  const requester = image.device({ tc, iohgatp, fsc: atp(mode.code, tree.root) });
  return { tree, requester };
}

/** Every first-stage mode over every second-stage mode. */
const scattered = (first: Mode, second: Mode): Build => {
  return () => {
    const setup = twoStage(new RiscvImage(`riscv: ${first.name} over ${second.name}`), second);
    const { cases } = setup.image;
    const { tree, requester } = firstStage(setup, first);
    const half = 1n << BigInt(first.width - 1);
    const why = `${first.name} page over ${second.name} page: tables and output are GPAs (IOMMU 1.0 2.3 step 17)`;
    for (const [index, iova] of [0n, half - PAGE, (1n << 64n) - half, (1n << 64n) - PAGE].entries()) {
      const gpa = 0x45_6000_0000n + BigInt(index) * 0x23_000n;
      const paddr = 0x7_1111_0000n - BigInt(index) * 0x5000n;
      tree.set(iova, 0, leafTo(gpa));
      setup.second.set(gpa, 0, leafTo(paddr));
      cases.page({ requester }, iova, { paddr, size: PAGE, perm: 'RW', level: 0 }, why);
    }
    const wrong = { fault: 'address-width', stage: 1 } as const;
    cases.refused({ requester }, half, wrong, `${first.name}: not sign-extended, a first-stage page fault`);
    const empty = { fault: 'not-present', level: 0, stage: 1 } as const;
    cases.refused({ requester }, PAGE, empty, 'PTE.V=0 in the first stage: page fault, not guest-page fault');
    const end = 1n << BigInt(second.width);
    tree.set(2n * PAGE, 0, leafTo(end));
    const beyond = `GPA bits above ${second.width - 1} must be zero: guest-page fault (Privileged 8.5.1)`;
    if (second.width < 56)
      cases.refused({ requester }, 2n * PAGE, { fault: 'address-width', ...STAGE2 }, beyond);
    return setup.image.build();
  };
};

/** Pages of different sizes on both sides. */
const mixedSizes: Build = () => {
  const setup = twoStage(new RiscvImage('riscv: superpages in two stages'), SV48X4);
  const { image, second } = setup;
  const { cases } = image;
  const { tree, requester } = firstStage(setup, SV48);
  const block = 0x1_0020_0000n;
  const gpa = 0x22_0040_0000n;
  tree.set(block, 1, leafTo(gpa));
  const over = 'A 2M page of the first stage over 4K pages of the second (Privileged 8.5)';
  for (const [index, offset] of [0n, 0x3000n, 0x10_0000n, 0x1f_f000n].entries()) {
    const paddr = 0x99_0000_0000n - BigInt(index) * 0x7_7000n;
    second.set(gpa + offset, 0, leafTo(paddr));
    const mapped = { paddr: paddr - offset, size: 0x20_0000n, perm: 'RW', level: 1 } as const;
    cases.hit({ requester }, block, 'read', mapped, offset, over);
    cases.hit({ requester }, block, 'write', mapped, offset + 0xfffn, over);
  }
  const hole = { fault: 'not-present', level: 0, ...STAGE2 };
  cases.refused(
    { requester },
    block + 0x1000n,
    hole,
    'A hole of the second stage inside a 2M page of the first',
  );

  const large = 0x33_0000_0000n;
  second.set(large, 2, leafTo(0x40_0000_0000n));
  const huge = 1n << 40n;
  second.set(huge, 3, leafTo(1n << 50n));
  const small: readonly (readonly [bigint, bigint, bigint])[] = [
    [0x2_0000_0000n, large + 0x1234_5000n, 0x40_1234_5000n],
    [0x2_0000_1000n, huge + 0x12_3456_7000n, (1n << 50n) + 0x12_3456_7000n],
  ];
  for (const [iova, output, paddr] of small) {
    tree.set(iova, 0, leafTo(output));
    const why = 'A 4K page of the first stage over a superpage of the second (Privileged 8.5)';
    cases.page({ requester }, iova, { paddr, size: PAGE, perm: 'RW', level: 0 }, why);
  }
  tree.set(0x4000_0000n, 2, leafTo(large));
  const both = { paddr: 0x40_0000_0000n, size: 1n << 30n, perm: 'RW', level: 2 } as const;
  cases.page({ requester }, 0x4000_0000n, both, 'A 1G page of the first stage over one of the second');

  // A NAPOT range of the second stage below single pages of the first.
  const wide = 0x25_0000_0000n;
  for (let index = 0n; index < 16n; index++) {
    second.set(wide + index * PAGE, 0, leafTo(0x6_0001_8000n) | PTE.N);
    tree.set(0x5_0000_0000n + index * PAGE, 0, leafTo(wide + (15n - index) * PAGE));
  }
  for (let index = 0n; index < 16n; index++) {
    const why = 'A 4K page of the first stage in a 64K NAPOT range of the second (Svnapot)';
    const mapped = {
      paddr: 0x6_0001_0000n + (15n - index) * PAGE,
      size: PAGE,
      perm: 'RW',
      level: 0,
    } as const;
    cases.page({ requester }, 0x5_0000_0000n + index * PAGE, mapped, why);
  }

  // A NAPOT range of the first stage over single pages of the second, in descending order.
  const napot = 0x3_0000_0000n;
  const target = 0x24_0000_0000n;
  for (let index = 0n; index < 16n; index++) {
    tree.set(napot + index * PAGE, 0, leafTo(target | 0x8000n) | PTE.N);
    second.set(target + index * PAGE, 0, leafTo(0x5_0000_0000n - index * PAGE));
  }
  for (let index = 0n; index < 16n; index++) {
    const paddr = 0x5_0000_0000n - 2n * index * PAGE;
    const why = 'A 64K NAPOT range of the first stage over 4K pages of the second (Svnapot)';
    const mapped = { paddr, size: 0x10000n, perm: 'RW', level: 0 } as const;
    cases.hit({ requester }, napot, 'read', mapped, index * PAGE + 0xabn, why);
  }
  return image.build();
};

/** What both stages allow, and which of them refuses. */
const permissions: Build = () => {
  const setup = twoStage(new RiscvImage('riscv: permissions in two stages'), SV39X4);
  const { image, second } = setup;
  const { cases } = image;
  const { tree, requester } = firstStage(setup, SV39);
  const both = firstStage(setup, SV39, TC.V | TC.SADE | TC.GADE);
  const sade = firstStage(setup, SV39, TC.V | TC.SADE);
  const readOnly = LEAF & ~PTE.W;
  const table: readonly (readonly [bigint, bigint, Permission, 1 | 2])[] = [
    [LEAF, LEAF, 'RW', 2],
    [LEAF, readOnly, 'R', 2],
    [readOnly, LEAF, 'R', 1],
    [readOnly, readOnly, 'R', 1],
  ];
  let next = 0n;
  const put = (first: bigint, flags: bigint) => {
    const iova = next * PAGE;
    const gpa = 0x33_0000_0000n + next * 3n * PAGE;
    const paddr = 0x8_0000_0000n + next * 5n * PAGE;
    next += 1n;
    for (const { tree: each } of [{ tree }, both, sade]) each.set(iova, 0, leafTo(gpa, first));
    second.set(gpa, 0, leafTo(paddr, flags));
    return { iova, paddr };
  };
  for (const [first, flags, perm, deniedBy] of table) {
    const { iova, paddr } = put(first, flags);
    const why = 'Both stages must permit; the one that does not raises the fault (Privileged 8.5)';
    cases.page({ requester }, iova, { paddr, size: PAGE, perm, level: 0, deniedBy }, why);
  }
  const noUser = put(LEAF & ~PTE.U, LEAF);
  cases.denied(
    { requester },
    noUser.iova,
    { level: 0, stage: 1 },
    'U=0 in the first stage (Privileged 4.3.2 step 5)',
  );
  const noGuest = put(LEAF, LEAF & ~PTE.U);
  cases.denied({ requester }, noGuest.iova, STAGE2, 'U=0 in the second stage (Privileged 8.5.1)');
  const refuse = (
    at: { readonly iova: bigint },
    who: number,
    name: string,
    stage: 1 | 2,
    why: string,
  ): void => cases.refused({ requester: who }, at.iova, { fault: name, level: 0, stage }, why);
  const old1 = put(LEAF & ~PTE.A, LEAF);
  refuse(old1, requester, 'access-flag', 1, 'A=0 in the first stage, SADE=0 (IOMMU 1.0 2.1.3)');
  const old2 = put(LEAF, LEAF & ~PTE.A);
  refuse(old2, requester, 'access-flag', 2, 'A=0 in the second stage, GADE=0 (IOMMU 1.0 2.1.3)');
  refuse(
    old2,
    sade.requester,
    'access-flag',
    2,
    'A=0 in the second stage: SADE does not help (IOMMU 1.0 2.1.3)',
  );
  const clean2 = put(LEAF, LEAF & ~PTE.D);
  const dirty = { fault: 'dirty-flag', level: 0, ...STAGE2 };
  const noDirty = 'D=0 in the second stage on a write, GADE=0 (IOMMU 1.0 2.1.3)';
  cases.refusedOne({ requester }, clean2.iova, 'write', dirty, noDirty);
  const clean1 = put(LEAF & ~PTE.D, LEAF);
  const dirty1 = { fault: 'dirty-flag', level: 0, stage: 1 } as const;
  cases.refusedOne({ requester }, clean1.iova, 'write', dirty1, 'D=0 in the first stage on a write, SADE=0');
  for (const { iova, paddr } of [old1, old2, clean1, clean2]) {
    const mapped = { paddr, size: PAGE, perm: 'RW', level: 0 } as const;
    cases.page(
      { requester: both.requester },
      iova,
      mapped,
      'SADE=1 and GADE=1: hardware sets A and D (IOMMU 1.0 2.1.3)',
    );
  }
  const update = 'SADE=1: hardware sets A and D of the first stage, the second needs none (IOMMU 1.0 2.1.3)';
  for (const { iova, paddr } of [old1, clean1]) {
    cases.page({ requester: sade.requester }, iova, { paddr, size: PAGE, perm: 'RW', level: 0 }, update);
  }
  return image.build();
};

/** The second stage refuses a table of the first, or the final address. */
const secondStageFaults: Build = () => {
  const setup = twoStage(new RiscvImage('riscv: guest-page faults'), SV39X4);
  const { image, second, iohgatp } = setup;
  const { cases } = image;
  const iova = 0x12_3456_7000n;
  const rule = 'a guest-page fault of an implicit access (Privileged 8.5)';
  const unmapped = { fault: 'not-present', ...STAGE2 };
  const noRoot = image.device({ iohgatp, fsc: atp(8n, 0x55_0000_0000n) });
  cases.refused({ requester: noRoot }, iova, unmapped, `The root is at a GPA that is not mapped: ${rule}`);
  const far = image.device({ iohgatp, fsc: atp(8n, 1n << 42n) });
  const width = { fault: 'address-width', ...STAGE2 };
  cases.refused({ requester: far }, iova, width, `The root is beyond the GPAs of Sv39x4: ${rule}`);
  let table = 0x56_0000_0000n;
  /** A device whose walk meets a table that the second stage maps so. */
  const through = (level: number, flags: bigint): number => {
    const { tree, requester } = firstStage(setup, SV39);
    table += PAGE;
    tree.set(iova, level, ppn(table) | PTE.V);
    if (flags !== 0n) second.set(table, 0, leafTo(0x1_0000_0000n, flags));
    return requester;
  };
  for (const level of [1, 2]) {
    const why = `The table below level ${level} is at a GPA that is not mapped: ${rule}`;
    cases.refused({ requester: through(level, 0n) }, iova, unmapped, why);
  }
  const reserved = { fault: 'entry-reserved', level: 0, ...STAGE2 };
  const why54 = `A reserved bit in the second-stage entry of a table: ${rule}`;
  cases.refused({ requester: through(1, LEAF | (1n << 54n)) }, iova, reserved, why54);
  const old = { fault: 'access-flag', level: 0, ...STAGE2 };
  cases.refused({ requester: through(1, LEAF & ~PTE.A) }, iova, old, `A=0 for a table, GADE=0: ${rule}`);
  const denied = { fault: 'read-denied', ...STAGE2 };
  const noUser = through(1, LEAF & ~PTE.U);
  cases.refusedOne({ requester: noUser }, iova, 'read', denied, `U=0 for a table: ${rule}`);
  const noRead = through(2, PTE.V | PTE.X | PTE.U | PTE.A | PTE.D);
  cases.refusedOne({ requester: noRead }, iova, 'read', denied, `R=0 for a table: ${rule}`);

  const { tree, requester } = firstStage(setup, SV39);
  tree.set(iova, 0, leafTo(0x57_0000_0000n));
  cases.refused(
    { requester },
    iova,
    unmapped,
    'The output GPA is not mapped: guest-page fault (Privileged 8.5)',
  );
  tree.set(iova + PAGE, 0, leafTo(0x58_0000_0000n));
  second.set(0x58_0000_0000n, 0, leafTo(0x1_0000_0000n) | (1n << 57n));
  const final = 'A reserved bit in the second-stage entry of the output: guest-page fault (Privileged 8.5)';
  cases.refused({ requester }, iova + PAGE, reserved, final);
  tree.set(iova + 2n * PAGE, 0, leafTo(1n << 41n));
  cases.refused({ requester }, iova + 2n * PAGE, width, 'The output GPA is beyond Sv39x4 (Privileged 8.5.1)');
  tree.set(iova + 3n * PAGE, 0, leafTo(0x1000n) | (1n << 58n));
  const first = { fault: 'entry-reserved', level: 0, stage: 1 } as const;
  cases.refused({ requester }, iova + 3n * PAGE, first, 'A reserved bit in the first stage: page fault');
  return image.build();
};

/** Guest addresses of virtual interrupt files are not for the second stage (IOMMU 1.0 2.1.3, msi_addr_pattern). */
const interruptFiles: Build = () => {
  const image = new RiscvImage('riscv: virtual interrupt files', { extended: true });
  const { cases } = image;
  const { second, iohgatp } = twoStage(image, SV39X4);
  const msiTable = image.memory.allocate(PAGE);
  const files = 0x2800_0000n;
  for (let index = 0n; index < 5n; index++)
    second.set(files + index * PAGE, 0, leafTo(0x6_0000_0000n + index * PAGE));
  const context = { iohgatp, msiMask: 3n, msiPattern: files >> 12n };
  const on = image.device({ ...context, msiptp: atp(1n, msiTable) });
  const why =
    'GPA[63:12] matches msi_addr_pattern where msi_addr_mask is 0: an interrupt file (IOMMU 1.0 2.1.3)';
  for (let index = 0n; index < 4n; index++) {
    const fault = { fault: 'interrupt-window' };
    cases.refusedOne({ requester: on }, files + index * PAGE, 'write', fault, why);
  }
  const page = (index: bigint) =>
    ({ paddr: 0x6_0000_0000n + index * PAGE, size: PAGE, perm: 'RW', level: 0 }) as const;
  const beside = 'Beside the pattern the second stage translates (IOMMU 1.0 2.3 step 18)';
  cases.page({ requester: on }, files + 4n * PAGE, page(4n), beside);
  const off = image.device(context);
  const noMsi = 'msiptp.MODE=Off: the pattern does not count (IOMMU 1.0 2.1.3)';
  cases.page({ requester: off }, files, page(0n), noMsi);
  cases.page({ requester: off }, files + 3n * PAGE, page(3n), noMsi);
  return image.build();
};

export const RISCV_TWO_STAGE_IMAGES: readonly Build[] = [
  ...MODES.flatMap((first) => MODES_X4.map((second) => scattered(first, second))),
  mixedSizes,
  permissions,
  secondStageFaults,
  interruptFiles,
];
