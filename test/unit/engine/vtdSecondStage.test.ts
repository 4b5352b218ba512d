import assert from 'node:assert/strict';
import { mask } from '../../../src/engine/bits/bitFields';
import { CONTEXT_LAYOUT, ROOT_LAYOUT } from '../../../src/engine/directory/vtd/legacyEntries';
import { vtdRegisters } from '../../../src/engine/directory/vtd/registers';
import { compileFormat } from '../../../src/engine/formats/compile';
import { type BitField } from '../../../src/engine/bits/bitFields';
import { type FormatHardware } from '../../../src/engine/formats/pageTableFormat';
import { vtdSecondStage } from '../../../src/engine/formats/vtdSecondStage';
import { entryProblems } from '../../../src/engine/pageTable/entryProblems';

const anything: FormatHardware = {};

/** Every bit in exactly one field. */
function assertCovers(layout: readonly BitField[], what: string): void {
  let seen = 0n;
  for (const { name, high, low } of layout) {
    assert.equal(seen & mask(high, low), 0n, `${what}: ${name} overlaps another field`);
    seen |= mask(high, low);
  }
  assert.equal(seen, mask(63, 0), `${what}: bits without a field`);
}

const problemsOf = (level: number, word: bigint, hardware = anything) =>
  entryProblems(
    compileFormat(vtdSecondStage, 5, hardware),
    level,
    Number(word & 0xffffffffn),
    Number(word >> 32n),
  ).map(({ code, high, low }) => ({ code, high, low }));

describe('VT-d layouts', () => {
  it('give every bit of a second-stage entry one field, at every level', () => {
    for (const level of vtdSecondStage.levels) {
      assertCovers(vtdSecondStage.layout('leaf', level), `${level.entryName} leaf`);
      if (level.level > 1) assertCovers(vtdSecondStage.layout('table', level), `${level.entryName} table`);
    }
  });

  it('give every bit of root entries, context entries and registers one field', () => {
    for (const words of [ROOT_LAYOUT, CONTEXT_LAYOUT])
      words.forEach((word) => {
        assertCovers(word, 'structure');
      });
    const names = ['RTADDR', 'GSTS', 'CAP', 'ECAP'];
    const registers = vtdRegisters(new Map(names.map((name) => [name, 0n])));
    assert.deepEqual(registers.map(({ name }) => name).sort(), [...names].sort());
    for (const { name, layout } of registers) assertCovers(layout, name);
  });
});

describe('VT-d registers', () => {
  /** The field that one bit belongs to. */
  const nameAt = (register: string, bit: number): string | undefined =>
    vtdRegisters(new Map([[register, 0n]]))[0]?.layout.find(({ high, low }) => bit >= low && bit <= high)
      ?.name;

  it('have their fields where the specification has them (VT-d 4.1 sections 11.4.2 to 11.4.5)', () => {
    const places: readonly (readonly [string, number, string])[] = [
      ['CAP', 7, 'CM'],
      ['CAP', 12, 'SAGAW'],
      ['CAP', 16, 'MGAW'],
      ['CAP', 22, 'ZLR'],
      ['CAP', 34, 'SSLPS'],
      ['CAP', 39, 'PSI'],
      ['CAP', 48, 'MAMV'],
      ['CAP', 54, 'DWD'],
      ['CAP', 55, 'DRD'],
      ['CAP', 60, 'FS5LP'],
      ['CAP', 63, 'ESRTPS'],
      ['ECAP', 1, 'QI'],
      ['ECAP', 2, 'DT'],
      ['ECAP', 6, 'PT'],
      ['ECAP', 7, 'SC'],
      ['ECAP', 26, 'NEST'],
      ['ECAP', 34, 'EAFS'],
      ['ECAP', 40, 'PASID'],
      ['ECAP', 43, 'SMTS'],
      ['ECAP', 45, 'SSADS'],
      ['ECAP', 48, 'SMPWCS'],
      ['ECAP', 49, 'RPS'],
      ['ECAP', 51, 'PMS'],
      ['GSTS', 25, 'IRES'],
      ['GSTS', 26, 'QIES'],
      ['GSTS', 30, 'RTPS'],
      ['GSTS', 31, 'TES'],
      ['RTADDR', 10, 'TTM'],
      ['RTADDR', 12, 'RTA'],
    ];
    for (const [register, bit, name] of places)
      assert.equal(nameAt(register, bit), name, `${register} bit ${bit}`);
  });
});

describe('problems of a second-stage entry', () => {
  // The words follow the specification's reserved fields: VT-d 4.1 section 9.8.
  it('are none for what Linux writes', () => {
    assert.deepEqual(problemsOf(1, 0x14ece5003n), []);
    assert.deepEqual(problemsOf(2, 0x9d600083n), []);
    assert.deepEqual(problemsOf(3, 0x140000083n), []);
    assert.deepEqual(problemsOf(4, 0x342e003n), []);
    assert.deepEqual(problemsOf(1, 0n), []);
  });

  it('name the low address bits of a misaligned large leaf', () => {
    assert.deepEqual(problemsOf(2, 0x9d601083n), [{ code: 'entry/misaligned-leaf', high: 20, low: 12 }]);
    assert.deepEqual(problemsOf(3, 0x140200083n), [{ code: 'entry/misaligned-leaf', high: 29, low: 12 }]);
  });

  it('name PS where no leaf may be, and bit 11 of a table entry', () => {
    assert.deepEqual(problemsOf(4, 0x1083n), [{ code: 'entry/reserved-bits', high: 7, low: 7 }]);
    assert.deepEqual(problemsOf(2, 0x1803n), [{ code: 'entry/reserved-bits', high: 11, low: 11 }]);
  });

  it('name a word that is not 0 but not present', () => {
    assert.deepEqual(problemsOf(1, 0x300n), [{ code: 'entry/stale-word', high: 63, low: 0 }]);
  });

  it('follow the capability registers', () => {
    const bare: FormatHardware = {
      largePages: new Set([2 ** 21]),
      features: { snoopControl: false, deviceTlb: false },
    };
    assert.deepEqual(problemsOf(2, 0x200083n, bare), []);
    assert.deepEqual(problemsOf(3, 0x40000083n, bare), [{ code: 'entry/not-supported', high: 7, low: 7 }]);
    assert.deepEqual(problemsOf(1, 0x1803n, bare), [{ code: 'entry/not-supported', high: 11, low: 11 }]);
    assert.deepEqual(problemsOf(1, (1n << 62n) | 0x1003n, bare), [
      { code: 'entry/not-supported', high: 62, low: 62 },
    ]);
  });
});
