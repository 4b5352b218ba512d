import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mask, type BitField } from '../../../../src/engine/bits/bitFields';
import {
  decodeDte,
  DTE_LAYOUT,
  DTE_RESERVED,
  GCR3_DIRECTORY_LAYOUT,
  GCR3_LAYOUT,
} from '../../../../src/engine/directory/amd/entries';
import { amdFaultCode } from '../../../../src/engine/directory/amd/faultCodes';
import { amdRegisters } from '../../../../src/engine/directory/amd/registers';
import { type DeviceDirectory, type DirectoryAnswer } from '../../../../src/engine/directory/deviceDirectory';
import { FAULTS } from '../../../../src/engine/faults';
import { openDirectory } from '../../../../src/engine/directory/index';
import { type AddressSpace } from '../../../../src/engine/pageTable/addressSpace';
import { READ, READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import { walkTables } from '../../../../src/engine/pageTable/walk';
import { pasid as pasidOf, requesterId } from '../../../../src/engine/values';
import { at, FrameMemory } from '../../../builders/tables';

const bit = (place: number): bigint => 1n << BigInt(place);
const IR = bit(61);
const IW = bit(62);
const GV = bit(55);
const GIOV = bit(54);
const HOST_LEAF = IR | IW | 1n;
const GUEST_LEAF = 0x67n;

/** PPRSup, NXSup, GTSup; HATS 6 levels; GATS 5 levels; GLXSup 3 levels; PASmax 20 bits; GIOSup, HASup, HDSup. */
const FEATURES =
  bit(1) |
  bit(3) |
  bit(4) |
  (2n << 10n) |
  (1n << 12n) |
  (2n << 14n) |
  (19n << 32n) |
  bit(48) |
  bit(49) |
  bit(52);
/** IommuEn, GTEn. */
const ON = bit(0) | bit(16);

/** A device table in frame 1, and what a test puts into other frames. */
class Machine {
  readonly memory = new FrameMemory();
  readonly registers = new Map<string, bigint>([['DevTabBase', at(1)]]);

  constructor() {
    this.memory.frame(1);
  }

  frame(number: number, words: Readonly<Record<number, bigint>> = {}): this {
    this.memory.frame(number);
    for (const [index, word] of Object.entries(words)) this.memory.set(number, Number(index), word);
    return this;
  }

  entry(device: number, words: readonly bigint[]): this {
    words.forEach((word, index) => {
      this.memory.set(1, 4 * device + index, word);
    });
    return this;
  }

  register(name: string, value: bigint): this {
    this.registers.set(name, value);
    return this;
  }

  open(): DeviceDirectory {
    const opened = openDirectory('amd-vi', this.memory, this.registers);
    assert.ok(opened.ok, 'the directory opens');
    return opened.value;
  }

  answer(device: number, pasid: number | null = null): DirectoryAnswer {
    return this.open().lookup(requesterId(device), pasid === null ? null : pasidOf(pasid)).answer;
  }

  fault(device: number, pasid: number | null = null): string {
    const answer = this.answer(device, pasid);
    if (answer.kind !== 'fault') return answer.kind;
    assert.match(answer.why, /^[A-Z].*\.$/);
    return answer.fault;
  }
}

/** First word of a valid entry with host tables. */
const host = (mode: number, root: bigint): bigint => 3n | (BigInt(mode) << 9n) | root | IR | IW;
/** The three parts of the GCR3 table root in words 0 and 1. */
const gcr3Low = (root: bigint): bigint => ((root >> 12n) & 7n) << 58n;
const gcr3High = (root: bigint): bigint =>
  (((root >> 15n) & 0xffffn) << 16n) | (((root >> 31n) & 0x1f_ffffn) << 43n);

const spaceOf = (answer: DirectoryAnswer): AddressSpace => {
  assert.ok(answer.kind === 'table', 'the answer has tables');
  return answer.space;
};

function assertCovers(layout: readonly BitField[], what: string): void {
  let seen = 0n;
  for (const { name, high, low } of layout) {
    assert.equal(seen & mask(high, low), 0n, `${what}: ${name} overlaps another field`);
    seen |= mask(high, low);
  }
  assert.equal(seen, mask(63, 0), `${what}: bits without a field`);
}

describe('AMD-Vi layouts', () => {
  const NAMES = ['DevTabBase', 'Control', 'ExtFeat', 'ExtFeat2', 'CBit'];
  const registers = amdRegisters(new Map(NAMES.map((name) => [name, 0n])));

  it('give every bit of AMD entries and registers one field', () => {
    [DTE_LAYOUT, GCR3_DIRECTORY_LAYOUT, GCR3_LAYOUT].flat().forEach((word) => {
      assertCovers(word, 'structure');
    });
    assert.deepEqual(
      registers.map(({ name }) => name),
      NAMES,
    );
    for (const { name, layout } of registers) assertCovers(layout, name);
  });

  it('have the AMD fields where the specification has them', () => {
    // AMD 48882 3.10 §3.4.
    const places: readonly (readonly [string, number, string])[] = [
      ['DevTabBase', 8, 'Size'],
      ['Control', 0, 'IommuEn'],
      ['Control', 12, 'CmdBufEn'],
      ['Control', 16, 'GTEn'],
      ['Control', 34, 'DevTblSegEn'],
      ['Control', 46, 'HADUpdate'],
      ['Control', 50, 'XTEn'],
      ['Control', 58, 'GCR3TRPMode'],
      ['ExtFeat', 4, 'GTSup'],
      ['ExtFeat', 10, 'HATS'],
      ['ExtFeat', 12, 'GATS'],
      ['ExtFeat', 14, 'GLXSup'],
      ['ExtFeat', 32, 'PASmax'],
      ['ExtFeat', 48, 'GIoSup'],
      ['ExtFeat', 49, 'HASup'],
      ['ExtFeat', 52, 'HDSup'],
      ['ExtFeat', 63, 'SNPSup'],
      ['ExtFeat2', 3, 'GCR3TRPMode'],
    ];
    for (const [register, place, name] of places) {
      const layout = registers.find((each) => each.name === register)?.layout ?? [];
      assert.equal(layout.find(({ high, low }) => place >= low && place <= high)?.name, name);
    }
  });

  it('decode a device table entry of a real AMD guest', () => {
    const entry = decodeDte([0x60000001504fd603n, 0xbn, 1n, 0n]);
    const { valid, translationValid, mode, hostRoot, gv, permission, domainId } = entry;
    assert.deepEqual(
      { valid, translationValid, mode, hostRoot, gv, permission, domainId },
      {
        valid: true,
        translationValid: true,
        mode: 3,
        hostRoot: 0x1504fd000n,
        gv: false,
        permission: READ_WRITE,
        domainId: 11,
      },
    );
  });

  it('put the GCR3 table root together from its three parts', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: mask(39, 0) }),
        fc.bigInt({ min: 0n, max: mask(15, 0) }),
        (page, id) => {
          const root = page << 12n;
          const entry = decodeDte([3n | gcr3Low(root), id | gcr3High(root), 0n, 0n]);
          assert.equal(entry.gcr3Root, root);
          assert.equal(BigInt(entry.domainId), id);
        },
      ),
    );
  });
});

describe('AMD-Vi device table', () => {
  it('is needed to open an AMD IOMMU', () => {
    const opened = openDirectory('amd-vi', new FrameMemory(), new Map());
    assert.ok(!opened.ok && opened.failure.code === 'directory/register-missing', 'refused for the register');
  });

  it('refuses an entry for each reserved bit of its four words, and for no other', () => {
    // AMD 48882 3.10 §2.2.2.1: bits 6:2 and 63 of word 0, 53:52 of word 2, 14:0 and 53:48 of word 3.
    const reserved = [mask(6, 2) | bit(63), 0n, mask(53, 52), mask(14, 0) | mask(53, 48)];
    assert.deepEqual(DTE_RESERVED, reserved);
    const good = [host(1, at(2)), 1n, 0n, 0n];
    for (let word = 0; word < 4; word++) {
      for (let flip = 0; flip < 64; flip++) {
        const words = good.map((value, index) => (index === word ? value ^ bit(flip) : value));
        const fault = new Machine().entry(5, words).fault(5);
        const isReserved = ((reserved[word] ?? 0n) & bit(flip)) !== 0n;
        assert.equal(fault === 'context-entry-reserved', isReserved, `bit ${flip} of word ${word}`);
      }
    }
  });

  it('ignores all other fields of an entry that is not valid', () => {
    const machine = new Machine().entry(5, [mask(63, 1), mask(63, 0), mask(63, 0), mask(63, 0)]);
    assert.deepEqual(machine.answer(5), { kind: 'pass-through', permission: READ_WRITE });
    assert.deepEqual(machine.answer(5, 7), { kind: 'pass-through', permission: READ_WRITE });
  });

  it('refuses field values that AMD hardware does not know or does not have', () => {
    const guest = (glx: number): bigint => host(0, 0n) | GV | (BigInt(glx) << 56n);
    const paging = (levels: number): bigint => BigInt(levels) << 54n;
    const rows: readonly (readonly [words: readonly bigint[], features: bigint, fault: string])[] = [
      [[host(7, at(2)), 0n, 0n, 0n], FEATURES, 'context-entry-invalid'],
      [[host(6, at(2)), 0n, 0n, 0n], FEATURES, 'table'],
      [[host(5, at(2)), 0n, 0n, 0n], FEATURES & ~mask(11, 10), 'context-entry-invalid'],
      [[host(4, at(2)), 0n, 0n, 0n], FEATURES & ~mask(11, 10), 'table'],
      [[host(1, at(2)), 0n, 0n, 0n], FEATURES | mask(11, 10), 'context-entry-invalid'],
      [[host(1, at(2)) | (2n << 7n), 0n, 0n, 0n], FEATURES, 'context-entry-invalid'],
      [[guest(3), 0n, 0n, 0n], FEATURES, 'context-entry-invalid'],
      [[guest(2), 0n, 0n, 0n], FEATURES, 'pass-through'],
      [[guest(0), 0n, paging(2), 0n], FEATURES, 'context-entry-invalid'],
      [[guest(0), 0n, paging(1), 0n], FEATURES, 'pass-through'],
      [[guest(0), 0n, paging(1), 0n], FEATURES & ~mask(13, 12), 'context-entry-invalid'],
      // Of what GV = 0 does not use, nothing is looked at.
      [[guest(3) & ~GV, 0n, paging(3), 0n], FEATURES, 'pass-through'],
    ];
    for (const [words, features, fault] of rows) {
      const machine = new Machine().entry(5, words).register('ExtFeat', features).frame(2);
      assert.equal(machine.fault(5), fault, words.map((word) => word.toString(16)).join(' '));
    }
  });

  it('blocks valid entries whose translation fields are not valid, whatever these say', () => {
    assert.equal(new Machine().entry(5, [host(7, 0n) & ~2n, 0n, 0n, 0n]).fault(5), 'translation-blocked');
  });

  it('takes the HAD bits of an AMD entry as far as the hardware has them', () => {
    const rows: readonly (readonly [had: bigint, features: bigint, accessed: boolean, dirty: boolean])[] = [
      [0n, FEATURES, false, false],
      [1n, FEATURES, true, false],
      [3n, FEATURES, true, true],
      [3n, FEATURES & ~bit(52), true, false],
      [3n, FEATURES & ~bit(49) & ~bit(52), false, false],
    ];
    for (const [had, features, setsAccessed, setsDirty] of rows) {
      const machine = new Machine().entry(5, [host(3, at(2)) | (had << 7n), 1n, 0n, 0n]);
      const { hardware } = spaceOf(machine.register('ExtFeat', features).answer(5)).format;
      assert.deepEqual([hardware.setsAccessed, hardware.setsDirty], [setsAccessed, setsDirty]);
    }
  });

  it('gives one address space to AMD devices of one domain, and others to others', () => {
    const machine = new Machine()
      .entry(5, [host(3, at(2)), 1n, 0n, 0n])
      .entry(6, [host(3, at(2)) & ~IW, 1n, bit(0), 0n])
      .entry(7, [host(3, at(2)), 2n, 0n, 0n])
      .entry(8, [host(4, at(2)), 1n, 0n, 0n]);
    const directory = machine.open();
    const answers = [5, 6, 7, 8].map((device) => directory.lookup(requesterId(device), null).answer);
    const spaces = answers.map(spaceOf);
    assert.equal(spaces[0], spaces[1]);
    assert.equal(new Set(spaces).size, 3);
    assert.deepEqual(
      answers.map((answer) => (answer.kind === 'table' ? answer.permission : -1)),
      [READ_WRITE, READ, READ_WRITE, READ_WRITE],
    );
  });

  it('passes everything while Control.IommuEn is 0', () => {
    const machine = new Machine().entry(5, [3n, 0n, 0n, 0n]);
    assert.equal(machine.register('Control', ON).open().off, undefined);
    assert.deepEqual(machine.register('Control', 0n).open().off?.answer, {
      kind: 'pass-through',
      permission: READ_WRITE,
    });
  });

  it('says that the other segments of a segmented AMD device table are not known', () => {
    const machine = new Machine().entry(5, [host(3, at(2)), 1n, 0n, 0n]);
    machine.register('Control', ON | (1n << 34n));
    assert.equal(machine.fault(5), 'table');
    assert.equal(machine.fault(0x8000), 'not-read');
    assert.equal(amdFaultCode('not-read', 'read', null), undefined);
    assert.equal(machine.fault(0x7fff), 'requester-out-of-range');
  });

  it('lists AMD devices whose entry lets something pass, and the PASIDs that have guest tables', () => {
    const machine = new Machine()
      // V = 0; nothing allowed; TV = 0; without tables; with GCR3 tables, with and without GIOV.
      .entry(0, [0n, 0n, 0n, 0n])
      .entry(1, [3n, 0n, 1n, 0n])
      .entry(2, [1n | IR | IW, 0n, 0n, 0n])
      .entry(3, [3n | IR, 0n, 0n, 0n])
      .entry(4, [3n | IR | IW | GV | (1n << 56n) | gcr3Low(at(2)), gcr3High(at(2)), 0n, 0n])
      .entry(5, [3n | IR | IW | GV | GIOV | gcr3Low(at(3)), gcr3High(at(3)), 0n, 0n])
      .frame(2, { 0: at(3) | 1n, 1: at(99) | 1n, 511: at(4) | 1n })
      .frame(3, { 0: at(10) | 1n, 7: at(11) | 1n, 8: at(11) })
      .frame(4, { 511: at(12) | 1n });
    const rows = [...machine.open().devices()].flatMap((device) => device ?? []);
    assert.deepEqual(
      rows.map(({ requester, pasid, lookup }) => [requester, pasid, lookup.answer.kind]),
      [
        [3, null, 'pass-through'],
        [4, null, 'pass-through'],
        [4, 0, 'table'],
        [4, 7, 'table'],
        [4, 0x3_ffff, 'table'],
        [5, null, 'table'],
        [5, 7, 'table'],
      ],
    );
  });

  it('lists at most 65,536 PASIDs of an AMD device', () => {
    const everywhere = (frame: number): Record<number, bigint> =>
      Object.fromEntries(Array.from({ length: 512 }, (_, index) => [index, at(frame) | 1n]));
    const machine = new Machine()
      .entry(4, [3n | IR | GV | (2n << 56n) | gcr3Low(at(2)), gcr3High(at(2)), 0n, 0n])
      .frame(2, everywhere(3))
      .frame(3, everywhere(4))
      .frame(4, everywhere(5));
    let rows = 0;
    let steps = 0;
    for (const device of machine.open().devices()) {
      if (device) rows++;
      else steps++;
    }
    assert.equal(rows, 1 + 65_536);
    assert.ok(steps >= 128, 'gives way after each table');
  });
});

describe('AMD-Vi guest translation', () => {
  const guest = (device: bigint, root: bigint): readonly bigint[] => [
    device | GV | gcr3Low(root),
    1n | gcr3High(root),
    0n,
    0n,
  ];

  /** Guest tables of four levels from frame 10 on that map page 5; `to` gives addresses to guest frames. */
  const guestTables = (machine: Machine, frame: number, to: (frame: number) => bigint): void => {
    for (let level = 3; level >= 1; level--) {
      machine.frame(frame, { 0: to(frame + 1) | GUEST_LEAF });
      frame++;
    }
    machine.frame(frame, { 5: 0x12_3000n | GUEST_LEAF });
  };

  it('faults for each reserved bit of a GCR3 entry, and for no other', () => {
    for (let flip = 0; flip < 64; flip++) {
      const machine = new Machine()
        .entry(5, guest(3n | IR | IW, at(2)))
        .frame(2, { 7: (at(10) | 1n) ^ bit(flip) });
      const expected =
        flip === 0
          ? 'process-entry-not-present'
          : flip < 12 || flip > 51
            ? 'process-entry-reserved'
            : 'table';
      assert.equal(machine.fault(5, 7), expected, `bit ${flip}`);
    }
  });

  it('reads guest tables and pages through host tables', () => {
    const machine = new Machine();
    // Guest frame f is frame f + 0x100; guest page 0x123 is frame 0x456.
    const guestAt = (frame: number): bigint => at(frame - 0x100);
    guestTables(machine, 0x110, guestAt);
    const leaves = Object.fromEntries(
      [2, 0x10, 0x11, 0x12, 0x13].map((frame) => [frame, at(frame + 0x100) | HOST_LEAF]),
    );
    machine
      .frame(8, { ...leaves, 0x123: at(0x456) | HOST_LEAF })
      .frame(0x102, { 7: guestAt(0x110) | 1n })
      .entry(5, guest(host(1, at(8)), at(2)))
      .register('ExtFeat', FEATURES)
      .register('Control', ON | bit(58));
    const lookup = machine.open().lookup(requesterId(5), pasidOf(7));
    assert.ok(lookup.answer.kind === 'table', 'the answer has tables');
    assert.equal(lookup.entries[1]?.address, 0x10_2038);
    assert.ok(lookup.entries[1].under?.outcome.ok, 'stage 2 led to the entry');
    const walk = walkTables(lookup.answer.space, 0x5678, 0, true);
    assert.ok(walk.outcome.ok, 'the walk ends at a page');
    assert.equal(walk.outcome.paddrLo, 0x45_6678);
    assert.deepEqual(
      walk.steps.map(({ under }) => under?.outcome.ok),
      [true, true, true, true],
    );
    // A request without a PASID meets the host tables alone.
    const plain = spaceOf(machine.answer(5));
    assert.equal(plain.stage, 2);
    const mapped = walkTables(plain, 0x12_3000, 0, false);
    assert.ok(mapped.outcome.ok && mapped.outcome.paddrLo === 0x45_6000, 'the host tables map the page');
    // The table root is a system address without GCR3TRPMode.
    machine.register('Control', ON).frame(2, { 7: guestAt(0x110) | 1n });
    assert.equal(machine.open().lookup(requesterId(5), pasidOf(7)).entries[1]?.address, 0x2038);
  });

  it('takes PASID 0 by all bits of the tables, and sign-extends the others', () => {
    const machine = new Machine()
      .entry(5, guest(3n | IR | IW | GIOV, at(2)))
      .frame(2, { 0: at(10) | 1n, 7: at(10) | 1n });
    for (const pasid of [null, 0]) {
      const { lowEnd, highStart } = spaceOf(machine.answer(5, pasid));
      assert.deepEqual([lowEnd, highStart], [2 ** 36, 2 ** 52]);
    }
    const { lowEnd, highStart } = spaceOf(machine.answer(5, 7));
    assert.deepEqual([lowEnd, highStart], [2 ** 35, 2 ** 52 - 2 ** 35]);
  });

  it('is there only where Control.GTEn and ExtFeat.GTSup allow it', () => {
    const machine = () => new Machine().entry(5, guest(3n | IR | IW, at(2))).frame(2, { 7: at(10) | 1n });
    assert.equal(machine().fault(5, 7), 'table');
    assert.equal(machine().register('Control', ON).register('ExtFeat', FEATURES).fault(5, 7), 'table');
    assert.equal(machine().register('Control', bit(0)).fault(5, 7), 'pasid-not-supported');
    assert.equal(
      machine()
        .register('ExtFeat', FEATURES & ~bit(4))
        .fault(5, 7),
      'pasid-not-supported',
    );
  });

  it('takes GIOV, GLX and PASIDs as far as the AMD hardware has them', () => {
    // GLXSup 1: two levels; PASmax 9: PASIDs of ten bits.
    const features = (FEATURES & ~mask(15, 14) & ~mask(36, 32)) | (1n << 14n) | (9n << 32n);
    const machine = (glx: bigint) =>
      new Machine()
        .entry(5, guest(3n | IR | IW | GIOV | (glx << 56n), at(2)))
        .frame(2, { 0: at(3) | 1n, 1: at(3) | 1n, 2: at(3) | 1n })
        .frame(3, Object.fromEntries(Array.from({ length: 512 }, (_, index) => [index, at(10) | 1n])))
        .register('ExtFeat', features);
    assert.equal(machine(1n).fault(5), 'table', 'GIOV: PASID 0');
    assert.equal(
      machine(1n)
        .register('ExtFeat', features & ~bit(48))
        .fault(5),
      'pass-through',
      'no GIoSup',
    );
    assert.equal(machine(2n).fault(5, 7), 'context-entry-invalid');
    assert.equal(machine(1n).fault(5, 0x3ff), 'table');
    assert.equal(machine(1n).fault(5, 0x400), 'pasid-out-of-range');
    const listed = [...machine(1n).open().devices()].flatMap((device) => (device ? [device.pasid] : []));
    assert.deepEqual([listed.length, listed[1], listed.at(-1)], [1024, 1, 0x3ff]);
    const plain = machine(1n)
      .register('ExtFeat', features & ~bit(48))
      .open();
    assert.equal(
      [...plain.devices()].flatMap((device) => device ?? [])[1]?.pasid,
      0,
      'PASID 0 is one of its own',
    );
  });

  it('tells which host entry refuses a GCR3 table', () => {
    const machine = new Machine()
      .entry(5, guest(host(2, at(8)), at(2)))
      .frame(8, { 0: at(9) | (1n << 9n) | HOST_LEAF })
      .frame(9)
      .register('ExtFeat2', bit(3));
    const answer = machine.answer(5, 7);
    assert.ok(answer.kind === 'fault', 'the answer is a fault');
    assert.deepEqual([answer.fault, answer.stage, answer.level], ['not-present', 2, 1]);
  });
});

describe('AMD-Vi encryption bit', () => {
  const ENCRYPTED = bit(47);

  it('is left out of all AMD addresses when CBit gives it', () => {
    const machine = new Machine()
      .register('DevTabBase', at(1) | ENCRYPTED)
      .register('CBit', 47n)
      .entry(5, [host(1, at(2) | ENCRYPTED), 1n, 0n, 0n])
      .frame(2, { 5: at(0x456) | ENCRYPTED | HOST_LEAF });
    const space = spaceOf(machine.answer(5));
    const { outcome } = walkTables(space, 0x5000, 0, false);
    assert.ok(outcome.ok, 'the walk ends at a page');
    assert.deepEqual([outcome.paddrLo, outcome.paddrHi], [0x45_6000, 0]);
    assert.deepEqual(machine.open().problems(), []);
  });

  it('must be one of the upper address bits of AMD processors', () => {
    for (const [value, opens] of [
      [40n, true],
      [51n, true],
      [52n, false],
      [39n, false],
      [0n, false],
    ] as const) {
      const { memory, registers } = new Machine().register('CBit', value);
      assert.equal(openDirectory('amd-vi', memory, registers).ok, opens, `CBit ${value}`);
    }
  });

  it('is proposed where one high bit keeps the AMD device table or a host root out of the image', () => {
    const base = new Machine().register('DevTabBase', at(1) | ENCRYPTED);
    const root = new Machine().entry(5, [host(1, at(2) | bit(51)), 1n, 0n, 0n]).frame(2);
    for (const [machine, place] of [
      [base, 47],
      [root, 51],
    ] as const) {
      const [problem] = machine.open().problems();
      assert.equal(problem?.code, 'directory/encryption-bit');
      assert.match(problem.hint ?? '', new RegExp(`"CBit": ${place}`));
    }
    // Two bits too many, or a frame that is nowhere: something else is wrong.
    const others = new Machine().entry(5, [host(1, at(2) | bit(51) | bit(47)), 1n, 0n, 0n]).frame(2);
    assert.deepEqual(others.open().problems(), []);
    const lost = new Machine().register('DevTabBase', at(3));
    assert.deepEqual(
      lost
        .open()
        .problems()
        .map(({ code }) => code),
      ['directory/root-unreadable'],
    );
  });
});

describe('AMD-Vi directory of hostile memory', () => {
  /** Words that often lead to one of the four frames. */
  const word = fc.oneof(
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: mask(63, 0) }) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(
          fc.nat(5),
          fc.nat(7),
          fc.constantFrom(0n, GV, GV | GIOV, IR | IW, GV | IR | IW | (1n << 56n)),
          fc.nat(3),
        )
        .map(([frame, next, flags, low]) => at(frame) | (BigInt(next) << 9n) | flags | BigInt(low)),
    },
  );
  const frame = fc.array(word, { minLength: 512, maxLength: 512 });

  it('answers every AMD request and lists its devices to an end, whatever the memory says', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 4, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(0xff), fc.option(fc.nat(0xf_ffff)), word), { minLength: 1, maxLength: 20 }),
        fc.bigInt({ min: 0n, max: mask(63, 0) }),
        fc.bigInt({ min: 0n, max: mask(63, 0) }),
        (frames, requests, control, features) => {
          const machine = new Machine().register('Control', control).register('ExtFeat', features);
          frames.forEach((words, index) => machine.frame(index + 1, Object.fromEntries(words.entries())));
          const directory = machine.register('DevTabBase', at(1) | 1n).open();
          assert.ok(directory.problems().length <= 8, 'at most eight problems');
          for (const [device, pasid, iova] of requests) {
            const { answer } = directory.lookup(requesterId(device), pasid === null ? null : pasidOf(pasid));
            if (answer.kind === 'fault')
              assert.ok(FAULTS.includes(answer.fault) && answer.why !== '', 'says why');
            if (answer.kind !== 'table') continue;
            walkTables(answer.space, Number(iova & 0xffff_ffffn), Number(iova >> 32n), false);
          }
          // A table that is its own GCR3 table may have very many PASIDs: the beginning will do.
          let left = 2000;
          for (const device of directory.devices()) {
            if (device) assert.equal(device.lookup.entries[0]?.role, 'context');
            if (--left === 0) break;
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('AMD-Vi events', () => {
  it('name the event that AMD hardware logs for each fault, with its code and flags', () => {
    const cases = [
      ['not-present', 'read', 2, 'IO_PAGE_FAULT (0010b) PR=0 RW=0'],
      ['not-present', 'read', 1, 'IO_PAGE_FAULT (0010b) PR=0 GN=1 RW=0'],
      ['write-denied', 'write', 2, 'IO_PAGE_FAULT (0010b) PR=1 PE=1 RW=1'],
      ['entry-reserved', 'write', 2, 'IO_PAGE_FAULT (0010b) PR=1 RZ=1 RW=1'],
      ['level-skip', 'read', 2, 'IO_PAGE_FAULT (0010b) PR=1 RZ=0 RW=0'],
      ['context-entry-reserved', 'read', null, 'ILLEGAL_DEV_TABLE_ENTRY (0001b) RZ=1 RW=0'],
      ['context-entry-unreadable', 'read', null, 'DEV_TAB_HARDWARE_ERROR (0011b) RW=0'],
      ['table-unreadable', 'read', 2, 'PAGE_TAB_HARDWARE_ERROR (0100b) RW=0'],
      ['interrupt-window', 'read', null, 'INVALID_DEVICE_REQUEST (1000b) type 000b'],
      ['interrupt-window', 'write', null, undefined],
      ['iommu-not-found', 'read', null, undefined],
    ] as const;
    for (const [fault, access, stage, code] of cases) assert.equal(amdFaultCode(fault, access, stage), code);
    for (const fault of FAULTS) assert.notEqual(amdFaultCode(fault, 'read', null), '');
  });
});
