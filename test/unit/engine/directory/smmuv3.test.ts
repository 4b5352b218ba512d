import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeFields, mask, type BitField } from '../../../../src/engine/bits/bitFields';
import { type DeviceDirectory } from '../../../../src/engine/directory/deviceDirectory';
import { FAULTS, type Fault } from '../../../../src/engine/faults';
import { addressGateOf, gateOf, spaceOf } from '../../../../src/engine/directory/gate';
import { openDirectory } from '../../../../src/engine/directory/index';
import { smmuRegisters } from '../../../../src/engine/directory/smmuv3/registers';
import { walkTables } from '../../../../src/engine/pageTable/walk';
import { pasid as pasidOf, requesterId } from '../../../../src/engine/values';
import { FrameMemory, at } from '../../../builders/tables';

const bit = (place: number): bigint => 1n << BigInt(place);
const ROLES = ['root', 'context', 'process-directory', 'process'] as const;

/** Both stages, 64-bit tables of either endianness, marks, 16-bit tags, two-level tables, no stalls, abort only. */
const IDR0 =
  0x3n | (2n << 2n) | (2n << 6n) | bit(9) | bit(12) | bit(18) | bit(19) | bit(24) | bit(26) | bit(27);
const IDR1 = bit(26) | (20n << 6n) | 16n;
const IDR3 = bit(2) | bit(9) | bit(13);
const IDR5 = (7n << 4n) | 5n;

/** Valid, AA64, A and R, 48 bits of output, TTB0 of 39 bits with the 4K granule, TTB1 off, ASID 9. */
const CD0 = 25n | bit(30) | bit(31) | (5n << 32n) | bit(41) | bit(45) | bit(46) | (9n << 48n);
/** Valid, stage 1 (stage 2), S1ContextPtr to frame 2. */
const STE_S1 = 1n | (5n << 1n) | at(2);
const STE_S2 = 1n | (6n << 1n);
/** VMID 7, 39 bits from level 1 with the 4K granule, 48 bits of output, AA64. */
const STE_S2_2 = 7n | (25n << 32n) | (1n << 38n) | (5n << 48n) | bit(51);

const pointer = (frame: number): bigint => at(frame) | 3n;
const leaf = (frame: number): bigint => at(frame) | 0x743n;

/** A linear stream table in frame 1, context descriptors in frame 2, tables of 39 bits from frame 0x10 on that map page 0. */
class Machine {
  readonly memory = new FrameMemory();

  constructor() {
    for (const frame of [1, 2, 0x10, 0x11, 0x12, 0x20, 0x21, 0x22]) this.memory.frame(frame);
    this.chain(0x10, leaf(0x180));
    // Stage 2: page 0 and the frames of the stage 1 above it, each where it is.
    this.chain(0x20, at(0x180) | 0x7ffn);
    for (const frame of [2, 0x10, 0x11, 0x12, 0x180]) this.memory.set(0x22, frame, at(frame) | 0x7ffn);
  }

  chain(root: number, page: bigint): void {
    this.memory.set(root, 0, pointer(root + 1));
    this.memory.set(root + 1, 0, pointer(root + 2));
    this.memory.set(root + 2, 0, page);
  }

  stream(id: number, words: Readonly<Record<number, bigint>>): this {
    for (const [index, word] of Object.entries(words)) this.memory.set(1, 8 * id + Number(index), word);
    return this;
  }

  context(id: number, words: Readonly<Record<number, bigint>>): this {
    for (const [index, word] of Object.entries(words)) this.memory.set(2, 8 * id + Number(index), word);
    return this;
  }

  open(more: Readonly<Record<string, bigint | undefined>> = {}): DeviceDirectory {
    const given = { STRTAB_BASE: at(1), STRTAB_BASE_CFG: 6n, IDR0, IDR1, IDR3, IDR5 };
    const registers = new Map<string, bigint>(Object.entries(given));
    for (const [name, value] of Object.entries(more)) {
      if (value === undefined) registers.delete(name);
      else registers.set(name, value);
    }
    const opened = openDirectory('smmuv3', this.memory, registers);
    assert.ok(opened.ok);
    return opened.value;
  }
}

const STAGE1 = { 0: CD0, 1: at(0x10) };
const STAGE2 = { 0: STE_S2, 2: STE_S2_2, 3: at(0x20) };
const stage1Machine = (more: Readonly<Record<number, bigint>> = {}) =>
  new Machine().stream(0, { 0: STE_S1 }).context(0, { ...STAGE1, ...more });

const at0 = (directory: DeviceDirectory, substream: number | null = null) =>
  directory.lookup(requesterId(0), substream === null ? null : pasidOf(substream)).answer;

/** `fault: why` of a refusal, else what answers. */
function told(directory: DeviceDirectory, substream: number | null = null): string {
  const answer = at0(directory, substream);
  return answer.kind === 'fault' ? `${answer.fault}: ${answer.why}` : answer.kind;
}

/** What an address meets, tables and all. */
function ask(directory: DeviceDirectory, iova: bigint, write = false): string {
  const answer = at0(directory);
  const gate = gateOf(directory, iova, null) ?? addressGateOf(directory, answer, iova);
  const met = gate?.answer ?? answer;
  if (met.kind === 'fault') return met.fault;
  if (met.kind === 'pass-through') return 'pass-through';
  const { outcome } = walkTables(spaceOf(met, iova), Number(iova & mask(31, 0)), Number(iova >> 32n), write);
  return outcome.ok ? `0x${outcome.paddrLo.toString(16)}` : outcome.fault;
}

function assertCovers(layout: readonly BitField[], what: string): void {
  let seen = 0n;
  for (const { name, high, low } of layout) {
    assert.equal(seen & mask(high, low), 0n, `${what}: ${name} overlaps another field`);
    seen |= mask(high, low);
  }
  assert.equal(seen, mask(63, 0), `${what}: bits without a field`);
}

describe('SMMUv3 structures', () => {
  it('give every bit of descriptors, entries and registers one field', () => {
    const directory = new Machine().open();
    const words = { root: 1, context: 8, 'process-directory': 1, process: 8 };
    for (const role of ROLES) {
      assert.equal(directory.layouts(role).length, words[role]);
      directory.layouts(role).forEach((layout, word) => {
        assertCovers(layout, `${role} word ${word}`);
      });
      assert.match(directory.titleOf(role).section, /^IHI 0070 5\.[1-4]$/);
    }
    const names = ['IDR0', 'IDR1', 'IDR3', 'IDR5', 'CR0', 'CR2', 'GBPA', 'STRTAB_BASE', 'STRTAB_BASE_CFG'];
    const registers = smmuRegisters(new Map(names.map((name) => [name, mask(63, 0)])));
    assert.deepEqual(
      registers.map(({ name }) => name),
      names,
    );
    for (const { name, layout } of registers) assertCovers(layout, name);
  });

  it('have their fields where the specification has them', () => {
    const directory = new Machine().open();
    const value = (role: (typeof ROLES)[number], index: number, word: bigint, name: string) =>
      decodeFields(word, directory.layouts(role)[index] ?? []).find((field) => field.name === name)?.value;
    // Of smmuv3-4k-s2-share and smmuv3-16k-share.
    assert.equal(value('root', 0, 0xfc18_0009n, 'Span'), 9n);
    const s2 = 0x44_c359_4000_00001n;
    const stage2 = ['S2VMID', 'S2T0SZ', 'S2SL0', 'S2TG', 'S2PS', 'S2AA64', 'S2R'];
    assert.deepEqual(
      stage2.map((name) => value('context', 2, s2, name)),
      [1n, 20n, 2n, 0n, 4n, 1n, 1n],
    );
    const cd = 0x1_e204_c000_3590n;
    const context = ['T0SZ', 'TG0', 'EPD0', 'EPD1', 'V', 'IPS', 'AA64', 'S', 'R', 'A', 'ASET', 'ASID'];
    assert.deepEqual(
      context.map((name) => value('process', 0, cd, name)),
      [16n, 2n, 0n, 1n, 1n, 4n, 1n, 0n, 1n, 1n, 1n, 1n],
    );
    assert.equal(value('context', 0, 0x10_b37_400bn, 'Config'), 5n);
  });
});

describe('SMMUv3 directory', () => {
  it('needs the base and the configuration of the stream table', () => {
    for (const name of ['STRTAB_BASE', 'STRTAB_BASE_CFG']) {
      const given = new Map([['STRTAB_BASE', 0n], ['STRTAB_BASE_CFG', 0n]]); // prettier-ignore
      given.delete(name);
      const opened = openDirectory('smmuv3', new FrameMemory(), given);
      assert.ok(!opened.ok && opened.failure.message.startsWith(`${name} is not given`));
    }
  });

  it('translates by stage 1, by stage 2 and by both', () => {
    assert.equal(ask(stage1Machine().open(), 0x123n), '0x180123');
    assert.equal(ask(new Machine().stream(0, STAGE2).open(), 0x180123n), '0x180123');
    const nested = { ...STAGE2, 0: STE_S1 | (7n << 1n) };
    const both = new Machine().stream(0, nested).context(0, STAGE1).open();
    assert.equal(ask(both, 0x123n), '0x180123');
    const { entries, answer } = both.lookup(requesterId(0), null);
    assert.deepEqual(entries.map(({ role, under }) => [role, under?.outcome.ok]), [['context', undefined], ['process', true]]); // prettier-ignore
    assert.ok(answer.kind === 'table' && answer.space.stage2?.domainId === 7 && answer.space.domainId === 9);
  });

  it('reads tables and context descriptors from normal memory only where S2PTW says so', () => {
    const nested = (flags: bigint, word1 = 0n) => ({
      ...STAGE2,
      0: STE_S1 | (7n << 1n),
      1: word1,
      2: STE_S2_2 | flags,
    });
    const machine = (page: number, type: bigint, flags = bit(54), word1 = 0n) => {
      const made = new Machine().stream(0, nested(flags, word1)).context(0, STAGE1);
      made.memory.set(0x22, page, (at(page) | 0x7ffn) ^ (type << 2n));
      return made.open();
    };
    const device = 0xfn;
    assert.equal(ask(machine(2, 0n), 0x123n), '0x180123');
    assert.equal(ask(machine(2, device, 0n), 0x123n), '0x180123', 'S2PTW = 0');
    for (const page of [2, 0x10, 0x12]) assert.equal(ask(machine(page, device), 0x123n), 'read-denied');
    assert.match(told(machine(2, device)), /^read-denied: .*stage 2 refuses/);
    assert.equal(ask(machine(0x180, device), 0x123n), '0x180123', 'data may be of a device');
    // MemAttr 1000 in binary is normal memory, and with S2FWB a device.
    assert.equal(ask(machine(0x10, 7n), 0x123n), '0x180123');
    assert.equal(ask(machine(0x10, 7n, bit(54), bit(25)), 0x123n), '0x180123', 'S2FWB is not there');
    const forced = new Machine().stream(0, nested(bit(54), bit(25))).context(0, STAGE1);
    forced.memory.set(0x22, 0x10, (at(0x10) | 0x7ffn) ^ (7n << 2n));
    assert.equal(ask(forced.open({ IDR3: IDR3 | bit(8) }), 0x123n), 'read-denied');
  });

  it('leaves requests to GBPA while CR0.SMMUEN is 0, and says so when GBPA is not given', () => {
    const machine = stage1Machine();
    const on = machine.open({ CR0: 1n });
    assert.equal(on.off, undefined);
    const unknown = machine.open({ CR0: 0n });
    assert.match(unknown.off?.why ?? '', /GBPA is not given/);
    assert.equal(ask(unknown, 0x123n), 'pass-through');
    assert.equal(ask(machine.open({ CR0: 0n, GBPA: 0n }), 0x123n), 'pass-through');
    assert.equal(ask(machine.open({ CR0: 0n, GBPA: bit(20) }), 0x123n), 'translation-blocked');
    assert.equal(ask(machine.open({ CR0: 0n, GBPA: 0n }), bit(48)), 'address-size', 'beyond OAS');
  });

  it('refuses an illegal stream table entry with its field and the register that forbids it', () => {
    const cases: readonly [string, Readonly<Record<number, bigint>>, Readonly<Record<string, bigint>>][] = [
      ['S1P', { 0: STE_S1 }, { IDR0: IDR0 & ~2n }],
      ['S2P', STAGE2, { IDR0: IDR0 & ~1n }],
      ['S1CDMax is 20', { 0: STE_S1 | (20n << 59n) }, { IDR1: 16n | (8n << 6n) }],
      ['S1Fmt is 1', { 0: STE_S1 | (1n << 4n) | (2n << 59n) }, { IDR0: IDR0 & ~bit(19) }],
      ['S1STALLD is 1', { 0: STE_S1, 1: bit(27) }, {}],
      ['STRW is 1', { 0: STE_S1, 1: 1n << 30n }, {}],
      ['S1ContextPtr', { 0: STE_S1 | bit(50) }, {}],
      ['EATS is 2', { 0: STE_S1, 1: 2n << 28n }, { IDR0: IDR0 | bit(10) }],
      ['S2S is 1', { ...STAGE2, 2: STE_S2_2 | bit(57) }, {}],
      ['S2HA or S2HD is 1', { ...STAGE2, 2: STE_S2_2 | bit(56) }, { IDR0: IDR0 & ~(3n << 6n) }],
      ['S2HD is 1', { ...STAGE2, 2: STE_S2_2 | bit(55) }, { IDR0: IDR0 & ~(2n << 6n) | bit(6) }],
      ['S2AA64 is 0', { ...STAGE2, 2: STE_S2_2 & ~bit(51) }, {}],
      ['S2HAFT is 1', { ...STAGE2, 2: STE_S2_2 | bit(59) }, { IDR0: IDR0 | (3n << 6n) }],
      ['S2POE is 1 (permission overlay), and S2PIE is 0', { ...STAGE2, 2: STE_S2_2 | bit(61) }, { IDR3: IDR3 | bit(20) }],
      ['S2HWU59 are 4', { ...STAGE2, 1: bit(10), 2: STE_S2_2 | bit(60) | bit(61) }, { IDR3: IDR3 | bit(20) | bit(3) }],
      ['EATS is 3', { 0: STE_S1, 1: (3n << 28n) | (2n << 30n) }, { IDR0: IDR0 | bit(10), IDR3: IDR3 | bit(15) }],
      ['S2SL0 3 does not fit S2T0SZ 39 with the 4K granule and what', { ...STAGE2, 2: STE_S2_2 + (14n << 32n) + (2n << 38n) }, { IDR3: 0n }],
      ['S2SL0 2 does not fit S2T0SZ 24 with the 4K granule and what', { ...STAGE2, 2: STE_S2_2 - (1n << 32n) + (1n << 38n) }, { IDR5: (7n << 4n) | 3n }],
      ['S2TG is 3', { ...STAGE2, 2: STE_S2_2 | (3n << 46n) }, {}],
      ['S2TG is 2', { ...STAGE2, 2: STE_S2_2 | (2n << 46n) }, { IDR5: IDR5 & ~bit(5) }],
      ['S2TTB', { ...STAGE2, 3: bit(49) }, {}],
      ['S2T0SZ is 15', { ...STAGE2, 2: STE_S2_2 - (10n << 32n) }, {}],
      ['S2T0SZ is 40', { ...STAGE2, 2: STE_S2_2 + (15n << 32n) }, { IDR3: 0n }],
      ['S2SL0 2', { ...STAGE2, 2: STE_S2_2 + (1n << 38n) }, {}],
      ['S2VMID is 263', { ...STAGE2, 2: STE_S2_2 | bit(8) }, { IDR0: IDR0 & ~bit(18) }],
    ]; // prettier-ignore
    for (const [what, words, registers] of cases) {
      const said = told(new Machine().stream(0, words).context(0, STAGE1).open(registers));
      assert.ok(
        said.startsWith(`context-entry-invalid: The STE is illegal: `) && said.includes(what),
        `${what}: ${said}`,
      );
    }
  });

  it('refuses an illegal context descriptor with its field and the register that forbids it', () => {
    const cases: readonly [string, Readonly<Record<number, bigint>>, Readonly<Record<string, bigint>>][] = [
      ['CD.A is 0', { 0: CD0 & ~bit(46) }, {}],
      ['CD.S is 1', { 0: CD0 | bit(44) }, {}],
      ['CD.S is 0', {}, { IDR0: IDR0 + bit(24) }],
      ['CD.ENDI is 1, and IDR0.TTENDIAN', { 0: CD0 | bit(15) }, { IDR0: IDR0 | (2n << 21n) }],
      ['CD.ENDI is 0', {}, { IDR0: IDR0 | (3n << 21n) }],
      ['CD.AA64 is 0, and IDR0.TTF', { 0: CD0 & ~bit(41) }, {}],
      ['CD.HA or CD.HD', { 0: CD0 | bit(43) }, { IDR0: IDR0 & ~(3n << 6n) }],
      ['CD.HD is 1', { 0: CD0 | bit(42) }, { IDR0: IDR0 & ~(2n << 6n) | bit(6) }],
      ['CD.HAFT is 1', { 1: at(0x10) | bit(3) }, { IDR0: IDR0 | (3n << 6n) }],
      ['CD.ASID is 265', { 0: CD0 | bit(56) }, { IDR0: IDR0 & ~bit(12) }],
      ['CD.TG0 is 3', { 0: CD0 | (3n << 6n) }, {}],
      ['CD.TG0 is 1', { 0: CD0 | (1n << 6n) }, { IDR5: IDR5 & ~bit(6) }],
      ['CD.TG1 is 0', { 0: CD0 & ~bit(30) }, {}],
      ['CD.T0SZ is 15', { 0: CD0 - 10n }, {}],
      ['CD.T0SZ is 40', { 0: CD0 + 15n }, { IDR3: 0n }],
      ['CD.TTB0', { 1: bit(48) }, {}],
    ]; // prettier-ignore
    for (const [what, words, registers] of cases) {
      const said = told(stage1Machine(words).open(registers));
      assert.ok(
        said.startsWith('process-entry-invalid: The context descriptor is illegal: ') && said.includes(what),
        `${what}: ${said}`,
      );
    }
    assert.equal(told(stage1Machine().open()), 'table');
  });

  it('takes what later registers only allow where they are there', () => {
    const words: readonly Readonly<Record<number, bigint>>[] = [
      { ...STAGE2, 2: STE_S2_2 | bit(59) },
      { ...STAGE2, 2: STE_S2_2 | bit(56) | bit(59) },
      { ...STAGE2, 2: STE_S2_2 | bit(61) },
      { ...STAGE2, 2: STE_S2_2 + (14n << 32n) + (2n << 38n) },
      { 0: STE_S1, 1: (3n << 28n) | (2n << 30n) },
    ];
    for (const stream of words) {
      assert.equal(told(new Machine().stream(0, stream).context(0, STAGE1).open()), 'table');
    }
  });

  it('says which good tables this version does not read, without an event of the SMMU', () => {
    const later = { IDR0: IDR0 | bit(2), IDR3: IDR3 | bit(18) | bit(19) };
    const machines: readonly [string, Machine][] = [
      ['S2AA64 is 0', new Machine().stream(0, { ...STAGE2, 2: STE_S2_2 & ~bit(51) })],
      ['S2ENDI is 1', new Machine().stream(0, { ...STAGE2, 2: STE_S2_2 | bit(52) })],
      ['S2PIE is 1', new Machine().stream(0, { ...STAGE2, 2: STE_S2_2 | bit(60) })],
      ['CD.ENDI is 1', stage1Machine({ 0: CD0 | bit(15) })],
      ['CD.AA64 is 0', stage1Machine({ 0: CD0 & ~bit(41) })],
      ['CD.PIE is 1', stage1Machine({ 2: bit(59) }).stream(0, { 1: bit(24) })],
    ];
    for (const [what, machine] of machines) {
      const directory = machine.open(later);
      assert.ok(told(directory).startsWith(`not-read: ${what}: `), told(directory));
      assert.equal(directory.faultCode('not-read', 'read', null), undefined);
    }
  });

  it('restricts nothing by registers that are not given', () => {
    const all = { IDR0: undefined, IDR1: undefined, IDR3: undefined, IDR5: undefined };
    assert.equal(
      ask(stage1Machine({ 0: (CD0 - 13n) | bit(43) | bit(56), 2: bit(58) }).open(all), bit(51)),
      'not-present',
    );
    const wide = new Machine().stream(0, { ...STAGE2, 2: STE_S2_2 | 0xffffn | bit(56) }).open(all);
    assert.equal(ask(wide, 0x180123n), '0x180123');
    assert.equal(at0(new Machine().stream(0, { 0: 9n }).open(all)).kind, 'pass-through');
  });

  it('blocks the half that EPD switches off, and ignores a tag where TBI says so', () => {
    const upper = (25n << 16n) | (2n << 22n);
    const both = { 0: (CD0 & ~bit(30)) | upper | bit(39), 2: at(0x10) };
    const directory = stage1Machine(both).open();
    const high = mask(63, 39);
    assert.equal(ask(directory, high | 0x123n), '0x180123');
    assert.equal(ask(directory, (high & ~mask(63, 56)) | 0x123n), '0x180123', 'TBI1: bits 63:56 are a tag');
    assert.equal(ask(directory, bit(60) | 0x123n), 'address-width', 'TBI0 is off');
    assert.equal(ask(directory, high & ~bit(50)), 'address-width');
    assert.equal(ask(stage1Machine().open(), high | 0x123n), 'translation-blocked', 'EPD1');
    const only = stage1Machine({ ...both, 0: both[0] | bit(14) }).open();
    assert.equal(ask(only, 0x123n), 'translation-blocked', 'EPD0');
    assert.equal(ask(only, high | 0x123n), '0x180123');
    assert.match(told(stage1Machine({ 0: CD0 | bit(14) }).open()), /^translation-blocked: .*EPD0.*EPD1/);
  });

  it('takes requests as unprivileged unless the entry, or EL2, makes them privileged', () => {
    const machine = (ste1: bigint, page: bigint) => {
      const made = new Machine().stream(0, { 0: STE_S1, 1: ste1 }).context(0, STAGE1);
      made.chain(0x10, page);
      return made;
    };
    const privileged = leaf(0x180) & ~bit(6);
    assert.equal(ask(machine(0n, privileged).open(), 0n), 'read-denied');
    assert.equal(ask(machine(2n << 48n, privileged).open(), 0n), 'read-denied');
    assert.equal(ask(machine(3n << 48n, privileged).open(), 0n), '0x180000');
    assert.equal(ask(machine(3n << 48n, privileged).open({ IDR1: IDR1 & ~bit(26) }), 0n), 'read-denied');
    const el2 = 2n << 30n;
    assert.equal(ask(machine(el2, privileged).open({ CR2: 0n }), 0n), '0x180000', 'EL2 has one privilege');
    assert.equal(ask(machine(el2, privileged).open({ CR2: 1n }), 0n), 'read-denied', 'EL2 with E2H has two');
    assert.equal(ask(machine(el2, privileged).open(), 0n), 'read-denied');
    assert.equal(
      ask(machine(el2, privileged).open({ CR2: 0n, IDR0: IDR0 & ~bit(9) }), 0n),
      'read-denied',
      'no EL2',
    );
    const never = stage1Machine({ 1: at(0x10) | bit(2) });
    assert.equal(ask(never.open(), 0n), 'translation-blocked', 'E0PD0');
    assert.equal(ask(never.open({ IDR3: 0n }), 0n), '0x180000', 'E0PD is not there');
  });

  it('gives streams with the same tags and tables one address space, and only these', () => {
    const directory = stage1Machine()
      .stream(1, { 0: STE_S1 })
      .stream(2, { 0: STE_S1 + 64n })
      .stream(3, { 0: STE_S1 + 128n })
      .stream(4, { ...STAGE2, 0: STE_S1 | (7n << 1n) })
      .context(1, STAGE1)
      .context(2, { ...STAGE1, 0: CD0 + (1n << 48n) })
      .open();
    const spaces = [0, 1, 2, 3, 4].map((id) => {
      const { answer } = directory.lookup(requesterId(id), null);
      assert.ok(answer.kind === 'table');
      return answer.space;
    });
    assert.equal(spaces[1], spaces[0]);
    assert.equal(spaces[2], spaces[0]);
    assert.equal(new Set(spaces).size, 3);
    assert.equal(spaces[3]?.format, spaces[0]?.format, 'one format for all');
  });

  it('names an event of the specification for each fault that hardware has', () => {
    const directory = new Machine().open();
    // IHI 0070 7.3.
    const events: Partial<Record<Fault, string>> = {
      'requester-out-of-range': 'C_BAD_STREAMID (0x2)',
      'context-entry-unreadable': 'F_STE_FETCH (0x3)',
      'context-entry-not-present': 'C_BAD_STE (0x4)',
      'pasid-out-of-range': 'C_BAD_SUBSTREAMID (0x8)',
      'process-entry-unreadable': 'F_CD_FETCH (0x9)',
      'process-entry-invalid': 'C_BAD_CD (0xa)',
      'table-unreadable': 'F_WALK_EABT (0xb)',
      'not-present': 'F_TRANSLATION (0x10)',
      'entry-reserved': 'F_TRANSLATION (0x10)',
      'address-size': 'F_ADDR_SIZE (0x11)',
      'access-flag': 'F_ACCESS (0x12)',
      'read-denied': 'F_PERMISSION (0x13)',
    };
    for (const [fault, event] of Object.entries(events)) {
      assert.equal(directory.faultCode(fault as Fault, 'read', null), event);
    }
    assert.equal(directory.faultCode('interrupt-window', 'read', null), undefined);
  });
});

describe('SMMUv3 device lists', () => {
  const listed = (directory: DeviceDirectory) =>
    [...directory.devices()].flatMap((device) => (device ? [`${device.requester}/${device.pasid}`] : []));

  it('have the streams that may pass, with their substreams, but not the one that others use', () => {
    const machine = new Machine()
      .stream(1, { 0: 1n })
      .stream(3, { 0: 9n })
      .stream(5, { 0: STE_S1 | (2n << 59n), 1: 2n })
      .context(0, STAGE1)
      .context(3, STAGE1);
    assert.deepEqual(listed(machine.open()), ['3/null', '5/null', '5/3']);
    machine.stream(5, { 1: 0n });
    assert.deepEqual(listed(machine.open()), ['3/null', '5/null', '5/0', '5/3']);
  });

  it('end soon, whatever sizes the registers and entries claim', function () {
    this.timeout(10_000);
    const huge = new Machine().open({ STRTAB_BASE_CFG: 63n, IDR1: 0x3fn });
    assert.ok(huge.devices().next().done !== true);
    let steps = 0;
    for (const device of new Machine()
      .open({ STRTAB_BASE: at(0x100000), STRTAB_BASE_CFG: 0x1_01a0n, IDR1: 32n })
      .devices()) {
      assert.equal(device, undefined);
      if (++steps > 2 ** 18) break;
    }
    assert.ok(steps <= 2 ** 18, 'a table that is not in the image is passed over');
    const contexts = new Machine().stream(0, { 0: STE_S1 | (20n << 59n) }).open();
    assert.deepEqual(listed(contexts), ['0/null']);
  });

  it('pass over what a linear table has missing, up to a bound that is told', function () {
    this.timeout(20_000);
    const machine = new Machine();
    machine.memory.frames.clear();
    // A table from frame 0 on.
    for (const frame of [3000, 2 ** 18 - 1, 2 ** 18]) {
      machine.memory.frame(frame);
      machine.memory.set(frame, 8 * 5, 9n);
    }
    const directory = machine.open({ STRTAB_BASE: 0n, STRTAB_BASE_CFG: 32n, IDR1: 32n });
    const found: number[] = [];
    let steps = 0;
    for (const device of directory.devices()) {
      if (device) found.push(device.requester);
      else steps++;
    }
    assert.deepEqual(found, [64 * 3000 + 5, 2 ** 24 - 59]);
    assert.ok(steps < 1000, `${steps} steps`);
    const told = directory.problems().find(({ code }) => code === 'directory/too-many-devices');
    assert.match(told?.message ?? '', /0x1000000/);
    const small = machine.open({ STRTAB_BASE: 0n, STRTAB_BASE_CFG: 24n, IDR1: 32n }).problems();
    assert.ok(!small.some(({ code }) => code === 'directory/too-many-devices'));
    // Lookups have no bound.
    const { answer } = directory.lookup(requesterId(2 ** 24 + 5), null);
    assert.equal(answer.kind, 'pass-through');
  });

  it('say why devices may be missing', () => {
    const codes = (directory: DeviceDirectory) => directory.problems().map(({ code }) => code);
    assert.deepEqual(codes(stage1Machine().open()), []);
    assert.deepEqual(codes(new Machine().open({ STRTAB_BASE: at(0x999) })), [
      'directory/context-entry-unreadable',
    ]);
    const twoLevel = 0x1_0000n | (8n << 6n) | 16n;
    assert.deepEqual(codes(new Machine().open({ STRTAB_BASE: at(0x998), STRTAB_BASE_CFG: twoLevel })), [
      'directory/root-entry-unreadable',
    ]);
    const lost = new Machine();
    for (let index = 0; index < 20; index++) lost.memory.set(1, index, at(0x900 + index * 4) | 9n);
    assert.deepEqual(
      codes(lost.open({ STRTAB_BASE_CFG: twoLevel })),
      Array(8).fill('directory/context-entry-unreadable'),
    );
  });
});

describe('SMMUv3 lookups', () => {
  it('answer any words, alike each time, with a fault that has a name and a reason', () => {
    const word = fc.bigInt(0n, mask(63, 0));
    const plausible = (base: bigint) =>
      fc.oneof(
        word,
        word.map((bits) => base ^ (bits & (bits >> 7n) & (bits >> 19n))),
      );
    fc.assert(
      fc.property(
        fc.tuple(plausible(STE_S1 | (7n << 1n)), word, plausible(STE_S2_2), plausible(at(0x20))),
        fc.tuple(plausible(CD0), plausible(at(0x10)), word),
        fc.option(fc.nat(0xfffff), { nil: null }),
        fc.boolean(),
        word,
        (ste, cd, substream, known, iova) => {
          const machine = new Machine().stream(0, ste).context(0, cd);
          const directory = machine.open(known ? {} : { IDR0: undefined, IDR1: undefined, IDR5: undefined });
          const answer = at0(directory, substream);
          assert.deepEqual(at0(directory, substream), answer);
          for (const { says, role, words } of directory.lookup(requesterId(0), null).entries) {
            assert.ok(says !== '' && directory.layouts(role).length === words.length);
          }
          if (answer.kind === 'fault') {
            assert.ok(FAULTS.includes(answer.fault) && answer.why.endsWith('.'), answer.why);
          } else if (answer.kind === 'table') {
            walkTables(spaceOf(answer, iova), Number(iova & mask(31, 0)), Number(iova >> 32n), false);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('end over hostile memory, with devices that a lookup gives again', () => {
    const word = fc.bigInt(0n, mask(63, 0));
    // Addresses of the frames that are there, so that words lead to words.
    const near = fc
      .tuple(fc.nat(0xfff), fc.constantFrom(1, 2, 0x10, 0x20), fc.nat(0x3f))
      .map(([low, frame, high]) => BigInt(low) | at(frame) | (BigInt(high) << 58n));
    const words = fc.array(fc.oneof(word, near, fc.constantFrom(STE_S1, STE_S2_2, CD0, 9n)), {
      minLength: 64,
      maxLength: 128,
    });
    const config = fc
      .tuple(fc.nat(63), fc.nat(31), fc.nat(3))
      .map(([size, split, form]) => BigInt(size) | (BigInt(split) << 6n) | (BigInt(form) << 16n));
    fc.assert(
      fc.property(words, words, config, fc.boolean(), (streams, contexts, given, known) => {
        const machine = new Machine().stream(0, streams).context(0, contexts);
        const directory = machine.open({
          STRTAB_BASE_CFG: given,
          ...(known ? {} : { IDR0: undefined, IDR1: undefined, IDR3: undefined, IDR5: undefined }),
        });
        assert.ok(directory.problems().length <= 8);
        let left = 300;
        for (const device of directory.devices()) {
          if (device) {
            assert.deepEqual(directory.lookup(device.requester, device.pasid), device.lookup);
          }
          if (--left === 0) break;
        }
      }),
      { numRuns: 60 },
    );
  });
});
