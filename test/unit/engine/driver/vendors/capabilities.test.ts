import assert from 'node:assert/strict';
import {
  defaultCapabilities,
  makeCapabilities,
  registersOf,
  walksCoherently,
} from '../../../../../src/engine/driver/capabilities';
import { DRIVER_FAULTS, policyOf } from '../../../../../src/engine/driver/driverFaults';
import { EMULATED_KINDS, type EmulatedKind } from '../../../../../src/engine/iommu/vendor';

type Changes = Readonly<Record<string, unknown>>;

/** The rule that refuses a machine. */
function refusal(vendor: EmulatedKind, changes: Changes): string {
  const made = makeCapabilities(vendor, changes);
  assert.ok(!made.ok, JSON.stringify(changes));
  return `${made.failure.code}: ${made.failure.message}`;
}

const NOT_SCALABLE: Changes = {
  scalable: false,
  secondStage: false,
  firstStage: false,
  nesting: false,
  firstStage1G: false,
  dirtyTracking: false,
  coherentScalable: false,
  pasidBits: 0,
};

describe('Capabilities of a machine', () => {
  it('have defaults that hardware could have, for every vendor, and go through JSON', () => {
    for (const vendor of EMULATED_KINDS) {
      const made = makeCapabilities(vendor);
      assert.ok(made.ok);
      assert.deepEqual(JSON.parse(JSON.stringify(made.value)), defaultCapabilities(vendor));
      assert.equal(walksCoherently(made.value), true);
    }
    assert.ok(makeCapabilities('vt-d', NOT_SCALABLE).ok);
  });

  const impossible: readonly (readonly [EmulatedKind, Changes, RegExp])[] = [
    [
      'vt-d',
      { ...NOT_SCALABLE, dirtyTracking: true },
      /ECAP\.SSADS is 0 where ECAP\.SMTS.*VT-d 4\.1 §11\.4\.3/,
    ],
    ['vt-d', { secondStage: false, nesting: false }, /ECAP\.SSADS is 0 where ECAP\.SSTS/],
    ['vt-d', { firstStage: false, firstStage1G: false }, /ECAP\.NEST is 0 where ECAP\.FSTS or ECAP\.SSTS/],
    ['vt-d', { ...NOT_SCALABLE, pasidBits: 20 }, /ECAP\.PASID is 0 where ECAP\.SMTS/],
    ['vt-d', { levels: [6] }, /CAP\.SAGAW/],
    ['vt-d', { levels: [3, 4], addressBits: 57 }, /CAP\.MGAW is at most what the levels/],
    ['vt-d', { pages2M: false }, /CAP\.SSLPS says 2M pages wherever/],
    ['vt-d', { domainBits: 7 }, /CAP\.ND/],
    ['vt-d', { faultRecords: 0 }, /CAP\.NFR/],
    ['amd-vi', { hostAccessed: false }, /HDSup.*is 0 where ExtFeat\.HASup.*AMD 48882/],
    ['amd-vi', { guestLevels: 0 }, /is 0 where ExtFeat\.GTSup/],
    ['amd-vi', { levels: 7 }, /ExtFeat\.HATS/],
    ['amd-vi', { eventRecords: 300 }, /event log/],
    ['smmuv3', { tables64: false }, /IDR0\.HTTU is 0 where IDR0\.TTF.*IHI 0070 6\.3\.1/],
    ['smmuv3', { stage1: false, stage2: false }, /IDR0\.S1P or IDR0\.S2P/],
    ['smmuv3', { stage2: false }, /IDR0\.VMID16 is 0 where IDR0\.S2P/],
    ['smmuv3', { granules: ['4K'], outputBits: 52 }, /52-bit addresses need the 64K granule/],
    ['smmuv3', { granules: [] }, /one of the granules/],
    ['smmuv3', { bbml: 3 }, /IDR3\.BBML/],
    ['riscv', { levels: [5] }, /Sv48 is 1 where capabilities\.Sv57 is 1.*RISC-V IOMMU 1\.0 §5\.3/],
    ['riscv', { guestLevels: [4] }, /Sv39x4 is 1 where capabilities\.Sv48x4/],
    ['riscv', { ats: false }, /T2GPA is 0 where capabilities\.ATS/],
    ['riscv', { levels: [] }, /PD8, PD17 and PD20 are 0/],
    ['riscv', { physicalBits: 57 }, /PAS/],
  ];
  for (const [vendor, changes, rule] of impossible) {
    it(`are refused with the rule of the vendor: ${vendor} with ${JSON.stringify(changes)}`, () => {
      const said = refusal(vendor, changes);
      assert.match(said, /^capabilities\/impossible/);
      assert.match(said, rule);
    });
  }

  it('are refused by name and by type', () => {
    assert.match(refusal('riscv', { httu: 2 }), /^capabilities\/unknown: httu is no capability of riscv/);
    assert.match(refusal('smmuv3', { httu: true }), /^capabilities\/type/);
    assert.match(refusal('smmuv3', { granules: [4] }), /^capabilities\/type/);
    assert.match(refusal('vt-d', { vendor: 'riscv' }), /^capabilities\/unknown/);
  });

  it('take lists as text, too', () => {
    const made = makeCapabilities('smmuv3', { granules: '4K, 64K' });
    assert.ok(made.ok && made.value.vendor === 'smmuv3');
    assert.deepEqual(made.value.granules, ['4K', '64K']);
    const levels = makeCapabilities('riscv', { levels: '3,4' });
    assert.ok(levels.ok && levels.value.vendor === 'riscv');
    assert.deepEqual(levels.value.levels, [3, 4]);
    assert.match(refusal('riscv', { levels: '3,x' }), /^capabilities\/type/);
  });

  it('become the registers of the specifications', () => {
    const vtd = registersOf({ ...defaultCapabilities('vt-d'), cachingMode: true, faultRecords: 8 });
    const cap = vtd.get('CAP') ?? 0n;
    // ND 6, CM, SAGAW 39 and 48 bits, MGAW 47, SSLPS 2M and 1G, PSI, NFR 7, DWD, DRD.
    assert.equal(cap & 0xffn, 6n | (1n << 7n));
    assert.equal((cap >> 8n) & 0x1fn, 0b110n);
    assert.equal((cap >> 16n) & 0x3fn, 47n);
    assert.equal((cap >> 34n) & 3n, 3n);
    assert.equal((cap >> 39n) & 0x1ffn, 1n | (7n << 1n));
    assert.equal((cap >> 54n) & 3n, 3n);
    const ecap = vtd.get('ECAP') ?? 0n;
    // SMTS 43, SLADS 45, SLTS 46, FLTS 47, SMPWC 48, PASID 40.
    assert.equal((ecap >> 40n) & 0x1ffn, 0b1_1110_1001n);
    const amd = registersOf(defaultCapabilities('amd-vi')).get('ExtFeat') ?? 0n;
    // HATS 2 (6 levels), GATS 1 (5 levels), PASmax 15, GIoSup 48, HASup 49, HDSup 52.
    assert.equal((amd >> 10n) & 15n, 0b0110n);
    assert.equal((amd >> 32n) & 31n, 15n);
    assert.equal((amd >> 48n) & 31n, 0b10011n);
    const smmu = registersOf(defaultCapabilities('smmuv3'));
    // S2P, S1P, AA64, COHACC, HTTU 2; RIL, BBML 2.
    assert.equal((smmu.get('IDR0') ?? 0n) & 0xffn, 0b1001_1011n);
    assert.equal(smmu.get('IDR3'), (1n << 10n) | (2n << 11n));
    assert.equal((smmu.get('IDR5') ?? 0n) & 0x77n, 0x75n);
    const riscv = registersOf(defaultCapabilities('riscv')).get('capabilities') ?? 0n;
    assert.equal((riscv >> 24n) & 1n, 1n);
    assert.equal((riscv >> 32n) & 63n, 56n);
    assert.equal((riscv >> 38n) & 7n, 7n);
  });
});

describe('Faults of a driver', () => {
  it('leave out one thing each, and nothing when none is given', () => {
    assert.ok(Object.values(policyOf()).every(Boolean));
    for (const { id, policy } of DRIVER_FAULTS) {
      const given = policyOf([id, 'of another part']);
      const wrong = Object.entries(given).filter(([, right]) => !right);
      assert.deepEqual(wrong, [[policy, false]]);
    }
    assert.equal(new Set(DRIVER_FAULTS.map(({ id }) => id)).size, DRIVER_FAULTS.length);
  });
});
