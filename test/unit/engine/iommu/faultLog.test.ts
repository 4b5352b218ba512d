import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type StructureRole } from '../../../../src/engine/directory/deviceDirectory';
import { FAULTS } from '../../../../src/engine/faults';
import { EMULATED_KINDS, type EmulatedKind, type FaultReport } from '../../../../src/engine/iommu/vendor';
import { frameNumber, pasid, requesterId } from '../../../../src/engine/values';
import { LOG, QueueRig, refusal } from './queueRig';

const bit = (place: number): bigint => 1n << BigInt(place);
const entry = (role: StructureRole, ...words: bigint[]) => ({ role, address: 0, index: 0, words, says: '' });
const GUEST = { guestLo: 0x8765_4322, guestHi: 1 };

/** The words that a vendor records. */
function words(kind: EmulatedKind, report: FaultReport, registers: Readonly<Record<string, bigint>> = {}) {
  const rig = new QueueRig(kind);
  for (const [name, value] of Object.entries(registers)) rig.registers.set(name, value);
  return rig.vendor.faults.encode(report, rig.registers);
}

describe('Fault records', () => {
  // By hand from RISC-V IOMMU 1.0 §3.2.
  it('of RISC-V have the cause, the transaction, the process, IOVA and guest address', () => {
    assert.deepEqual(words('riscv', refusal(GUEST)), [
      0x0000_100c_0000_0017n,
      0n,
      0x7f_1234_5678n,
      0x1_8765_4320n,
    ]);
    assert.deepEqual(
      words('riscv', refusal({ stage: 1 }, { access: 'read', pasid: pasid(5), privileged: true })),
      [0x0000_100b_0000_500dn, 0n, 0x7f_1234_5678n, 0n],
    );
    assert.deepEqual(
      words('riscv', refusal({ stage: 1 }, { access: 'atomic', kind: 'translated' }))?.[0],
      0x0000_101c_0000_000fn,
    );
    assert.deepEqual(
      words('riscv', refusal({ stage: 1 }, { access: 'read', kind: 'translation' }))?.[0],
      0x0000_1020_0000_000fn,
    );
    assert.deepEqual(
      words('riscv', refusal({ stage: 1 }, { access: 'read', execute: true }))?.[0],
      0x0000_1004_0000_000cn,
    );
  });

  it('of RISC-V say by the low bits of iotval2 that hardware itself read or wrote', () => {
    assert.equal(words('riscv', refusal({ ...GUEST, implicit: true }))?.[3], 0x1_8765_4321n);
    assert.equal(
      words('riscv', refusal({ ...GUEST, implicit: true, implicitWrite: true }))?.[3],
      0x1_8765_4323n,
    );
    // Only guest-page faults have a guest address.
    assert.equal(words('riscv', refusal({ ...GUEST, fault: 'table-unreadable' }))?.[3], 0n);
  });

  it('of RISC-V are left out with DTF, but for those about the device itself', () => {
    const entries = [entry('context', 0x11n)];
    assert.equal(words('riscv', refusal({ entries })), undefined);
    assert.equal(words('riscv', refusal({ entries, fault: 'pasid-not-supported', stage: null })), undefined);
    for (const [fault, cause] of [
      ['translation-blocked', 256n],
      ['context-entry-unreadable', 257n],
      ['context-entry-not-present', 258n],
      ['context-entry-invalid', 259n],
    ] as const)
      assert.equal((words('riscv', refusal({ entries, fault, stage: null }))?.[0] ?? 0n) & 0xfffn, cause);
    // A context that is not valid says nothing.
    assert.ok(words('riscv', refusal({ entries: [entry('context', 0x10n)] })));
  });

  // By hand from IHI 0070 7.3.
  it('of an SMMU have the event, the stream, the access, its stage and class, and the addresses', () => {
    assert.deepEqual(words('smmuv3', refusal(GUEST)), [
      0x10_0000_0010n,
      0x280_0000_0000n,
      0x7f_1234_5678n,
      0x1_8765_4000n,
    ]);
    assert.deepEqual(words('smmuv3', refusal({ stage: 1 }, { access: 'read', pasid: pasid(5) })), [
      0x10_0000_5810n,
      0x208_0000_0000n,
      0x7f_1234_5678n,
      0n,
    ]);
    // PnU and InD; F_PERMISSION.
    assert.deepEqual(
      words(
        'smmuv3',
        refusal({ stage: 1, fault: 'read-denied' }, { access: 'read', privileged: true, execute: true }),
      )?.slice(0, 2),
      [0x10_0000_0013n, 0x20e_0000_0000n],
    );
  });

  it('of an SMMU class an access to a table of stage 1 TT, and to a context descriptor CD', () => {
    const space = {} as NonNullable<FaultReport['space']>;
    assert.equal(words('smmuv3', refusal({ ...GUEST, implicit: true, space }))?.[1], 0x180_0000_0000n);
    assert.equal(words('smmuv3', refusal({ ...GUEST, implicit: true }))?.[1], 0x080_0000_0000n);
  });

  it('of an SMMU about configuration have the stream alone, or the address that was fetched', () => {
    assert.deepEqual(words('smmuv3', refusal({ fault: 'context-entry-invalid', stage: null })), [
      0x10_0000_0004n,
      0n,
      0n,
      0n,
    ]);
    const entries = [entry('root', 0x1234_5000n | 9n)];
    assert.deepEqual(words('smmuv3', refusal({ fault: 'context-entry-unreadable', stage: null, entries })), [
      0x10_0000_0003n,
      0n,
      0n,
      0x1234_5000n,
    ]);
  });

  it('of an SMMU about bad StreamIDs are left out unless CR2.RECINVSID is 1', () => {
    const report = refusal({ fault: 'requester-out-of-range', stage: null });
    assert.equal(words('smmuv3', report), undefined);
    assert.equal(words('smmuv3', report, { CR2: 2n })?.[0], 0x10_0000_0002n);
  });

  it('of an SMMU are left out for streams that abort; S1DSS is F_STREAM_DISABLED, EPD F_TRANSLATION', () => {
    const blocked = (entries: FaultReport['entries']) =>
      words(
        'smmuv3',
        refusal({ fault: 'translation-blocked', stage: null, ...(entries ? { entries } : {}) }),
      );
    assert.equal(blocked(undefined), undefined);
    assert.equal(blocked([entry('context', 1n)]), undefined);
    assert.equal(blocked([entry('context', 0xbn)])?.[0], 0x10_0000_0006n);
    assert.equal(blocked([entry('context', 0xbn), entry('process', 0n)])?.[0], 0x10_0000_0010n);
  });

  // By hand from AMD 48882 3.10 §2.5.
  it('of AMD have the event, its flags, the device and its domain or PASID, and the address', () => {
    const entries = [entry('context', 3n, 5n)];
    assert.deepEqual(words('amd-vi', refusal({ entries })), [0x2020_0005_0000_0010n, 0x7f_1234_5678n]);
    assert.deepEqual(
      words(
        'amd-vi',
        refusal({ entries, stage: 1, fault: 'read-denied' }, { access: 'read', pasid: pasid(0xabcde) }),
      ),
      [0x2055_bcde_000a_0010n, 0x7f_1234_5678n],
    );
    assert.deepEqual(words('amd-vi', refusal({ entries, fault: 'context-entry-reserved', stage: null })), [
      0x10a0_0000_0000_0010n,
      0x7f_1234_5678n,
    ]);
    assert.equal(
      words('amd-vi', refusal({ entries }, { kind: 'translation', access: 'read', noWrite: true }))?.[0],
      0x2100_0005_0000_0010n,
    );
  });

  it('of AMD are left out with DTE.SA, page faults only', () => {
    const entries = [entry('context', 3n, 5n | bit(34))];
    assert.equal(words('amd-vi', refusal({ entries })), undefined);
    assert.ok(words('amd-vi', refusal({ entries, fault: 'context-entry-reserved', stage: null })));
  });

  // By hand from VT-d 5.10 §11.4.14.
  it('of VT-d have the reason, the source, the request, its PASID and the page', () => {
    assert.deepEqual(words('vt-d', refusal()), [0x7f_1234_5000n, 0x8000_0005_0000_0010n]);
    assert.deepEqual(words('vt-d', refusal({}, { access: 'read' }))?.[1], 0xc000_0006_0000_0010n);
    const scalable = { RTADDR: 0x400n };
    assert.deepEqual(
      words('vt-d', refusal({ stage: 1 }, { access: 'read', pasid: pasid(5) }), scalable)?.[1],
      0xc000_0571_8000_0010n,
    );
    assert.deepEqual(
      words(
        'vt-d',
        refusal({}, { access: 'atomic', kind: 'translated', pasid: pasid(5), privileged: true }),
        scalable,
      )?.[1],
      0xe000_0579_b000_0010n,
    );
    assert.deepEqual(
      words(
        'vt-d',
        refusal({}, { access: 'read', kind: 'translation', execute: true, pasid: pasid(0) }),
        scalable,
      )?.[1],
      0xd000_0079_c000_0010n,
    );
  });

  it('of VT-d tell the PASID directory from the PASID table', () => {
    const scalable = { RTADDR: 0x400n };
    const reason = (fault: FaultReport['fault'], last: StructureRole) =>
      Number(
        ((words('vt-d', refusal({ fault, stage: null, entries: [entry(last, 1n)] }), scalable)?.[1] ?? 0n) >>
          32n) &
          0xffn,
      );
    assert.equal(reason('process-entry-unreadable', 'context'), 0x50);
    assert.equal(reason('process-entry-unreadable', 'process-directory'), 0x58);
    assert.equal(reason('process-entry-not-present', 'process-directory'), 0x51);
    assert.equal(reason('process-entry-not-present', 'process'), 0x59);
    assert.equal(reason('process-entry-reserved', 'process-directory'), 0x52);
    assert.equal(reason('process-entry-reserved', 'process'), 0x5a);
  });

  it('of an SMMU tell a level-1 context descriptor that is not valid from a CD', () => {
    const event = (last: StructureRole) =>
      words(
        'smmuv3',
        refusal({ fault: 'process-entry-not-present', stage: null, entries: [entry(last, 0n)] }),
      )?.[0];
    assert.equal(event('process-directory'), 0x10_0000_0008n);
    assert.equal(event('process'), 0x10_0000_000an);
  });

  it('of VT-d are left out with FPD of the context entry, the PASID directory or the PASID table', () => {
    for (const role of ['context', 'process-directory', 'process'] as const)
      assert.equal(words('vt-d', refusal({ entries: [entry(role, 3n)] })), undefined);
    // P does not matter; bit 1 of a root entry is no FPD.
    assert.equal(
      words(
        'vt-d',
        refusal({ entries: [entry('context', 2n)], fault: 'context-entry-not-present', stage: null }),
      ),
      undefined,
    );
    assert.ok(words('vt-d', refusal({ entries: [entry('root', 3n)] })));
  });

  it('say the same again when they are read', () => {
    const report = fc.record({
      fault: fc.constantFrom(...FAULTS),
      stage: fc.constantFrom(1 as const, 2 as const),
      requester: fc.nat({ max: 0xffff }),
      pasid: fc.option(fc.nat({ max: 0xf_ffff })),
      page: fc.nat({ max: 0xf_ffff }),
      access: fc.constantFrom('read' as const, 'write' as const),
      kind: fc.constantFrom(...EMULATED_KINDS),
    });
    fc.assert(
      fc.property(report, ({ fault, stage, requester, pasid: process, page, access, kind }) => {
        const rig = new QueueRig(kind);
        const about = refusal(
          { fault, stage },
          {
            requester: requesterId(requester),
            pasid: process === null ? null : pasid(process),
            addressLo: page * 4096,
            access,
          },
        );
        if (!rig.log.record(about)) return;
        const [found] = [...rig.log.entries()];
        assert.ok(found);
        assert.equal(found.requester, requester);
        const event = kind === 'smmuv3' && (found.words[0] ?? 0n) % 256n < 11n;
        if (!event) assert.equal(found.address, (0x7fn << 32n) | BigInt(page * 4096));
        if (kind !== 'amd-vi' && !event) assert.equal(found.write, access === 'write');
        assert.equal(found.pasid, kind === 'amd-vi' && process === null && found.pasid === 0 ? 0 : process);
      }),
    );
  });
});

for (const kind of EMULATED_KINDS) {
  describe(`The fault log of ${kind}`, () => {
    const fill = (rig: QueueRig): number => {
      let count = 0;
      while (rig.log.record(refusal({}, { requester: requesterId(count) }))) count++;
      return count;
    };

    it('keeps records in order until it is full, loses the next, and says so', () => {
      const rig = new QueueRig(kind);
      const count = fill(rig);
      assert.equal(count, { 'vt-d': 4, 'amd-vi': 255, smmuv3: 4, riscv: 3 }[kind]);
      assert.deepEqual(
        [...rig.log.entries()].map(({ requester }) => requester),
        Array.from({ length: count }, (_, index) => index),
      );
      assert.ok(rig.log.overflowed);
      assert.equal(rig.log.lost, 1);
    });

    it('goes round its ring', () => {
      const rig = new QueueRig(kind);
      const { faults } = rig.vendor;
      for (let round = 0; round < 600; round++) {
        assert.ok(rig.log.record(refusal({}, { requester: requesterId(round) })));
        assert.deepEqual(
          [...rig.log.entries()].map(({ requester }) => requester),
          [round],
        );
        if (faults.store) rig.write(`FRCD${round % 4}_HI`, bit(63));
        else
          rig.write(
            faults.head.register,
            faults.head.value(rig.registers, faults.tail.position(rig.registers)),
          );
      }
    });

    if (kind === 'vt-d') return;

    it('says when its memory cannot be written', () => {
      const rig = new QueueRig(kind);
      rig.memory.removeFrame(frameNumber(LOG / 4096));
      assert.equal(rig.log.record(refusal()), false);
      assert.equal(rig.log.overflowed, false);
      if (kind === 'riscv') assert.equal(rig.read('fqcsr') & 0x100n, 0x100n);
      if (kind === 'smmuv3') assert.equal(rig.read('GERROR'), 4n);
      if (kind === 'amd-vi') assert.equal(rig.read('Status') & 8n, 0n);
    });

    it('takes nothing while it is off', () => {
      const rig = new QueueRig(kind);
      rig.write({ 'amd-vi': 'Control', smmuv3: 'CR0', riscv: 'fqcsr' }[kind], 0n);
      assert.equal(rig.log.record(refusal()), false);
      assert.deepEqual([...rig.log.entries()], []);
    });
  });
}

describe('Overflow of fault logs', () => {
  const some = (rig: QueueRig, count: number): boolean[] =>
    Array.from({ length: count }, () => rig.log.record(refusal()));
  const take = (rig: QueueRig): void => {
    const { head, tail } = rig.vendor.faults;
    rig.write(head.register, head.value(rig.registers, tail.position(rig.registers)));
  };

  it('VT-d: PFO stops recording until it is cleared; FRI says the first record, PPF that there is one', () => {
    const rig = new QueueRig('vt-d');
    some(rig, 1);
    assert.equal(rig.read('FSTS'), 2n);
    rig.write('FRCD0_HI', bit(63));
    assert.equal(rig.read('FSTS'), 0n);
    some(rig, 5);
    assert.equal(rig.read('FSTS'), 0x103n);
    for (const index of [1, 2, 3, 0]) rig.write(`FRCD${index}_HI`, bit(63));
    assert.equal(rig.read('FSTS'), 0x101n);
    assert.deepEqual(some(rig, 1), [false]);
    rig.write('FSTS', 1n);
    assert.deepEqual(some(rig, 1), [true]);
  });

  it('VT-d: other bits of a record are read-only', () => {
    const rig = new QueueRig('vt-d');
    some(rig, 1);
    const before = rig.read('FRCD0_HI');
    rig.write('FRCD0_LO', 0n);
    rig.write('FRCD0_HI', 0n);
    assert.equal(rig.read('FRCD0_HI'), before);
    assert.equal(rig.read('FRCD0_LO'), 0x7f_1234_5000n);
  });

  it('AMD: EventOverflow stops the log until software clears it and switches the log off and on', () => {
    const rig = new QueueRig('amd-vi');
    some(rig, 256);
    assert.equal(rig.read('Status') & 0xbn, 3n);
    take(rig);
    assert.deepEqual(some(rig, 1), [false]);
    rig.write('Status', 3n);
    assert.deepEqual(some(rig, 1), [false]);
    const control = rig.read('Control');
    rig.write('Control', control & ~4n);
    rig.write('Control', control);
    assert.deepEqual(some(rig, 1), [true]);
  });

  it('SMMUv3: OVFLG flips once; recording goes on as soon as there is room', () => {
    const rig = new QueueRig('smmuv3');
    assert.deepEqual(some(rig, 6), [true, true, true, true, false, false]);
    // Index 0 with the wrap bit, and OVFLG.
    assert.equal(rig.read('EVENTQ_PROD'), 0x8000_0004n);
    rig.write('EVENTQ_CONS', 1n);
    assert.deepEqual(some(rig, 2), [true, false]);
    assert.ok(rig.log.overflowed);
    rig.write('EVENTQ_CONS', 0x8000_0005n);
    assert.equal(rig.log.overflowed, false);
    assert.deepEqual(some(rig, 5), [true, true, true, true, false]);
    assert.equal(rig.read('EVENTQ_PROD') >> 31n, 0n);
  });

  it('RISC-V: fqof throws away this record and all that follow until it is cleared', () => {
    const rig = new QueueRig('riscv');
    assert.deepEqual(some(rig, 4), [true, true, true, false]);
    assert.equal(rig.read('fqcsr'), 0x1_0203n);
    assert.equal(rig.read('ipsr'), 2n);
    take(rig);
    assert.deepEqual(some(rig, 1), [false]);
    rig.write('fqcsr', 0x203n);
    assert.deepEqual(some(rig, 1), [true]);
  });

  it('RISC-V: fqmf does the same', () => {
    const rig = new QueueRig('riscv');
    rig.memory.removeFrame(frameNumber(LOG / 4096));
    some(rig, 1);
    assert.ok(rig.memory.addFrame(frameNumber(LOG / 4096)));
    assert.deepEqual(some(rig, 1), [false]);
    rig.write('fqcsr', 0x103n);
    assert.deepEqual(some(rig, 1), [true]);
  });
});
