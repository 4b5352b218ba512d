/** Bugs about guests' tables and about raw commands, told by operations alone: with the omission, and without. */
import assert from 'node:assert/strict';
import { type HardwareMistake } from '../../../../src/engine/iommu/rules';
import { type CommandText } from '../../../../src/engine/machine/operations/nestingTypes';
import { walkTables } from '../../../../src/engine/pageTable/walk';
import { frameHalves, hex, pasid, requesterId } from '../../../../src/engine/values';
import { openDirectory } from '../../../../src/engine/directory/index';
import { Bench, compare, DEVICE, dma } from './bench';
import { GUEST_PAGE, GuestBench, IOVA, OTHER_PAGE, PARENTS } from './guestBench';

const OTHER = '00:03.0';
interface Verdict {
  readonly kinds: readonly string[];
  readonly lost: readonly number[];
}

const LOST: Verdict = { kinds: ['lost-dirty'], lost: [0x333] };
const CLEAN: Verdict = { kinds: [], lost: [] };

/** Data pages that are lost; tables of the guest stand at the end of its memory. */
function verdict(bench: GuestBench): Verdict {
  const lost = bench.lost.filter((page) => page < 0xc00);
  return { kinds: bench.findings.filter((kind) => kind !== 'lost-dirty' || lost.length > 0), lost };
}

describe('Bugs by operations: guests', () => {
  it('Linux 821985301124: Add missing iotlb flush for parent domain', () => {
    const unmapped = (driverFaults: readonly string[]) => {
      const bench = new GuestBench('vt-d', { driverFaults, mapping: { what: 'none', pages: [] } });
      bench.map('0x300000', '1M');
      bench.attach();
      bench.write();
      bench.does({ kind: 'unmap', domain: bench.domain, iova: '0x300000', length: '1M' });
      return { reached: bench.write(), kinds: bench.findings };
    };
    compare<ReturnType<typeof unmapped>>(
      'parent-flush-own-did-only',
      unmapped,
      { reached: GUEST_PAGE, kinds: ['stale-use'] },
      { reached: undefined, kinds: [] },
    );
    const harvested = (driverFaults: readonly string[]) => {
      const bench = new GuestBench('vt-d', { driverFaults });
      bench.attach();
      bench.track();
      bench.write();
      bench.round();
      bench.write();
      bench.round();
      return verdict(bench);
    };
    compare<Verdict>('parent-flush-own-did-only', harvested, LOST, CLEAN);
  });

  it('Linux 5e54e861f16f: Add missing device iotlb flush for parent domain', () => {
    const play = (driverFaults: readonly string[]) => {
      const devices = [{ requester: DEVICE, attached: false, ats: true }];
      const bench = new GuestBench('vt-d', { driverFaults, devices });
      bench.attach();
      bench.track();
      bench.write();
      bench.round();
      bench.write();
      bench.round();
      return verdict(bench);
    };
    compare<Verdict>('no-device-tlb-behind-nested', play, LOST, CLEAN);
  });

  it('Linux f1e1610950ea: Fix missing dirty tracking of nested domains', () => {
    for (const vendor of ['vt-d', 'amd-vi'] as const) {
      const play = (driverFaults: readonly string[]) => {
        const bench = new GuestBench(vendor, { driverFaults });
        bench.attach();
        bench.track();
        bench.write();
        bench.round();
        return verdict(bench);
      };
      compare<Verdict>('no-ssade-for-nested', play, LOST, CLEAN);
    }
  });

  it('Linux 1f0198fce683: dirty tracking when attaching to a nested domain', () => {
    const play = (driverFaults: readonly string[]) => {
      const devices = [{ requester: DEVICE, attached: false }, { requester: OTHER }];
      const bench = new GuestBench('vt-d', { driverFaults, devices });
      bench.track();
      bench.attach();
      bench.write();
      bench.does(dma(OTHER_PAGE, 'write', { sid: OTHER }));
      bench.round();
      return verdict(bench);
    };
    compare<Verdict>('attach-after-enable', play, LOST, CLEAN);
  });

  it('Linux 29e10487d6df: Update iotlb in nested domain attach', () => {
    const play = (driverFaults: readonly string[]) => {
      const devices = [{ requester: DEVICE, attached: false, ats: true }];
      const bench = new GuestBench('vt-d', { driverFaults, devices });
      bench.attach();
      bench.write();
      bench.move();
      bench.does({ kind: 'guestInvalidate', guest: bench.guest, iova: IOVA, length: '4K' });
      return bench.write();
    };
    compare('nested-attach-forgets-ats', play, GUEST_PAGE, OTHER_PAGE);
  });

  it('Linux cc5bd898ff70 and ae2fafc19e7b: Support dirty tracking on PASID', () => {
    for (const late of [false, true]) {
      const play = (driverFaults: readonly string[]) => {
        const bench = new GuestBench('vt-d', { driverFaults });
        if (!late) bench.attach(3);
        bench.track();
        if (late) bench.attach(3);
        bench.write(IOVA, 3);
        bench.round();
        return verdict(bench);
      };
      compare<Verdict>('no-ssade-for-pasids', play, LOST, CLEAN);
    }
  });
});

/** The same story with a mistake of hardware and without. */
function compareMistake<T>(
  mistake: HardwareMistake,
  play: (mistakes: readonly HardwareMistake[]) => T,
  broken: T,
  right: T,
): void {
  assert.deepEqual({ broken: play([mistake]), right: play([]) }, { broken, right });
}

/** Where the leaf of a page stands. */
function leafOf(bench: Bench, domain: number, page: number): string {
  const space = bench.machine.hwpts.get(domain)?.paging.kernel.tables.space ?? assert.fail();
  const { lo, hi } = frameHalves(page);
  return hex(walkTables(space, lo, hi, false).steps.at(-1)?.address ?? 0);
}

const command = (name: string, fields: CommandText['fields']) =>
  ({ kind: 'command', iommu: 'iommu0', command: { name, fields } }) as const;

describe('Bugs by operations: commands of RISC-V', () => {
  const isReached = (bench: Bench, iova = '0x3000', more = {}) =>
    bench.does(dma(iova, 'write', more)).counts['landed'] === 1;

  it('riscv-iommu 804d501: IOTINVAL.GVMA honoured AV with GV = 0', () => {
    compareMistake(
      'address-without-guest',
      (mistakes) => {
        const mapping = { what: 'guest', pages: ['4K'] } as const;
        const bench = new Bench({ vendor: 'riscv', tables: PARENTS.riscv, mapping, rules: { mistakes } });
        const before = isReached(bench);
        bench.does({ kind: 'writeWord', address: leafOf(bench, bench.domain, 3), word: '0' });
        bench.does(command('IOTINVAL.GVMA', { AV: true, ADDR: '0x40000000' }));
        return [before, isReached(bench)];
      },
      [true, true],
      [true, false],
    );
  });

  it('riscv-iommu 16d103f: GSCID and PSCID were compared with GV = 0 and PSCV = 0', () => {
    compareMistake(
      'ids-without-valid',
      (mistakes) => {
        const mapping = { what: 'guest', pages: ['4K'] } as const;
        const bench = new Bench({ vendor: 'riscv', tables: 'sv39', mapping, rules: { mistakes } });
        const before = isReached(bench);
        bench.does({ kind: 'writeWord', address: leafOf(bench, bench.domain, 3), word: '0' });
        bench.does(command('IOTINVAL.VMA', { GSCID: 3, PSCID: 4 }));
        return [before, isReached(bench)];
      },
      [true, true],
      [true, false],
    );
  });

  it('riscv-iommu pull request 693: IODIR.INVAL_DDT and the entries of processes', () => {
    compareMistake(
      'keeps-processes',
      (mistakes) => {
        const bench = new Bench({ vendor: 'riscv', tables: 'sv39', rules: { mistakes } });
        bench.map('0x3000', '4K', '0x5000');
        bench.does({ kind: 'createDomain', dirtyTracking: false });
        const second = bench.machine.domains.at(-1)?.id ?? -1;
        bench.map('0x3000', '4K', '0x6000', second);
        bench.does({ kind: 'attach', requester: DEVICE, pasid: 3, to: bench.domain });
        const where = () => bench.does(dma('0x3000', 'write', { pasid: 3 })).landed?.[0]?.address;
        const before = where();
        const { iommu } = bench.machine.units[0] ?? assert.fail();
        const opened = openDirectory('riscv', bench.machine.memory, iommu.registers);
        assert.ok(opened.ok);
        const { entries } = opened.value.lookup(requesterId(0x10), pasid(3));
        const process = entries.find(({ role }) => role === 'process');
        const root = bench.machine.hwpts.get(second)?.paging.kernel.tables.root ?? 0;
        // PC.fsc: Sv39 and the root of the second domain.
        const fsc = (8n << 60n) | BigInt(root);
        bench.does({ kind: 'writeWord', address: hex((process?.address ?? 0) + 8), word: hex(fsc) });
        bench.does(command('IODIR.INVAL_DDT', { DV: true, DID: 0x10 }), command('IOTINVAL.VMA', {}));
        return [before, where()];
      },
      ['0x5000', '0x5000'],
      ['0x5000', '0x6000'],
    );
  });

  it('riscv-iommu issue 780: a first-stage page of 2M over second-stage pages of 4K', () => {
    compareMistake(
      'reaches-part-of-leaf',
      (mistakes) => {
        const bench = new GuestBench('riscv', { rules: { mistakes } });
        bench.attach();
        const [iova, length] = ['0x80000000', '2M'];
        bench.guestMap(iova, length, '0x400000');
        const pages = ['0x80000000', '0x80005000', '0x801ff000'];
        const before = pages.map((page) => bench.write(page));
        bench.does({ kind: 'guestUnmap', guest: bench.guest, iova, length, invalidate: true });
        bench.guestMap(iova, length, '0x600000');
        return [before, pages.map((page) => bench.write(page))];
      },
      [
        ['0x400000', '0x405000', '0x5ff000'],
        ['0x600000', '0x405000', '0x5ff000'],
      ],
      [
        ['0x400000', '0x405000', '0x5ff000'],
        ['0x600000', '0x605000', '0x7ff000'],
      ],
    );
  });
});
