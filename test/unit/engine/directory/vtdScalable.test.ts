import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mask } from '../../../../src/engine/bits/bitFields';
import {
  type DeviceDirectory,
  type DirectoryAnswer,
  type DirectoryDevice,
} from '../../../../src/engine/directory/deviceDirectory';
import { FAULTS } from '../../../../src/engine/faults';
import { openDirectory } from '../../../../src/engine/directory/index';
import { type AddressSpace } from '../../../../src/engine/pageTable/addressSpace';
import { walkTables } from '../../../../src/engine/pageTable/walk';
import { pasid as pasidOf, requesterId } from '../../../../src/engine/values';
import { FrameMemory } from '../../../builders/tables';

const bit = (place: number): bigint => 1n << BigInt(place);
const at = (frame: number): bigint => BigInt(frame) << 12n;
const P = 1n;
const PASIDE = bit(3);
const DEVICE = 0x0108;

const ROOT = 1;
const CONTEXTS = 2;
const DIRECTORY = 3;
const PROCESSES = 4;

/** PASID-table entries by translation type; first-stage tables in frame 0x10, second-stage ones in frame 0x20. */
const FIRST = [P | (1n << 6n), 7n, at(0x10)];
const SECOND = [P | (2n << 6n) | (2n << 2n) | at(0x20), 8n];
const NESTED = [P | (3n << 6n) | (2n << 2n) | at(0x20), 9n, at(0x10)];
const PASS = [P | (4n << 6n), 1n];

/** A unit with one device, 01:01.0, whose directory has one table of 64 processes. */
class Unit {
  readonly memory = new FrameMemory();

  constructor(context: readonly bigint[] = [P | PASIDE | at(DIRECTORY), 0n]) {
    for (const frame of [ROOT, CONTEXTS, DIRECTORY, PROCESSES]) this.memory.frame(frame);
    this.memory.set(ROOT, 2, at(CONTEXTS) | P);
    this.context(context);
    this.memory.set(DIRECTORY, 0, at(PROCESSES) | P);
  }

  context(words: readonly bigint[]): this {
    words.forEach((word, index) => {
      this.memory.set(CONTEXTS, 4 * (DEVICE & 0x7f) + index, word);
    });
    return this;
  }

  process(pasid: number, words: readonly bigint[]): this {
    words.forEach((word, index) => {
      this.memory.set(PROCESSES, 8 * pasid + index, word);
    });
    return this;
  }

  open(more: Readonly<Record<string, bigint>> = {}): DeviceDirectory {
    const registers = { RTADDR: at(ROOT) | (1n << 10n), ...more };
    const opened = openDirectory('vt-d', this.memory, new Map(Object.entries(registers)));
    assert.ok(opened.ok);
    return opened.value;
  }
}

const ask = (directory: DeviceDirectory, pasid: number | null = null): DirectoryAnswer =>
  directory.lookup(requesterId(DEVICE), pasid === null ? null : pasidOf(pasid)).answer;

const faultOf = (answer: DirectoryAnswer): string => (answer.kind === 'fault' ? answer.fault : answer.kind);

function spaceOf(answer: DirectoryAnswer): AddressSpace {
  assert.ok(answer.kind === 'table', answer.kind === 'fault' ? answer.why : answer.kind);
  return answer.space;
}

const listed = (directory: DeviceDirectory): DirectoryDevice[] =>
  [...directory.devices()].flatMap((device) => device ?? []);

describe('VT-d scalable mode', () => {
  it('gives every bit of its structure entries one field', () => {
    const directory = new Unit().open();
    for (const role of ['root', 'context', 'process-directory', 'process'] as const) {
      for (const layout of directory.layouts(role)) {
        const covered = layout.reduce((seen, { name, high, low }) => {
          assert.equal(seen & mask(high, low), 0n, `${role}: ${name} overlaps another field`);
          return seen | mask(high, low);
        }, 0n);
        assert.equal(covered, mask(63, 0), role);
      }
    }
    assert.equal(directory.layouts('context').length, 4);
    assert.equal(directory.layouts('process').length, 8);
  });

  it('reads the fields of real entries', () => {
    // Of Linux 6.12 with first-stage tables: directory of 512 entries, PASID 0 for requests without one, domain 4.
    const directory = new Unit().open();
    const value = (role: 'context' | 'process', word: number, name: string, of: bigint): bigint => {
      const field = directory.layouts(role)[word]?.find((each) => each.name === name);
      assert.ok(field, name);
      return (of & mask(field.high, field.low)) >> BigInt(field.low);
    };
    assert.equal(value('context', 0, 'PDTS', 0x148dc3401n), 2n);
    assert.equal(value('context', 0, 'PASIDDIRPTR', 0x148dc3401n), 0x148dc3n);
    assert.equal(value('process', 0, 'PGTT', 0x49n), 1n);
    assert.equal(value('process', 0, 'AW', 0x14a923089n), 2n);
    assert.equal(value('process', 0, 'PGTT', 0x14a923089n), 2n);
    assert.equal(value('process', 2, 'FSPTPTR', 0x10b609020n), 0x10b609n);
  });

  it('names the tables of each translation type', () => {
    const directory = new Unit()
      .process(0, FIRST)
      .process(1, SECOND)
      .process(2, NESTED)
      .process(3, PASS)
      .open();
    const first = spaceOf(ask(directory));
    assert.equal(first.format.format.id, 'vtd-first-stage');
    assert.deepEqual([first.stage, first.domainId, first.root, first.format.rootDepth], [1, 7, 0x10, 4]);
    const second = spaceOf(ask(directory, 1));
    assert.equal(second.format.format.id, 'vtd-second-stage');
    assert.deepEqual([second.stage, second.domainId, second.root, second.format.rootDepth], [2, 8, 0x20, 4]);
    const nested = spaceOf(ask(directory, 2));
    assert.deepEqual([nested.stage, nested.domainId, nested.stage2?.root], [1, 9, 0x20]);
    assert.equal(nested.stage2?.stage, 2);
    assert.deepEqual(ask(directory, 3), { kind: 'pass-through', permission: 3 });
  });

  it('gives the devices of a domain the identical address space, and other domains others', () => {
    const other = [FIRST[0] ?? 0n, 8n, FIRST[2] ?? 0n];
    const unit = new Unit().process(0, FIRST).process(1, FIRST).process(2, other);
    const directory = unit.process(3, NESTED).process(4, NESTED).open();
    assert.equal(spaceOf(ask(directory)), spaceOf(ask(directory, 1)));
    assert.notEqual(spaceOf(ask(directory)), spaceOf(ask(directory, 2)));
    assert.equal(spaceOf(ask(directory, 3)), spaceOf(ask(directory, 4)));
    assert.equal(spaceOf(ask(directory, 3)).stage2, spaceOf(ask(directory, 4)).stage2);
  });

  it('tells by SSADE whether hardware sets A and D of a second stage, and sets those of a first stage always', () => {
    const marked = [(SECOND[0] ?? 0n) | bit(9), 8n];
    const directory = new Unit().process(0, FIRST).process(1, SECOND).process(2, marked).open();
    const sets = (pasid: number | null) => {
      const { setsAccessed, setsDirty } = spaceOf(ask(directory, pasid)).format.hardware;
      return [setsAccessed, setsDirty];
    };
    assert.deepEqual(
      [sets(null), sets(1), sets(2)],
      [
        [true, true],
        [false, false],
        [true, true],
      ],
    );
    assert.notEqual(spaceOf(ask(directory, 1)), spaceOf(ask(directory, 2)));
  });

  it('blocks the PASID that RID_PASID has, and any without PASIDE', () => {
    const unit = new Unit([P | PASIDE | at(DIRECTORY), 5n]).process(5, FIRST).process(6, SECOND);
    const directory = unit.open();
    assert.equal(spaceOf(ask(directory)).domainId, 7);
    assert.equal(faultOf(ask(directory, 5)), 'pasid-not-supported');
    assert.equal(spaceOf(ask(directory, 6)).domainId, 8);
    unit.context([P | at(DIRECTORY), 5n]);
    assert.equal(faultOf(ask(unit.open(), 6)), 'pasid-not-supported');
    assert.equal(spaceOf(ask(unit.open())).domainId, 7);
  });

  it('reserves what ECAP does not have, and nothing for registers that are not given', () => {
    const capable = mask(63, 0);
    const cases: readonly (readonly [what: string, ecap: number, context: readonly bigint[]])[] = [
      ['DTE without DT', 2, [bit(2)]],
      ['PASIDE without PASID', 40, [PASIDE]],
      ['PRE without PRS', 29, [bit(2) | bit(4)]],
      ['HPTE without HPTS', 55, [bit(5)]],
      ['EPTR without PTRS', 56, [PASIDE | bit(6)]],
      ['RID_PASID without RPS', 49, [0n, 1n]],
      ['RID_PRIV without RPRIVS', 53, [0n, bit(20)]],
    ];
    const privileged = [FIRST[0] ?? 0n, 7n, at(0x10) | bit(0)];
    for (const [what, flag, [lo = 0n, hi = 0n]] of cases) {
      const unit = new Unit([P | at(DIRECTORY) | lo, hi]).process(0, privileged).process(1, privileged);
      for (const more of [{}, { ECAP: capable }]) assert.equal(faultOf(ask(unit.open(more))), 'table', what);
      const lacking = unit.open({ ECAP: capable ^ bit(flag) });
      assert.equal(faultOf(ask(lacking)), 'context-entry-reserved', what);
    }
    const entries: readonly (readonly [what: string, ecap: number, words: readonly bigint[]])[] = [
      ['SSADE without SSADS', 45, [(SECOND[0] ?? 0n) | bit(9), 8n]],
      ['PWSNP without SMPWCS', 48, [P | (1n << 6n), bit(23), at(0x10)]],
      ['PGSNP without SC', 7, [P | (1n << 6n), bit(24), at(0x10)]],
      ['PAT without MTS', 25, [P | (1n << 6n), bit(32), at(0x10)]],
      ['SRE without SRS', 31, [P | (1n << 6n), 7n, at(0x10) | 1n]],
      ['EAFE without EAFS', 34, [P | (1n << 6n), 7n, at(0x10) | bit(7)]],
      ['HPTPTR without HPTS', 55, [P | (1n << 6n), 7n, at(0x10), 0n, at(0x30)]],
    ];
    for (const [what, flag, words] of entries) {
      const unit = new Unit().process(0, words);
      for (const more of [{}, { ECAP: capable }]) assert.equal(faultOf(ask(unit.open(more))), 'table', what);
      const lacking = unit.open({ ECAP: capable ^ bit(flag) });
      assert.equal(faultOf(ask(lacking)), 'process-entry-reserved', what);
    }
  });

  it('names the fields that are set and must be 0', () => {
    const why = (answer: DirectoryAnswer) => (answer.kind === 'fault' ? answer.why : '');
    const context = new Unit([P | at(DIRECTORY) | PASIDE | bit(8), 1n, bit(5)]);
    const ecap = mask(63, 0) ^ bit(40);
    assert.equal(
      why(ask(context.open({ ECAP: ecap }))),
      'The context entry has set what must be 0: PASIDE (bit 3), bits 8:7, bits 191:128.',
    );
    const process = new Unit().process(0, [...FIRST, 1n, 0n, bit(20), 1n, 1n]).open();
    assert.equal(
      why(ask(process)),
      'The PASID-table entry has set what must be 0: bits 255:192, bits 383:336, bits 447:384, bits 511:448.',
    );
  });

  it('refuses fields of a context entry that contradict each other', () => {
    const invalid: readonly (readonly [string, readonly bigint[]])[] = [
      ['PRE without DTE', [bit(4), 0n]],
      ['EPTR without PASIDE', [bit(6), 0n]],
      ['RID_PASID beyond the directory', [0n, 8192n]],
    ];
    for (const [what, [lo = 0n, hi = 0n]] of invalid) {
      const unit = new Unit([P | at(DIRECTORY) | lo, hi]).process(0, FIRST);
      assert.equal(faultOf(ask(unit.open())), 'context-entry-invalid', what);
    }
  });

  it('reserves domain ids that CAP.ND does not have', () => {
    const cap = mask(63, 0) ^ 7n;
    const unit = new Unit().process(0, [FIRST[0] ?? 0n, 15n, at(0x10)]);
    assert.equal(faultOf(ask(unit.open({ CAP: cap }))), 'table');
    unit.process(0, [FIRST[0] ?? 0n, 16n, at(0x10)]);
    assert.equal(faultOf(ask(unit.open({ CAP: cap }))), 'process-entry-reserved');
    assert.equal(faultOf(ask(unit.open())), 'table');
  });

  it('refuses PASIDs of more bits than ECAP.PSS has', () => {
    const ecap = (mask(63, 0) ^ mask(39, 35)) | (3n << 35n);
    const directory = new Unit().process(15, FIRST).process(16, FIRST).open({ ECAP: ecap });
    assert.equal(faultOf(ask(directory, 15)), 'table');
    assert.equal(faultOf(ask(directory, 16)), 'pasid-out-of-range');
  });

  it('makes requests privileged by RID_PRIV, and blocks them without SRE', () => {
    const unit = new Unit([P | PASIDE | at(DIRECTORY), bit(20)]).process(0, FIRST);
    assert.equal(faultOf(ask(unit.open())), 'translation-blocked');
    unit.process(0, [FIRST[0] ?? 0n, 7n, at(0x10) | 1n]).process(1, FIRST);
    for (let table = 0x10; table < 0x13; table++) {
      unit.memory.frame(table);
      unit.memory.set(table, 0, at(table + 1) | 3n);
    }
    unit.memory.frame(0x13);
    unit.memory.set(0x13, 0, at(0x55) | 1n);
    const directory = unit.open();
    const walk = (pasid: number | null, write: boolean) => {
      const { outcome } = walkTables(spaceOf(ask(directory, pasid)), 0, 0, write);
      return outcome.ok ? outcome.paddrLo : outcome.fault;
    };
    // U/S is clear: privileged requests alone pass, and with WPE clear they write to what is read-only.
    assert.deepEqual([walk(null, false), walk(null, true)], [0x55000, 0x55000]);
    assert.deepEqual([walk(1, false), walk(1, true)], ['read-denied', 'write-denied']);
    unit.process(0, [FIRST[0] ?? 0n, 7n, at(0x10) | 1n | bit(4)]);
    const protectedWrite = walkTables(spaceOf(ask(unit.open())), 0, 0, true).outcome;
    assert.ok(!protectedWrite.ok && protectedWrite.fault === 'write-denied');
  });

  it('refuses a first-stage root that the second stage does not take', () => {
    const unit = new Unit().process(0, [NESTED[0] ?? 0n, 9n, bit(48)]);
    assert.equal(faultOf(ask(unit.open())), 'process-entry-invalid');
    unit.process(0, [NESTED[0] ?? 0n, 9n, bit(47)]);
    assert.equal(faultOf(ask(unit.open())), 'table');
    const narrow = (mask(63, 0) ^ mask(21, 16)) | (38n << 16n);
    assert.equal(faultOf(ask(unit.open({ CAP: narrow }))), 'process-entry-invalid');
  });

  it('reads first-stage tables through R alone without SSADE, and through R and W with it', () => {
    // Guest pages 0x10 to 0x13 hold the first stage, page 0x55 the target.
    const unit = new Unit();
    for (let table = 0x20; table < 0x24; table++) unit.memory.frame(table);
    for (let table = 0x20; table < 0x23; table++) unit.memory.set(table, 0, at(table + 1) | 3n);
    for (let table = 0x10; table < 0x14; table++) {
      unit.memory.frame(table);
      unit.memory.set(table, 0, at(table < 0x13 ? table + 1 : 0x55) | 0x67n);
      unit.memory.set(0x23, table, at(table) | 1n);
    }
    unit.memory.set(0x23, 0x55, at(0x66) | 1n);
    const nested = (ssade: bigint) => {
      unit.process(0, [(NESTED[0] ?? 0n) | ssade, 9n, at(0x10)]);
      return walkTables(spaceOf(ask(unit.open())), 0, 0, false);
    };
    const { outcome } = nested(0n);
    assert.ok(outcome.ok && outcome.paddrLo === 0x66000 && outcome.permission === 1);
    const marking = nested(bit(9)).outcome;
    assert.deepEqual(marking, { ok: false, fault: 'read-denied', depth: 1, stage: 2 });
    for (let table = 0x10; table < 0x14; table++) unit.memory.set(0x23, table, at(table) | 3n);
    assert.ok(nested(bit(9)).outcome.ok);
  });

  it('lists devices with their processes, without the one of requests that have no PASID', () => {
    const unit = new Unit([P | PASIDE | at(DIRECTORY) | (2n << 9n), 5n]);
    const directory = unit.process(5, FIRST).process(6, SECOND).process(63, PASS).open();
    assert.deepEqual(
      listed(directory).map(({ requester, pasid, lookup }) => [requester, pasid, lookup.answer.kind]),
      [
        [DEVICE, null, 'table'],
        [DEVICE, 6, 'table'],
        [DEVICE, 63, 'pass-through'],
      ],
    );
    assert.deepEqual(directory.problems(), []);
    unit.context([P | at(DIRECTORY), 5n]);
    assert.equal(listed(unit.open()).length, 1);
  });

  it('lists a bounded number of processes, and yields on the way', () => {
    // Every entry of the largest directory leads to the same table, all of whose entries are present: 2^20 processes.
    const unit = new Unit([P | PASIDE | at(0x100) | (7n << 9n), 0n]);
    for (let pasid = 0; pasid < 64; pasid++) unit.process(pasid, PASS);
    for (let frame = 0x100; frame < 0x120; frame++) {
      unit.memory.frame(frame);
      for (let index = 0; index < 512; index++) unit.memory.set(frame, index, at(PROCESSES) | P);
    }
    let rows = 0;
    let since = 0;
    for (const device of unit.open().devices()) {
      since = device ? since + 1 : 0;
      if (device) rows++;
      assert.ok(since <= 66);
    }
    assert.ok(rows > 65_000 && rows <= 65_537, String(rows));
  });

  it('says what is wrong above the devices', () => {
    const unit = new Unit();
    unit.memory.set(ROOT, 8, at(0x999) | P);
    unit.memory.set(ROOT, 11, at(CONTEXTS) | P | bit(3));
    const told = unit.open().problems();
    assert.deepEqual(
      told.map(({ code }) => code),
      ['directory/context-entry-unreadable', 'directory/root-entry-reserved'],
    );
    assert.match(told[1]?.message ?? '', /^Bus 0x5, upper half: /);
    const [lost] = new Unit().open({ RTADDR: at(0x999) | (1n << 10n) }).problems();
    assert.equal(lost?.code, 'directory/root-unreadable');
  });

  it('takes SNP of second-stage leaves whether or not ECAP has snoop control', () => {
    // PASID, SMTS, SSTS, coherent walks; SC is clear in the first.
    const ecap = bit(40) | bit(43) | bit(46) | bit(48);
    for (const ECAP of [ecap, ecap | bit(7)]) {
      const unit = new Unit().process(0, SECOND);
      for (let frame = 0x20; frame < 0x24; frame++) {
        unit.memory.frame(frame);
        unit.memory.set(frame, 0, at(frame + 1) | 3n | (frame === 0x23 ? bit(11) : 0n));
      }
      const { outcome } = walkTables(spaceOf(ask(unit.open({ ECAP }))), 0x123, 0, false);
      assert.ok(outcome.ok && outcome.paddrLo === 0x24123, outcome.ok ? '' : outcome.fault);
    }
  });

  it('blocks all when ECAP has no scalable mode, and passes all when translation is off', () => {
    const ecap = mask(63, 0) ^ bit(43);
    const blocked = new Unit().open({ ECAP: ecap }).off;
    assert.ok(blocked?.answer.kind === 'fault' && blocked.answer.fault === 'translation-blocked');
    const off = new Unit().open({ GSTS: bit(30), ECAP: ecap }).off;
    assert.equal(off?.answer.kind, 'pass-through');
    assert.equal(new Unit().open({ GSTS: bit(31) }).off, undefined);
  });

  it('does not open the reserved mode', () => {
    const rtaddr = at(ROOT) | (2n << 10n);
    const opened = openDirectory('vt-d', new FrameMemory(), new Map([['RTADDR', rtaddr]]));
    assert.ok(!opened.ok && opened.failure.code === 'directory/mode-not-read');
  });

  it('takes IR and IW for R and W of a second stage with RTADDR.SSIRWE', () => {
    const unit = new Unit().process(0, SECOND);
    for (let table = 0x20; table < 0x24; table++) unit.memory.frame(table);
    for (let table = 0x20; table < 0x23; table++) unit.memory.set(table, 0, at(table + 1) | (3n << 61n));
    unit.memory.set(0x23, 0, at(0x55) | bit(61) | 2n);
    unit.memory.set(0x23, 1, at(0x56) | 3n);
    const space = spaceOf(ask(unit.open({ RTADDR: at(ROOT) | (1n << 10n) | bit(7) })));
    const walk = (page: number, write: boolean) => {
      const { outcome } = walkTables(space, page * 4096, 0, write);
      return outcome.ok ? outcome.paddrLo : outcome.fault;
    };
    assert.deepEqual([walk(0, false), walk(0, true)], [0x55000, 'write-denied']);
    assert.equal(walk(1, false), 'not-present');
    assert.equal(spaceOf(ask(unit.open())).format.format.id, 'vtd-second-stage');
  });

  it('answers for words without a meaning', () => {
    const word = fc.bigInt(0n, mask(63, 0));
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 4, maxLength: 4 }),
        fc.array(word, { minLength: 8, maxLength: 8 }),
        fc.option(word),
        fc.option(word),
        (context, process, cap, ecap) => {
          const unit = new Unit([((context[0] ?? 0n) & ~mask(63, 12)) | at(DIRECTORY), ...context.slice(1)]);
          for (let pasid = 0; pasid < 64; pasid += 9) unit.process(pasid, process);
          const registers = {
            ...(cap === null ? {} : { CAP: cap }),
            ...(ecap === null ? {} : { ECAP: ecap }),
          };
          const directory = unit.open(registers);
          for (const pasid of [null, 0, 9, 1, 0xfffff]) {
            const answer = ask(directory, pasid);
            if (answer.kind === 'fault') assert.ok(FAULTS.includes(answer.fault) && answer.why !== '');
          }
          for (const { lookup } of listed(directory))
            assert.ok(lookup.entries.every(({ says }) => says !== ''));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('VT-d fault reasons', () => {
  const open = (rtaddr: bigint) => {
    const opened = openDirectory('vt-d', new FrameMemory(), new Map([['RTADDR', rtaddr]]));
    assert.ok(opened.ok);
    return opened.value;
  };

  it('of scalable mode are those of the specification, by stage', () => {
    const scalable = open(1n << 10n);
    const code = (fault: (typeof FAULTS)[number], stage: 1 | 2 | null = null) =>
      scalable.faultCode(fault, 'read', stage);
    assert.equal(code('root-entry-not-present'), 'fault reason 39h');
    assert.equal(code('context-entry-reserved'), 'fault reason 42h');
    assert.equal(code('process-entry-invalid'), 'fault reason 5Bh');
    assert.equal(code('not-present', 1), 'fault reason 71h');
    assert.equal(code('not-present', 2), 'fault reason 79h');
    assert.equal(code('entry-reserved', 1), 'fault reason 72h');
    assert.equal(code('entry-reserved', 2), 'fault reason 7Ah');
    assert.equal(code('address-width', 1), 'fault reason 80h');
    assert.equal(code('address-width', 2), 'fault reason 84h');
    assert.equal(code('read-denied', 1), 'fault reason 81h');
    assert.equal(code('read-denied', 2), 'fault reason 86h');
    assert.equal(scalable.faultCode('write-denied', 'write', 1), 'fault reason 85h');
    assert.equal(code('interrupt-output'), 'fault reason 87h');
    assert.equal(code('level-skip'), undefined);
  });

  it('of legacy mode report what is not present as a missing permission', () => {
    const legacy = open(0n);
    assert.equal(legacy.faultCode('not-present', 'read', 2), 'fault reason 6h');
    assert.equal(legacy.faultCode('not-present', 'write', 2), 'fault reason 5h');
    assert.equal(legacy.faultCode('entry-reserved', 'read', 2), 'fault reason Ch');
    assert.equal(legacy.faultCode('pasid-not-supported', 'read', null), 'fault reason 31h');
  });

  it('of abort mode are 33h for all', () => {
    const aborting = open(3n << 10n);
    assert.equal(faultOf(aborting.lookup(requesterId(8), null).answer), 'translation-blocked');
    assert.equal(aborting.faultCode('translation-blocked', 'read', null), 'fault reason 33h');
    assert.deepEqual([...aborting.devices()], []);
  });
});
