/** The truth table of V, TV, Mode, IR and IW, and the edges of the device table: 48882 rev 3.10 §2.2.2, §2.2.3. */
import { type BuiltImage, type Expectation } from '../built';
import { type Asker, asker, at, fault, faults, mapped, type Page, passed, type Perm } from './cases';
import { DeviceTable, deviceEntry, v1Leaf, v1Link } from './amdEntries';
import { addressOf, bit, Frames } from './frames';
import { Tree } from './tree';

const IOVA = 0x5000n;
const TARGET = 0x3_2100_4000n;
const BOOLEANS = [false, true] as const;
const SECTION = '48882 §2.2.2.1';

/** Trees of one to six levels that map one page. */
function trees(frames: Frames): Tree[] {
  return [1, 2, 3, 4, 5, 6].map((levels) => {
    const tree = new Tree(frames, levels, v1Link);
    tree.set(IOVA, 1, v1Leaf(TARGET));
    return tree;
  });
}

const permOf = (read: boolean, write: boolean): Perm | null =>
  read ? (write ? 'RW' : 'R') : write ? 'W' : null;

/** Every combination of V, TV, Mode, IR and IW. */
export function deviceTruthTable(): BuiltImage {
  const frames = new Frames();
  const table = new DeviceTable(frames, 2);
  const byMode = trees(frames);
  const cases: Expectation[] = [];
  let device = 0;
  for (const valid of BOOLEANS)
    for (const translationValid of BOOLEANS)
      for (const mode of [0, 1, 2, 3, 4, 5, 6, 7])
        for (const read of BOOLEANS)
          for (const write of BOOLEANS) {
            const tree = byMode[mode - 1];
            const root = tree ? addressOf(tree.root) : 0n;
            table.set(device, deviceEntry({ valid, translationValid, mode, root, read, write }));
            const row = { valid, translationValid, mode, perm: permOf(read, write) };
            cases.push(...truth(asker(device), row));
            device++;
          }
  return {
    name: 'amd-vi: truth table of V, TV, Mode, IR and IW',
    kind: 'amd-vi',
    registers: table.registers(),
    frames: frames.map,
    expectations: cases,
  };
}

interface Row {
  readonly valid: boolean;
  readonly translationValid: boolean;
  readonly mode: number;
  readonly perm: Perm | null;
}

function truth(who: Asker, { valid, translationValid, mode, perm }: Row): Expectation[] {
  if (!valid) {
    const why = `V = 0 passes everything through, ${SECTION}`;
    return [passed(who, IOVA, 'read', why), passed(who, IOVA + 0x123_4567_8000n, 'write', why)];
  }
  if (!translationValid) {
    // Whether an illegal Mode is looked at when TV = 0 is left open.
    if (mode === 7) return [];
    return faults(
      who,
      IOVA,
      'translation-blocked',
      `V = 1, TV = 0: the table walk is terminated, ${SECTION}`,
    );
  }
  if (mode === 7) return faults(who, IOVA, 'context-entry-invalid', `Mode 7 is illegal, ${SECTION}`);
  if (perm === null) {
    const why = `IR = IW = 0, Mode ${mode}, ${SECTION}`;
    return [fault(who, IOVA, 'read', 'read-denied', why), fault(who, IOVA, 'write', 'write-denied', why)];
  }
  if (mode === 0) {
    const page = { iova: IOVA, paddr: IOVA, size: 4096n, perm, level: null };
    return mapped(who, page, `Mode 0: no translation, IR and IW apply, ${SECTION}`);
  }
  const page = { iova: IOVA, paddr: TARGET, size: 4096n, perm, level: 1 };
  return mapped(who, page, `IR and IW of the device entry, Mode ${mode}, ${SECTION}`);
}

/** Size of the table, lost frames, reserved bits and the interrupt range. */
export function deviceTableEdges(): BuiltImage[] {
  const frames = new Frames();
  const table = new DeviceTable(frames, 3);
  const tree = new Tree(frames, 4, v1Link);
  tree.set(IOVA, 1, v1Leaf(TARGET));
  const good = deviceEntry({ mode: 4, root: addressOf(tree.root) });
  const cases: Expectation[] = [];
  const page = { iova: IOVA, paddr: TARGET, size: 4096n, perm: 'RW', level: 1 } as const;
  for (const device of [0, 127, 256, 383]) {
    table.set(device, good);
    cases.push(...mapped(asker(device), page, 'an entry within the table, 48882 §2.2.2.1'));
  }
  for (const device of [384, 0x200, 0xffff]) {
    const why = 'DeviceID beyond (Size + 1) x 128 entries, 48882 §3.4.1';
    cases.push(...faults(asker(device), IOVA, 'requester-out-of-range', why));
  }
  frames.map.delete(table.root + 1);
  const lost = 'a frame of the device table is not in memory';
  cases.push(...faults(asker(200), IOVA, 'context-entry-unreadable', lost));
  [2, 3, 4, 5, 6, 63].forEach((flip, index) => {
    const [low = 0n, ...rest] = good;
    table.set(16 + index, [low ^ bit(flip), ...rest]);
    const why = `bit ${flip} of the device entry is reserved, ${SECTION}`;
    cases.push(...faults(asker(16 + index), IOVA, 'context-entry-reserved', why));
  });
  table.set(30, deviceEntry({ mode: 4, root: addressOf(frames.absent()) }));
  cases.push(...faults(asker(30), IOVA, 'table-unreadable', 'the root table is not in memory'));
  cases.push(...interruptRange(tree));
  const image = { kind: 'amd-vi', frames: frames.map } as const;
  const off = (['read', 'write'] as const).map((access) =>
    passed(asker(0), IOVA, access, 'Control.IommuEn = 0: nothing is translated, 48882 §3.4.3'),
  );
  return [
    { ...image, name: 'amd-vi: device table', registers: table.registers(), expectations: cases },
    {
      ...image,
      name: 'amd-vi: translation off',
      registers: table.registers({ enabled: false }),
      expectations: off,
    },
  ];
}

function interruptRange(tree: Tree): Expectation[] {
  return [0xfedf_f000n, 0xfee0_0000n, 0xfee8_1000n, 0xfeef_f000n, 0xfef0_0000n].flatMap((iova) => {
    const page: Page = { iova, paddr: TARGET + iova, size: 4096n, perm: 'RW', level: 1 };
    tree.set(iova, 1, v1Leaf(page.paddr));
    if (iova >= 0xfee0_0000n && iova < 0xfef0_0000n) {
      return faults(asker(0), iova + 0x14n, 'interrupt-window', 'interrupt range, 48882 §2.1.4');
    }
    return [at(asker(0), page, 0x14n, 'write', 'beside the interrupt range, 48882 §2.1.4')];
  });
}
