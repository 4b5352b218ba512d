/** The block of test_app.c of the riscv-iommu reference model about process directories. */
import assert from 'node:assert/strict';
import { riscvCommands } from '../../../src/engine/iommu/vendors/riscv/commands';
import { pasid } from '../../../src/engine/values';
import { CAPABILITIES, DEVICE, bit } from './riscvBench';
import { DPE, ENS, EN_ATS, GVA, Guest, PD17, PD8, PRIVILEGED, PROCESS, SUM, T2GPA, USER } from './riscvGuest';
import { A, D, FRESH, R, U, V } from './riscvTables';

const IOVA = 0xdead_beefn;

describe('riscv-iommu model, test_app.c: Process Directory Table walk', () => {
  const fails = (guest: Guest, cause: number, iotval2 = 0n): void => {
    guest.bench.faults(IOVA, 'write', cause, iotval2, PRIVILEGED);
  };

  it('a non-leaf entry: 266 not valid, 265 cannot be read, 267 for each reserved bit', () => {
    const guest = new Guest();
    const { bench } = guest;
    fails(guest, 266);
    bench.memory.violation = guest.rootEntry();
    fails(guest, 265);
    bench.memory.violation = -1;
    guest.process();
    const good = bench.word(guest.rootEntry());
    for (const place of [1, 9, 54, 63]) {
      bench.put(guest.rootEntry(), good | bit(place));
      fails(guest, 267);
    }
    bench.put(guest.rootEntry(), good);
    fails(guest, 15);
  });

  it('a process context: 267 for reserved bits, 266 not valid, 265 cannot be read', () => {
    const guest = new Guest();
    const { bench } = guest;
    const { address, attributes, fsc } = guest.process();
    for (const wrong of [bit(3), bit(11), bit(32), bit(63), bit(3) | bit(32)]) {
      bench.put(address, attributes | wrong);
      fails(guest, 267);
    }
    bench.put(address, attributes, fsc | bit(44));
    fails(guest, 267);
    bench.put(address, attributes & ~V, fsc);
    fails(guest, 266);
    bench.put(address, attributes, fsc);
    bench.memory.violation = address;
    fails(guest, 265);
  });

  it('a process context: 267 for modes that are reserved or not supported', () => {
    const guest = new Guest();
    const { bench } = guest;
    const { address, attributes } = guest.process();
    bench.setCapabilities(CAPABILITIES & ~(15n << 8n));
    for (let mode = 1n; mode < 16n; mode++) {
      bench.put(address, attributes, mode << 60n);
      fails(guest, 267);
    }
  });

  it('what the second stage refuses: 23 with the address of the entry and bit 0, 265 where its entry cannot be read', () => {
    const guest = new Guest();
    const { bench } = guest;
    guest.process();
    const entry = guest.entryOf(guest.directory);
    const good = bench.word(entry);
    const gpa = (BigInt(guest.directory) << 12n) | BigInt(Math.floor(PROCESS / 2 ** 17) * 8);
    bench.put(entry, good & ~V);
    fails(guest, 23, gpa | 1n);
    bench.faults(IOVA, 'read', 21, gpa | 1n, PRIVILEGED);
    bench.put(entry, good);
    bench.memory.violation = entry;
    fails(guest, 265);
    bench.memory.violation = -1;
    guest.page(guest.process(), IOVA);
    bench.passes(IOVA, 'write', PRIVILEGED);
  });

  it('a process context is used from its cache until IODIR.INVAL_PDT, which needs DV and a DID that is not too wide', () => {
    const guest = new Guest();
    const { bench } = guest;
    const process = guest.process();
    const { spa } = guest.page(process);
    assert.equal(bench.passes(GVA, 'write', PRIVILEGED).output, spa);
    bench.put(process.address, process.attributes, process.fsc | bit(44));
    guest.invalidatePage();
    bench.passes(GVA, 'write', PRIVILEGED);

    const isIllegal = (): boolean => (bench.read('cqcsr') & bit(10)) !== 0n;
    bench.command(riscvCommands.invalidateProcess({ DV: 0, DID: DEVICE, PID: PROCESS }));
    assert.ok(isIllegal());
    bench.put(bench.slot('cqh'), ...riscvCommands.invalidateProcess({ DV: 1, DID: DEVICE, PID: PROCESS }));
    const ddtp = bench.read('ddtp');
    bench.write('ddtp', 0n);
    bench.write('ddtp', (ddtp & ~0xfn) | 2n);
    bench.write('cqcsr', bench.read('cqcsr'));
    bench.process();
    assert.ok(isIllegal());
    bench.write('ddtp', 0n);
    bench.write('ddtp', ddtp);
    bench.write('cqcsr', bench.read('cqcsr'));
    bench.process();
    assert.equal(bench.left, 0);

    guest.invalidatePage();
    bench.faults(GVA, 'write', 267, 0n, PRIVILEGED);
    bench.put(process.address, process.attributes, process.fsc);
    bench.passes(GVA, 'write', PRIVILEGED);
  });

  it('ten processes through caches of two', () => {
    const guest = new Guest();
    const { bench } = guest;
    const pages = Array.from({ length: 10 }, (_, index) =>
      guest.page(guest.process(0x1000 + index, 100 + index)),
    );
    for (let round = 0; round < 2; round++)
      pages.forEach(({ spa, entry }, index) => {
        const over = { pasid: pasid(0x1000 + index), privileged: true };
        assert.equal(bench.passes(GVA, 'write', over).output, spa);
        assert.equal(bench.word(entry) & (A | D), A | D);
      });
  });

  it('without a process_id there is no first stage; with DPE there is that of process 0', () => {
    const guest = new Guest();
    const { bench } = guest;
    const { gpa, spa } = guest.page(guest.process());
    assert.equal(bench.passes(gpa, 'write').output, spa);
    guest.context({ set: DPE });
    bench.faults(0x1_0000n, 'write', 266);
    const first = guest.page(guest.process(0, 77), 0x1_0000n);
    assert.equal(bench.passes(0x1_0000n, 'write').output, first.spa);
  });

  it('a process_id that is too wide for PD8 and PD17 is 260; a reserved mode of pdtp is 259', () => {
    const guest = new Guest();
    const { bench } = guest;
    guest.page(guest.process());
    for (const mode of [PD8, PD17]) {
      guest.context({ set: EN_ATS, mode });
      bench.faults(GVA, 'write', 260, 0n, PRIVILEGED);
      bench.faults(GVA, 'read', 260, 0n, { ...PRIVILEGED, kind: 'translation' });
    }
    guest.context({ set: EN_ATS, mode: 9n << 60n });
    bench.faults(GVA, 'read', 259, 0n, { ...PRIVILEGED, kind: 'translation' });
    guest.context({ set: EN_ATS });
    assert.equal(bench.asks(GVA, PRIVILEGED).writes, true);
  });

  it('T2GPA: translation requests are answered with guest addresses, and translated requests go through the second stage', () => {
    const guest = new Guest();
    const { bench } = guest;
    const { gpa, spa } = guest.page(guest.process());
    guest.context({ set: EN_ATS | T2GPA });
    assert.equal(bench.asks(GVA, PRIVILEGED).output, gpa);
    assert.equal(bench.passes(gpa, 'read', { kind: 'translated' }).output, spa);
    guest.context({ set: EN_ATS });
    assert.equal(bench.asks(GVA, PRIVILEGED).output, spa);
    assert.equal(bench.passes(spa, 'read', { kind: 'translated' }).output, spa);
  });

  it('ENS = 0: requests with privilege are cause 260, those of users pass', () => {
    const guest = new Guest();
    const { bench } = guest;
    guest.context({ set: EN_ATS });
    const process = guest.process();
    guest.page(process);
    bench.passes(GVA, 'write', PRIVILEGED);
    bench.put(process.address, process.attributes & ~ENS);
    guest.invalidateProcess();
    for (const kind of ['untranslated', 'translation'] as const)
      bench.faults(GVA, 'read', 260, 0n, { ...PRIVILEGED, kind });
    bench.passes(GVA, 'write', USER);
  });

  it('SUM = 0: requests with privilege do not reach pages of users, and translation requests are granted nothing', () => {
    const guest = new Guest();
    const { bench } = guest;
    guest.context({ set: EN_ATS });
    const process = guest.process();
    guest.page(process);
    guest.page(process, GVA + 0x1000n, FRESH & ~U);
    bench.passes(GVA, 'write', PRIVILEGED);
    bench.put(process.address, process.attributes & ~SUM);
    guest.invalidateProcess();
    const answer = bench.asks(GVA, PRIVILEGED);
    assert.deepEqual([answer.reads, answer.writes], [false, false]);
    bench.faults(GVA, 'read', 13, 0n, PRIVILEGED);
    // Pages of the system are reached with privilege only.
    bench.passes(GVA + 0x1000n, 'write', PRIVILEGED);
    bench.faults(GVA + 0x1000n, 'read', 13, 0n, USER);
    bench.faults(GVA + 0x1000n, 'write', 15, 0n, USER);
    bench.passes(GVA, 'write', USER);
    bench.faults(GVA, 'write', 15, 0n, PRIVILEGED);
  });

  it('a directory that cannot be read is an abort and cause 265 of translation requests, too; not valid grants nothing', () => {
    const guest = new Guest();
    const { bench } = guest;
    guest.context({ set: EN_ATS });
    const { address, attributes } = guest.process();
    guest.page(guest.process());
    guest.invalidateProcess();
    bench.memory.violation = address;
    bench.faults(GVA, 'read', 265, 0n, { ...PRIVILEGED, kind: 'translation' });
    bench.memory.violation = -1;
    bench.put(address, attributes & ~V);
    assert.equal(bench.asks(GVA, PRIVILEGED).reads, false);
  });

  it('a translation request for a page of R only is granted reads, with and without No Write', () => {
    const guest = new Guest();
    const { bench } = guest;
    guest.context({ set: EN_ATS });
    const { under } = guest.page(guest.process(0x7000, 7000), 0x90_0000n, V | R | U);
    bench.put(under, bench.word(under) | D);
    for (const noWrite of [true, false]) {
      const answer = bench.asks(0x90_0000n, { pasid: pasid(0x7000), noWrite });
      assert.deepEqual([answer.reads, answer.writes, answer.shift], [true, false, 12]);
    }
  });
});
