import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeFields, mask, type BitField } from '../../../../src/engine/bits/bitFields';
import { type DeviceDirectory, type DirectoryAnswer } from '../../../../src/engine/directory/deviceDirectory';
import { FAULTS, type Fault } from '../../../../src/engine/faults';
import { openDirectory } from '../../../../src/engine/directory/index';
import { riscvRegisters } from '../../../../src/engine/directory/riscv/registers';
import { type AddressSpace } from '../../../../src/engine/pageTable/addressSpace';
import { walkTables } from '../../../../src/engine/pageTable/walk';
import { pasid as pasidOf, requesterId } from '../../../../src/engine/values';
import { RingMemory } from '../../../builders/ringMemory';
import { FrameMemory } from '../../../builders/tables';

const bit = (place: number): bigint => 1n << BigInt(place);
/** Sv39 to Sv57 and their x4 modes, MSI_FLAT, AMO_HWAD, PD8 to PD20, 56 address bits. */
const CAPABILITIES = 0x10n | mask(11, 9) | mask(19, 17) | bit(22) | bit(24) | (56n << 32n) | mask(40, 38);
const V = 1n;
const PDTV = bit(5);
const DPE = bit(9);
const LEAF = 0xd7n;
const READ_ONLY = 0x53n;

const SV39 = 8n << 60n;
const SV39X4 = 8n << 60n;

/** A device directory of one level in frame 1, its page tables and process directories in the frames that a test names. */
class Machine {
  readonly memory = new FrameMemory();

  constructor() {
    this.memory.frame(1);
  }

  frame(number: number, words: Readonly<Record<number, bigint>> = {}): void {
    this.memory.frame(number);
    for (const [index, word] of Object.entries(words)) this.memory.set(number, Number(index), word);
  }

  /** A context of 64 bytes: tc, iohgatp, ta, fsc, msiptp, mask, pattern. */
  context(id: number, words: readonly bigint[]): void {
    words.forEach((word, index) => {
      this.memory.set(1, 8 * id + index, word);
    });
  }

  /** An Sv39 table at `root` (with the two frames after it) that maps pages below 2 MiB: page -> frame. */
  tables(root: number, pages: Readonly<Record<number, number>>, flags = LEAF): void {
    this.frame(root, { 0: pointer(root + 1) });
    this.#below(root + 1, pages, flags);
  }

  /** The same of Sv39x4, whose root takes four frames. */
  guestTables(root: number, pages: Readonly<Record<number, number>>, flags = LEAF): void {
    for (let next = 1; next < 4; next++) this.frame(root + next);
    this.frame(root, { 0: pointer(root + 4) });
    this.#below(root + 4, pages, flags);
  }

  #below(table: number, pages: Readonly<Record<number, number>>, flags: bigint): void {
    this.frame(table, { 0: pointer(table + 1) });
    const leaves = Object.entries(pages).map(([page, frame]) => [page, (BigInt(frame) << 10n) | flags]);
    this.frame(table + 1, Object.fromEntries(leaves) as Record<number, bigint>);
  }

  open(more: Readonly<Record<string, bigint>> = {}): DeviceDirectory {
    const registers = { ddtp: (1n << 10n) | 2n, capabilities: CAPABILITIES, fctl: 0n, ...more };
    const opened = openDirectory('riscv', this.memory, new Map(Object.entries(registers)));
    assert.ok(opened.ok);
    return opened.value;
  }
}

const pointer = (frame: number): bigint => (BigInt(frame) << 10n) | V;

const lookup = (
  directory: DeviceDirectory,
  requester: number,
  pasid: number | null = null,
): DirectoryAnswer => directory.lookup(requesterId(requester), pasid === null ? null : pasidOf(pasid)).answer;

function spaceOf(answer: DirectoryAnswer): AddressSpace {
  assert.equal(answer.kind, 'table');
  return answer.space;
}

/** Where an address leads, or the fault with the stage that refused. */
function reach(answer: DirectoryAnswer, input: number, write = false): number | string {
  if (answer.kind === 'pass-through') return input;
  if (answer.kind === 'fault') return answer.fault;
  const { outcome } = walkTables(answer.space, input >>> 0, 0, write);
  return outcome.ok ? outcome.paddrLo : `${outcome.fault} in stage ${outcome.stage}`;
}

const whyOf = (answer: DirectoryAnswer): string => (answer.kind === 'fault' ? answer.why : answer.kind);

function assertCovers(layout: readonly BitField[], what: string): void {
  let seen = 0n;
  for (const { name, high, low } of layout) {
    assert.equal(seen & mask(high, low), 0n, `${what}: ${name} overlaps another field`);
    seen |= mask(high, low);
  }
  assert.equal(seen, mask(63, 0), `${what}: bits without a field`);
}

describe('RISC-V layouts', () => {
  it('give every bit of directory entries, contexts and registers one field', () => {
    for (const capabilities of [
      CAPABILITIES,
      CAPABILITIES ^ bit(22),
      CAPABILITIES ^ bit(19),
      CAPABILITIES | bit(41),
    ]) {
      const directory = new Machine().open({ capabilities });
      for (const role of ['root', 'context', 'process-directory', 'process'] as const)
        directory.layouts(role).forEach((layout, word) => {
          assertCovers(layout, `${role} word ${word}`);
        });
      const words = (capabilities & bit(22)) === 0n ? 4 : 8;
      assert.equal(directory.layouts('context').length, words);
    }
    const registers = riscvRegisters(new Map(['ddtp', 'capabilities', 'fctl'].map((name) => [name, 0n])));
    assert.equal(registers.length, 3);
    for (const { name, layout } of registers) assertCovers(layout, name);
  });

  it('read the registers of a real IOMMU', () => {
    // Of riscv-share: read over the monitor of QEMU 10.0.
    const values = new Map([
      ['capabilities', 0x78e2cf0f10n],
      ['ddtp', 0x42247c04n],
    ]);
    const fields = riscvRegisters(values).flatMap(({ value, layout }) => decodeFields(value, layout));
    const meaning = (name: string) => fields.find((field) => field.name === name)?.meaning;
    assert.equal(meaning('version'), 'version 1.0 of the specification');
    assert.equal(meaning('PAS'), 'physical addresses of 56 bits');
    assert.equal(meaning('IGS'), 'interrupts by messages or wires');
    assert.equal(meaning('MSI_FLAT'), 'MSI page tables: device contexts of 64 bytes');
    assert.equal(meaning('Svpbmt'), 'memory types in entries not supported');
    assert.equal(meaning('iommu_mode'), '3LVL: a directory of three levels');
    assert.equal(meaning('PPN'), 'device directory at 0x10891f000');
  });
});

describe('RISC-V directories that cannot be read', () => {
  const open = (registers: Readonly<Record<string, bigint>>): string => {
    const opened = openDirectory('riscv', new FrameMemory(), new Map(Object.entries(registers)));
    return opened.ok ? 'opened' : `${opened.failure.code}: ${opened.failure.message}`;
  };

  it('are refused by name: no ddtp, no capabilities, reserved modes, big-endian', () => {
    assert.match(open({}), /register-missing: ddtp is not given/);
    assert.match(open({ ddtp: 4n }), /register-missing: capabilities is not given/);
    for (let mode = 5n; mode < 16n; mode++)
      assert.match(open({ ddtp: mode, capabilities: 0n }), new RegExp(`mode-not-read.*iommu_mode ${mode}`));
    assert.match(open({ ddtp: 4n, capabilities: 0n, fctl: 1n }), /mode-not-read: fctl.BE is 1/);
    for (const ddtp of [0n, 1n]) assert.equal(open({ ddtp }), 'opened');
  });

  it('leave 32-bit modes and big-endian tables to a sentence that names them', () => {
    const machine = new Machine();
    const capabilities = CAPABILITIES | bit(8) | bit(16) | bit(27);
    machine.context(0, [V | bit(11), 0n, 0n, SV39]);
    machine.context(1, [V | bit(10), 0n, 0n, SV39]);
    machine.context(2, [V | bit(11), SV39X4, 0n, 0n]);
    machine.context(3, [V | bit(11) | bit(10), 0n, 0n, 0n]);
    const directory = machine.open({ capabilities });
    assert.match(whyOf(lookup(directory, 0)), /tc\.SXL = 1 selects Sv32/);
    assert.match(whyOf(lookup(directory, 1)), /tc\.SBE = 1 makes PDT and first stage big-endian/);
    assert.equal(lookup(directory, 3).kind, 'pass-through');
    const guests = machine.open({ capabilities, fctl: 4n });
    assert.match(whyOf(lookup(guests, 2)), /fctl\.GXL = 1 selects Sv32x4/);
    for (const answer of [lookup(directory, 0), lookup(directory, 1), lookup(guests, 2)]) {
      assert.equal(reach(answer, 0), 'not-read');
    }
    assert.equal(directory.faultCode('not-read', 'read', null), undefined);
    // With 64-bit guest modes SXL leaves guest addresses 34 bits (RISC-V IOMMU 1.0, tc.SXL).
    const { lowEnd, highStart } = spaceOf(lookup(directory, 2));
    assert.deepEqual([lowEnd, highStart], [2 ** 22, 2 ** 52]);
  });

  it('name the registers when a supported mode is not there', () => {
    const machine = new Machine();
    machine.context(0, [V, 0n, 0n, SV39]);
    const without = machine.open({ capabilities: CAPABILITIES ^ bit(9) });
    const answer = lookup(without, 0);
    assert.equal(reach(answer, 0), 'context-entry-invalid');
    assert.equal(whyOf(answer), 'fsc.MODE is Sv39, and capabilities.Sv39 is 0.');
  });
});

describe('RISC-V address spaces', () => {
  const shared = new Machine();
  // Second stage: guest pages 0x10 to 0x14 hold the first stage and data; 0x14 is read-only, 0x15 missing.
  shared.guestTables(0x40, { 0x10: 0x110, 0x11: 0x111, 0x12: 0x112, 0x13: 0x113 });
  shared.frame(0x110, { 0: pointer(0x11) });
  shared.frame(0x111, { 0: pointer(0x12) });
  shared.frame(0x112, {
    1: (0x13n << 10n) | LEAF,
    2: (0x15n << 10n) | LEAF,
    3: (0x13n << 10n) | READ_ONLY,
    4: (0x77n << 10n) | LEAF,
  });
  const guest = SV39X4 | (7n << 44n) | 0x40n;
  const first = SV39 | 0x10n;
  shared.context(0, [V, guest, 5n << 12n, first]);
  shared.context(1, [V, guest, 5n << 12n, first]);
  shared.context(2, [V, guest, 6n << 12n, first]);
  shared.context(3, [V, guest, 0n, 0n]);
  // Guest page 0x77 and those that differ from it in bit 0 are interrupt files.
  shared.context(4, [V, guest, 5n << 12n, first, 1n << 60n, 1n, 0x77n]);
  shared.context(5, [V, guest, 0n, 0n, 1n << 60n, 1n, 0x77n]);
  shared.context(6, [V, 0n, 0n, 0n, 1n << 60n, 1n, 0x77n]);
  const directory = shared.open();

  it('go through both stages, and name the stage that refuses', () => {
    const answer = lookup(directory, 0);
    assert.equal(reach(answer, 0x1234), 0x113234);
    assert.equal(reach(answer, 0x2000), 'not-present in stage 2');
    assert.equal(reach(answer, 0x3000, true), 'write-denied in stage 1');
    assert.equal(reach(answer, 0x5000), 'not-present in stage 1');
    const space = spaceOf(answer);
    assert.deepEqual([space.domainId, space.stage, space.stage2?.domainId], [5, 1, 7]);
    const { steps } = walkTables(space, 0x1000, 0, false);
    assert.ok(steps.every(({ under }) => under?.steps.length === 3));
  });

  it('are one object for one PSCID, root and second stage', () => {
    assert.equal(spaceOf(lookup(directory, 0)), spaceOf(lookup(directory, 1)));
    assert.notEqual(spaceOf(lookup(directory, 0)), spaceOf(lookup(directory, 2)));
    assert.equal(spaceOf(lookup(directory, 0)).stage2, spaceOf(lookup(directory, 3)));
    assert.equal(spaceOf(lookup(directory, 0)).stage2, spaceOf(lookup(directory, 2)).stage2);
  });

  it('are the second stage alone where the first is Bare', () => {
    const answer = lookup(directory, 3);
    assert.equal(reach(answer, 0x13008), 0x113008);
    assert.equal(reach(answer, 0x15000), 'not-present in stage 2');
    assert.equal(spaceOf(answer).stage, 2);
  });

  it('leave guest pages of the MSI pattern to the interrupt files, after the first stage', () => {
    assert.equal(reach(lookup(directory, 4), 0x4000, true), 'interrupt-window in stage 2');
    assert.equal(reach(lookup(directory, 4), 0x1000), 0x113000);
    for (const page of [0x76, 0x77])
      assert.equal(reach(lookup(directory, 5), page << 12), 'interrupt-window in stage 2');
    assert.equal(reach(lookup(directory, 5), 0x78 << 12), 'not-present in stage 2');
  });

  it('read tables and directories through the second stage even on pages of the MSI pattern', () => {
    const machine = new Machine();
    machine.guestTables(0x40, { 0x10: 0x110, 0x11: 0x111, 0x12: 0x112, 0x13: 0x113, 0x50: 0x150 });
    machine.frame(0x110, { 0: pointer(0x11) });
    machine.frame(0x111, { 0: pointer(0x12) });
    machine.frame(0x112, { 1: (0x13n << 10n) | LEAF, 2: (0x20n << 10n) | LEAF });
    machine.frame(0x150, { 0: V, 1: SV39 | 0x10n });
    // All guest pages below 0x20, and 0x40 to 0x5f, are interrupt files.
    const files = [1n << 60n, 0x5fn, 0n];
    machine.context(0, [V, guest, 5n << 12n, first, ...files]);
    machine.context(1, [V | PDTV, guest, 0n, (1n << 60n) | 0x50n, ...files]);
    const messages = machine.open();
    for (const answer of [lookup(messages, 0), lookup(messages, 1, 0)]) {
      assert.equal(reach(answer, 0x1000), 'interrupt-window in stage 2');
      assert.equal(reach(answer, 0x2000), 'not-present in stage 2');
    }
  });

  it('have no MSI pattern without a second stage (RISC-V IOMMU 1.0 §2.1.4)', () => {
    assert.equal(whyOf(lookup(directory, 6)), 'msiptp.MODE is not Off, and iohgatp.MODE is Bare.');
  });
});

describe('RISC-V process directories', () => {
  /** The directory of three levels: process_id 0x2_0305 is 1, 3, 5 and 0x305 is 0, 3, 5. */
  function machine(): Machine {
    const made = new Machine();
    made.tables(0x20, { 1: 0x91 });
    made.tables(0x30, { 1: 0x92 });
    made.frame(0x50, { 0: pointer(0x51), 1: pointer(0x52), 2: pointer(0x53) | bit(9) });
    made.frame(0x51, { 0: pointer(0x54), 3: pointer(0x55) });
    made.frame(0x52, { 3: pointer(0x56), 4: pointer(0x5f) });
    made.frame(0x54, process(0, 0x20, 7));
    made.frame(0x55, { ...process(5, 0x20, 8), ...process(6, 0x20, 8) });
    made.frame(0x56, { ...process(5, 0x30, 9), 12: V | bit(3), 14: V, 15: 7n << 60n, 16: V, 17: 0n });
    return made;
  }
  const process = (index: number, root: number, id: number): Record<number, bigint> => ({
    [2 * index]: V | (BigInt(id) << 12n),
    [2 * index + 1]: SV39 | BigInt(root),
  });
  const PD20 = (3n << 60n) | 0x50n;
  const PD17 = (2n << 60n) | 0x51n;
  const PD8 = (1n << 60n) | 0x55n;

  it('have one, two or three levels', () => {
    const made = machine();
    made.context(0, [V | PDTV, 0n, 0n, PD20]);
    made.context(1, [V | PDTV, 0n, 0n, PD17]);
    made.context(2, [V | PDTV, 0n, 0n, PD8]);
    const directory = made.open();
    assert.equal(reach(lookup(directory, 0, 0x20305), 0x1000), 0x92000);
    assert.equal(spaceOf(lookup(directory, 0, 0x20305)).domainId, 9);
    assert.equal(reach(lookup(directory, 0, 0x305), 0x1000), 0x91000);
    assert.equal(reach(lookup(directory, 1, 0x305), 0x1000), 0x91000);
    assert.equal(reach(lookup(directory, 2, 5), 0x1000), 0x91000);
    assert.deepEqual(
      directory.lookup(requesterId(0), pasidOf(0x20305)).entries.map(({ role, index }) => [role, index]),
      [['context', 0], ['process-directory', 1], ['process-directory', 3], ['process', 5]], // prettier-ignore
    );
    for (const [id, width] of [
      [0, 20],
      [1, 17],
      [2, 8],
    ] as const)
      // prettier-ignore
      assert.equal(reach(lookup(directory, id, 2 ** width), 0), 'pasid-out-of-range');
  });

  it('refuse what is not valid, reserved, unreadable or of no mode', () => {
    const made = machine();
    made.context(0, [V | PDTV, 0n, 0n, PD20]);
    const directory = made.open();
    const fault = (process: number) => reach(lookup(directory, 0, process), 0x1000);
    assert.equal(fault(0x60000), 'process-entry-not-present');
    assert.equal(fault(0x40000), 'process-entry-reserved');
    assert.equal(fault(0x20405), 'process-entry-unreadable');
    assert.equal(fault(0x20304), 'process-entry-not-present');
    assert.equal(fault(0x20306), 'process-entry-reserved');
    assert.equal(fault(0x20307), 'process-entry-invalid');
    assert.equal(fault(0x20308), 0x1000, 'a process without a first stage passes');
  });

  it('give requests without a process_id process 0 with DPE, else no first stage', () => {
    const made = machine();
    made.context(0, [V | PDTV | DPE, 0n, 0n, PD20]);
    made.context(1, [V | PDTV, 0n, 0n, PD20]);
    made.context(2, [V | PDTV, 0n, 0n, 0n]);
    const directory = made.open();
    assert.equal(spaceOf(lookup(directory, 0)).domainId, 7);
    assert.equal(lookup(directory, 1).kind, 'pass-through');
    // pdtp.MODE Bare: no first stage, whatever the process_id.
    for (const process of [null, 0, 0xfffff])
      assert.equal(lookup(directory, 2, process).kind, 'pass-through');
  });

  it('list a row for each process, but not for the one that requests without process_id use', () => {
    const made = machine();
    made.context(0, [V | PDTV | DPE, 0n, 0n, PD17]);
    made.context(1, [V | PDTV, 0n, 0n, PD17]);
    made.context(2, [V, 0n, 0n, 0n]);
    const rows = [...made.open().devices()].flatMap((row) => (row ? [[row.requester, row.pasid]] : []));
    assert.deepEqual(rows, [[0, null], [0, 0x305], [0, 0x306], [1, null], [1, 0], [1, 0x305], [1, 0x306], [2, null]]); // prettier-ignore
  });

  it('list at most 65,536 processes of a device', () => {
    const made = new Machine();
    const all = (word: bigint) =>
      Object.fromEntries(Array.from({ length: 512 }, (_, index) => [index, word]));
    made.frame(0x50, all(pointer(0x51)));
    made.frame(0x51, all(pointer(0x52)));
    made.frame(0x52, Object.fromEntries(Array.from({ length: 256 }, (_, index) => [2 * index, V])));
    made.context(0, [V | PDTV, 0n, 0n, PD20]);
    made.context(1, [V, 0n, 0n, 0n]);
    const rows = [...made.open().devices()].flatMap((row) => row ?? []);
    assert.equal(rows.length, 1 + 65_536 + 1);
    assert.deepEqual([rows.at(-2)?.pasid, rows.at(-1)?.requester], [65_535, 1]);
  });

  it('are looked for to a bound where rubbish claims tables without end', () => {
    const made = new Machine();
    const all = (word: bigint) =>
      Object.fromEntries(Array.from({ length: 512 }, (_, index) => [index, word]));
    // 128 devices with 4,096 tables of process contexts each, none of which is in the image.
    made.frame(2, { 0: pointer(1), 1: pointer(1) });
    made.frame(0x50, all(pointer(0x51)));
    made.frame(0x51, all(pointer(0x999)));
    for (let id = 0; id < 64; id++) made.context(id, [V | PDTV, 0n, 0n, PD20]);
    let steps = 0;
    let devices = 0;
    for (const row of made.open({ ddtp: (2n << 10n) | 3n }).devices()) {
      if (row) devices++;
      else steps++;
    }
    assert.equal(devices, 128);
    assert.ok(steps < 2 ** 18 + 1000, `${steps} steps`);
  });

  it('are read through the second stage when there is one', () => {
    const made = new Machine();
    // Guest pages: 0x50 directory, 0x55 contexts, 0x20 to 0x22 tables, 0x91 data; 0x56 is not mapped.
    made.guestTables(0x40, { 0x50: 0x150, 0x55: 0x155, 0x20: 0x120, 0x21: 0x121, 0x22: 0x122, 0x91: 0x191 });
    made.frame(0x150, { 3: pointer(0x55), 4: pointer(0x56) });
    made.frame(0x155, process(5, 0x20, 8));
    made.frame(0x120, { 0: pointer(0x21) });
    made.frame(0x121, { 0: pointer(0x22) });
    made.frame(0x122, { 1: (0x91n << 10n) | LEAF });
    made.context(0, [V | PDTV, SV39X4 | (7n << 44n) | 0x40n, 0n, (2n << 60n) | 0x50n]);
    const directory = made.open();
    const { answer, entries } = directory.lookup(requesterId(0), pasidOf(0x305));
    assert.equal(reach(answer, 0x1010), 0x191010);
    assert.deepEqual(
      entries.map(({ address, under }) => [address, under?.steps.length]),
      [[0x1000, undefined], [0x150018, 3], [0x155050, 3]], // prettier-ignore
    );
    const refused = lookup(directory, 0, 0x405);
    assert.ok(refused.kind === 'fault');
    assert.deepEqual([refused.fault, refused.stage, refused.level], ['not-present', 2, 0]);
    assert.match(refused.why, /guest physical address 0x56050/);
    // Without a process_id the second stage is left.
    assert.equal(reach(lookup(directory, 0), 0x91008), 0x191008);
    const rows = [...directory.devices()].flatMap((row) => (row ? [row.pasid] : []));
    assert.deepEqual(rows, [null, 0x305]);
  });
  it('are unreadable, and not a fault of the request, where the second stage cannot be read on the way', () => {
    const guest = (machine: Machine) => {
      machine.context(0, [V | PDTV, SV39X4 | 0x20n, 0n, (1n << 60n) | 0x50n]);
      return lookup(machine.open({ capabilities: (CAPABILITIES & ~mask(37, 32)) | (40n << 32n) }), 0, 5);
    };
    // The second stage points to a table that is not there, and to one beyond the physical addresses (PAS = 40).
    for (const [table, level] of [
      [0x999, 0],
      [2 ** 30, 1],
    ] as const) {
      const machine = new Machine();
      machine.guestTables(0x20, {});
      machine.memory.set(0x24, 0, pointer(table));
      const answer = guest(machine);
      assert.ok(answer.kind === 'fault');
      assert.deepEqual([answer.fault, answer.stage, answer.level], ['process-entry-unreadable', 2, level]);
      const code = new Machine().open().faultCode(answer.fault, 'read', 2);
      assert.equal(code, 'cause 265 (PDT entry load access fault)');
    }
  });
});

describe('RISC-V device directories', () => {
  it('tell what keeps devices from being found', () => {
    const machine = new Machine();
    machine.frame(2, { 0: pointer(3), 1: pointer(9), 5: pointer(3) | bit(60) });
    machine.frame(3, { 0: pointer(1), 1: pointer(8) });
    machine.context(2, [V, 0n, 0n, 0n]);
    const directory = machine.open({ ddtp: (2n << 10n) | 4n });
    assert.deepEqual(
      directory.problems().map(({ message }) => message.replace(/: .*/, '')),
      [
        'The device contexts from device_id 0x40 on cannot be read',
        'The level-1 entries of the device directory from device_id 0x8000 on cannot be read',
        'The level-2 entry of the device directory for device_id 0x28000 has reserved bits set.',
      ],
    );
    assert.deepEqual(
      [...directory.devices()].flatMap((row) => row?.requester ?? []),
      [2],
    );
    const lost = machine.open({ ddtp: (9n << 10n) | 3n });
    assert.deepEqual(
      lost.problems().map(({ code }) => code),
      ['directory/root-entry-unreadable'],
    );
    assert.deepEqual(
      [...lost.devices()].filter((row) => row),
      [],
    );
  });

  it('are looked through in a memory that writes over the frames it gave', () => {
    const machine = new Machine();
    const tables = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [index, pointer(16 + index)]),
    );
    machine.frame(2, { ...tables, 200: pointer(3) | bit(60) });
    for (let frame = 16; frame < 216; frame++) {
      machine.frame(
        frame,
        Object.fromEntries(Array.from({ length: 512 }, (_, index) => [index, mask(63, 0)])),
      );
    }
    const registers = new Map([
      ['ddtp', (2n << 10n) | 3n],
      ['capabilities', CAPABILITIES],
    ]);
    const opened = openDirectory('riscv', new RingMemory(machine.memory), registers);
    assert.ok(opened.ok);
    assert.deepEqual(
      opened.value.problems().map(({ message }) => message),
      ['The level-1 entry of the device directory for device_id 0x3200 has reserved bits set.'],
    );
  });

  it('stop at a bound where rubbish claims millions of devices, and say so', () => {
    const machine = new Machine();
    machine.frame(2, Object.fromEntries(Array.from({ length: 512 }, (_, index) => [index, pointer(3)])));
    machine.frame(3, Object.fromEntries(Array.from({ length: 512 }, (_, index) => [index, pointer(1)])));
    machine.context(63, [V, 0n, 0n, 0n]);
    const directory = machine.open({ ddtp: (2n << 10n) | 4n });
    const rows = [...directory.devices()].filter((row) => row);
    assert.equal(rows.length, 4096);
    assert.equal(rows.at(-1)?.requester, 4096 * 64 - 1);
    assert.deepEqual(
      directory.problems().map(({ code, message }) => [code, /0x[0-9a-f]+/.exec(message)?.[0]]),
      [['directory/too-many-devices', '0x40000']],
    );
  });

  it('give the causes of the fault records', () => {
    const directory = new Machine().open();
    const cause = (fault: Fault, access: 'read' | 'write' = 'read', stage: 1 | 2 | null = null) =>
      directory.faultCode(fault, access, stage);
    assert.equal(cause('translation-blocked'), 'cause 256 (All inbound transactions disallowed)');
    assert.equal(cause('root-entry-unreadable'), 'cause 257 (DDT entry load access fault)');
    assert.equal(cause('context-entry-not-present'), 'cause 258 (DDT entry not valid)');
    assert.equal(cause('context-entry-invalid'), 'cause 259 (DDT entry misconfigured)');
    assert.equal(cause('pasid-not-supported'), 'cause 260 (Transaction type disallowed)');
    assert.equal(cause('process-entry-unreadable'), 'cause 265 (PDT entry load access fault)');
    assert.equal(cause('process-entry-not-present'), 'cause 266 (PDT entry not valid)');
    assert.equal(cause('process-entry-reserved'), 'cause 267 (PDT entry misconfigured)');
    assert.equal(cause('not-present', 'read', 1), 'cause 13 (Read page fault)');
    assert.equal(cause('dirty-flag', 'write', 1), 'cause 15 (Write/AMO page fault)');
    assert.equal(cause('not-present', 'read', 2), 'cause 21 (Read guest-page fault)');
    assert.equal(cause('write-denied', 'write', 2), 'cause 23 (Write/AMO guest-page fault)');
    assert.equal(cause('table-unreadable', 'read', 1), 'cause 5 (Read access fault)');
    assert.equal(cause('address-size', 'write', 2), 'cause 7 (Write/AMO access fault)');
    assert.equal(cause('interrupt-window'), undefined);
  });

  it('answer for any contents of memory, with a fault or an address, and end', () => {
    const small = fc.bigInt(0n, 40n).map((page) => (page << 10n) | V);
    const word = fc.oneof(
      small,
      fc.bigInt(0n, mask(63, 0)),
      small.map((value) => (value >> 10n) | SV39),
      fc.constant(0n),
    );
    const frame = fc.array(word, { minLength: 24, maxLength: 24 });
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 8, maxLength: 8 }),
        fc.constantFrom(2n, 3n, 4n),
        (frames, mode) => {
          const machine = new Machine();
          frames.forEach((words, number) => {
            machine.frame(number, Object.fromEntries(words.map((value, index) => [index, value])));
          });
          const directory = machine.open({ ddtp: (1n << 10n) | mode });
          let rows = 0;
          for (const row of directory.devices()) {
            if (!row) continue;
            if (rows++ > 300) break;
            const met = reach(row.lookup.answer, 0x1000);
            const name = String(met).replace(/ in stage .*/, '');
            assert.ok(typeof met === 'number' || (FAULTS as readonly string[]).includes(name), name);
          }
          assert.ok(directory.problems().length <= 8);
          for (const process of [null, 0, 0x305]) lookup(directory, 0, process);
        },
      ),
      { numRuns: 60 },
    );
  });
});
