/** Process directories and process contexts. RISC-V IOMMU 1.0 2.2 (process-directory table), 2.3 (process to translate). */
import { type Build, type Mapped } from './armRiscvCases';
import { type Space } from './armRiscvMemory';
import { RadixTree } from './armRiscvRadix';
import { range } from './riscvDirectory';
import {
  atp,
  CAP,
  CAPABILITIES,
  leafTo,
  type Mode,
  pageTable,
  ppn,
  RiscvImage,
  SV39,
  SV39X4,
  SV48,
  SV57,
  TC,
} from './riscvImage';
import { twoStage } from './riscvTwoStage';

const IOVA = 0x12_3456_7000n;
const PAGE = 0x1000n;

/** pdtp.MODE: code, levels, bits of process_id. */
interface Directory {
  readonly name: string;
  readonly code: bigint;
  readonly levels: number;
  readonly width: number;
}
const PD8: Directory = { name: 'PD8', code: 1n, levels: 1, width: 8 };
const PD17: Directory = { name: 'PD17', code: 2n, levels: 2, width: 17 };
const PD20: Directory = { name: 'PD20', code: 3n, levels: 3, width: 20 };
const DIRECTORIES = [PD8, PD17, PD20] as const;

/** A tree over process_id in words: a process context takes two. */
function processTree(space: Space, { levels }: Directory): RadixTree {
  const all = [
    { level: 2, shift: 18, bits: 3 },
    { level: 1, shift: 9, bits: 9 },
    { level: 0, shift: 0, bits: 9 },
  ];
  const pointer = (table: bigint): bigint => ppn(table) | 1n;
  return new RadixTree(space, { levels: all.slice(3 - levels), pointer, tableAlignment: PAGE });
}

const wordOf = (pasid: number, word = 0): bigint => BigInt(pasid) * 2n + BigInt(word);

function putContext(tree: RadixTree, pasid: number, ta: bigint, fsc: bigint): void {
  tree.set(wordOf(pasid), 0, ta);
  tree.set(wordOf(pasid, 1), 0, fsc);
}

const targetOf = (pasid: number): bigint => 0x30_0000_0000n + BigInt(pasid) * 0x3000n;
const pageOf = (pasid: number): Mapped => ({ paddr: targetOf(pasid), size: PAGE, perm: 'RW', level: 0 });

/** First-stage root for a process, mapping its page. */
function contextRoot(space: Space, pasid: number, mode: Mode = SV39): bigint {
  const tree = pageTable(space, mode);
  tree.set(IOVA, 0, leafTo(targetOf(pasid)));
  return atp(mode.code, tree.root);
}

const V = 1n;

const directories = (directory: Directory): Build => {
  return () => {
    const { name, width, levels, code } = directory;
    const image = new RiscvImage(`riscv: process directory ${name}`);
    const { cases, memory } = image;
    const tree = processTree(memory, directory);
    const fsc = atp(code, tree.root);
    const requester = image.device({ tc: TC.V | TC.PDTV, fsc });
    const end = 2 ** width;
    const known = new Set([1, 2, 255, end - 1, Math.floor(end / 3)]);
    if (levels > 1) for (const pasid of [256, 257, 511, 256 * 511]) known.add(pasid);
    if (levels > 2) known.add(2 ** 17 * 5 + 256 * 3 + 9);
    [...known].forEach((pasid, index) => {
      const mode = [SV39, SV48, SV57][index % 3] ?? SV39;
      putContext(tree, pasid, V, contextRoot(memory, pasid, mode));
      const why = `${name}: PDI[0] has 8 bits, PDI[1] 9, PDI[2] 3; PC.fsc is ${mode.name} (IOMMU 1.0 2.2)`;
      cases.page({ requester, pasid }, IOVA, pageOf(pasid), why);
    });
    for (const pasid of [end, end + 1, 0xfffff].filter((id) => id >= end && id < 2 ** 20)) {
      const why = `process_id wider than ${name}: transaction type disallowed, cause 260 (IOMMU 1.0 2.3)`;
      cases.refused({ requester, pasid }, IOVA, { fault: 'pasid-out-of-range' }, why);
    }
    const missing = { fault: 'process-entry-not-present' };
    const notValid = 'PC.ta.V=0: PDT entry not valid, cause 266 (IOMMU 1.0 2.3.2)';
    for (const pasid of [0, 3]) cases.refused({ requester, pasid }, IOVA, missing, notValid);
    const without = 'DPE=0 and no process_id: the first stage is Bare (IOMMU 1.0 2.3)';
    cases.passThrough({ requester }, [0n, IOVA], without);
    const unknown = image.device({ tc: TC.V | TC.PDTV | TC.DPE, fsc });
    const zero = 'DPE=1 and no process_id: process_id 0, whose PC is not valid, cause 266 (IOMMU 1.0 2.3)';
    cases.refused({ requester: unknown }, IOVA, missing, zero);
    const nowhere = image.device({ tc: TC.V | TC.PDTV, fsc: atp(code, 1n << 41n) });
    const unreadable = { fault: 'process-entry-unreadable' };
    const absent =
      'The directory is not in the image: PDT entry load access fault, cause 265 (IOMMU 1.0 2.3.2)';
    cases.refused({ requester: nowhere, pasid: 1 }, IOVA, unreadable, absent);
    if (levels > 1) {
      const empty = 'A non-leaf PDT entry with V=0: cause 266 (IOMMU 1.0 2.3.2)';
      cases.refused({ requester, pasid: 256 * 100 }, IOVA, missing, empty);
      tree.set(wordOf(256 * 101), 1, ppn(1n << 41n) | V);
      cases.refused({ requester, pasid: 256 * 101 }, IOVA, unreadable, absent);
    }
    if (levels > 2) {
      const empty = 'The root entry has V=0: cause 266 (IOMMU 1.0 2.3.2)';
      cases.refused({ requester, pasid: 2 ** 17 * 6 }, IOVA, missing, empty);
      tree.set(wordOf(2 ** 17 * 3), 2, ppn(1n << 41n) | V);
      cases.refused({ requester, pasid: 2 ** 17 * 3 }, IOVA, unreadable, absent);
    }
    return image.build();
  };
};

/** DPE, bare process contexts, ENS and SUM. */
const contexts: Build = () => {
  const image = new RiscvImage('riscv: process contexts');
  const { cases, memory } = image;
  const tree = processTree(memory, PD8);
  const fsc = atp(PD8.code, tree.root);
  const plain = image.device({ tc: TC.V | TC.PDTV, fsc });
  const defaults = image.device({ tc: TC.V | TC.PDTV | TC.DPE, fsc });
  putContext(tree, 0, V, contextRoot(memory, 0));
  putContext(tree, 1, V | 2n, contextRoot(memory, 1));
  putContext(tree, 2, V | 2n | 4n | (0xabcden << 12n), contextRoot(memory, 2));
  putContext(tree, 3, V, 0n);
  putContext(tree, 4, ~V & ((1n << 64n) - 1n), (1n << 64n) - 1n);
  cases.page(
    { requester: plain, pasid: 0 },
    IOVA,
    pageOf(0),
    'process_id 0 is one as any other (IOMMU 1.0 2.2)',
  );
  const dpe = 'DPE=1 and no process_id: process_id 0 (IOMMU 1.0 2.3)';
  cases.page({ requester: defaults }, IOVA, pageOf(0), dpe);
  cases.page({ requester: defaults, pasid: 1 }, IOVA, pageOf(1), 'DPE=1: a process_id that is given counts');
  const none = 'DPE=0 and no process_id: the first stage is Bare (IOMMU 1.0 2.3)';
  cases.passThrough({ requester: plain }, [IOVA, 0x1000n], none);
  const ens = 'ENS, SUM and PSCID do not bear on requests without supervisor privilege (IOMMU 1.0 2.2.3)';
  for (const pasid of [1, 2]) cases.page({ requester: plain, pasid }, IOVA, pageOf(pasid), ens);
  const bare = 'PC.fsc.MODE=Bare: no first stage (IOMMU 1.0 2.2.3)';
  cases.passThrough({ requester: plain, pasid: 3 }, [0n, IOVA], bare);
  const missing = { fault: 'process-entry-not-present' };
  const free = 'PC.ta.V=0: all other bits are free for software (IOMMU 1.0 2.2.3)';
  cases.refused({ requester: plain, pasid: 4 }, IOVA, missing, free);
  const noDirectory = image.device({ tc: TC.V | TC.PDTV | TC.DPE, fsc: 0n });
  const off = 'pdtp.MODE=Bare: no first stage (IOMMU 1.0 2.1.3, 2.3)';
  cases.passThrough({ requester: noDirectory }, [0n, IOVA], off);
  return image.build();
};

/** Reserved bits and modes of process directories, each alone. */
const reserved: Build = () => {
  const image = new RiscvImage('riscv: reserved bits of process directories', {
    capabilities: CAPABILITIES & ~(CAP.sv48 | CAP.sv57 | CAP.sv57x4),
  });
  const { cases, memory } = image;
  const tree = processTree(memory, PD20);
  const requester = image.device({ tc: TC.V | TC.PDTV, fsc: atp(PD20.code, tree.root) });
  const root = contextRoot(memory, 0);
  let pasid = 0;
  putContext(tree, pasid, V, root);
  cases.page({ requester, pasid }, IOVA, pageOf(0), 'No reserved bit set');
  const check = (ta: bigint, fsc: bigint, fault: string, why: string): void => {
    pasid += 1;
    putContext(tree, pasid, ta, fsc);
    const rule = `${why}: PDT entry misconfigured, cause 267 (IOMMU 1.0 2.2.4)`;
    cases.refused({ requester, pasid }, IOVA, { fault }, rule);
  };
  for (const bit of [...range(3, 11), ...range(32, 63)]) {
    check(V | (1n << BigInt(bit)), root, 'process-entry-reserved', `Bit ${bit} of PC.ta is reserved`);
  }
  for (const bit of range(44, 59)) {
    check(V, root | (1n << BigInt(bit)), 'process-entry-reserved', `Bit ${bit} of PC.fsc is reserved`);
  }
  const number = root & ((1n << 44n) - 1n);
  for (const mode of [1n, 2n, 3n, 4n, 5n, 6n, 7n, 11n, 12n, 13n]) {
    check(V, number | (mode << 60n), 'process-entry-invalid', `PC.fsc.MODE=${mode} is no mode`);
  }
  for (const mode of [9n, 10n]) {
    check(V, number | (mode << 60n), 'process-entry-invalid', `PC.fsc.MODE=${mode} without its capability`);
  }
  const pointers = [...range(1, 9), ...range(54, 63)];
  pointers.forEach((bit, index) => {
    const at = 256 * (index + 10);
    putContext(tree, at, V, root);
    tree.add(wordOf(at), 1, 1n << BigInt(bit));
    const why = `Bit ${bit} of a non-leaf PDT entry is reserved: cause 267 (IOMMU 1.0 2.3.2)`;
    cases.refused({ requester, pasid: at }, IOVA, { fault: 'process-entry-reserved' }, why);
  });
  const clean = 256 * 40;
  putContext(tree, clean, V, root);
  cases.page({ requester, pasid: clean }, IOVA, pageOf(0), 'No reserved bit set in the pointer');
  [1, 9, 54, 63].forEach((bit, index) => {
    const at = 2 ** 17 * (index + 1);
    putContext(tree, at, V, root);
    tree.add(wordOf(at), 2, 1n << BigInt(bit));
    const why = `Bit ${bit} of a root PDT entry is reserved: cause 267 (IOMMU 1.0 2.3.2)`;
    cases.refused({ requester, pasid: at }, IOVA, { fault: 'process-entry-reserved' }, why);
  });
  return image.build();
};

/** With a second stage every pointer to a process directory is a GPA. */
const guestDirectory = (directory: Directory): Build => {
  return () => {
    const image = new RiscvImage(`riscv: process directory ${directory.name} of a guest`);
    const { cases } = image;
    const { guest, second, iohgatp } = twoStage(image, SV39X4);
    const tree = processTree(guest, directory);
    const device = (tc: bigint, root = tree.root): number =>
      image.device({ tc: TC.V | TC.PDTV | tc, fsc: atp(directory.code, root), iohgatp });
    const requester = device(0n);
    const end = 2 ** directory.width;
    for (const pasid of new Set([0, 1, 255, end - 1])) {
      putContext(tree, pasid, V, contextRoot(guest, pasid));
      const paddr = 0x7_0000_0000n - BigInt(pasid) * PAGE;
      second.set(targetOf(pasid), 0, leafTo(paddr));
      const why = `${directory.name}: pdtp, PDT entries and PC.fsc hold GPAs (IOMMU 1.0 2.1.3, 2.2.3, 2.3.2)`;
      cases.page({ requester, pasid }, IOVA, { ...pageOf(pasid), paddr }, why);
    }
    const page0 = { ...pageOf(0), paddr: 0x7_0000_0000n };
    cases.page({ requester: device(TC.DPE) }, IOVA, page0, 'DPE=1: process_id 0, in GPAs (IOMMU 1.0 2.3)');
    const missing = { fault: 'process-entry-not-present' };
    cases.refused({ requester, pasid: 2 }, IOVA, missing, 'PC.ta.V=0: cause 266 (IOMMU 1.0 2.3.2)');
    const unmapped = { fault: 'not-present', stage: 2 } as const;
    const lost = device(0n, 0x44_0000_0000n);
    const rule = 'The directory is at a GPA that is not mapped: guest-page fault (IOMMU 1.0 2.3.2)';
    cases.refused({ requester: lost, pasid: 1 }, IOVA, unmapped, rule);
    const far = device(0n, 1n << 41n);
    const width = { fault: 'address-width', stage: 2 } as const;
    cases.refused({ requester: far, pasid: 1 }, IOVA, width, 'The directory is beyond the GPAs of Sv39x4');
    if (directory.levels > 1) {
      tree.set(wordOf(256 * 9), 1, ppn(0x45_0000_0000n) | V);
      cases.refused({ requester, pasid: 256 * 9 }, IOVA, unmapped, rule);
    }
    putContext(tree, 5, V, atp(8n, 0x46_0000_0000n));
    const root = 'PC.fsc is a GPA that is not mapped: guest-page fault (IOMMU 1.0 2.2.3)';
    cases.refused({ requester, pasid: 5 }, IOVA, unmapped, root);
    putContext(tree, 6, V, 0n);
    second.set(IOVA, 0, leafTo(0x9_0000_0000n));
    const second0: Mapped = { paddr: 0x9_0000_0000n, size: PAGE, perm: 'RW', level: 0 };
    const bare = 'PC.fsc Bare: the second stage alone translates (IOMMU 1.0 2.3)';
    cases.page({ requester, pasid: 6 }, IOVA, second0, bare);
    const none = 'No process_id and DPE=0: the second stage alone translates (IOMMU 1.0 2.3)';
    cases.page({ requester }, IOVA, second0, none);
    return image.build();
  };
};

export const RISCV_PROCESS_IMAGES: readonly Build[] = [
  ...DIRECTORIES.map(directories),
  contexts,
  reserved,
  ...DIRECTORIES.map(guestDirectory),
];
