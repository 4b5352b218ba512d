/** Bugs of the reference model of the RISC-V IOMMU, and questions to its specification: as hardware rules and as software. */
import assert from 'node:assert/strict';
import { type HarvestProtocol } from '../../../../src/engine/driver/pageTable/protocols/harvest';
import { type DmaRequest } from '../../../../src/engine/iommu/request';
import { type HardwareMistake, type HardwareRules } from '../../../../src/engine/iommu/rules';
import { riscvCommands } from '../../../../src/engine/iommu/vendors/riscv/commands';
import { requesterId } from '../../../../src/engine/values';
import { pointer, RiscvBench } from '../riscvBench';
import { DEVICE, FRAME, PAGE, Story } from './story';

const V = 1n;
/** V, R, W, U, A, D of a leaf of 2 MiB at frame 0x200. */
const LEAF = (0x200n << 10n) | 0xd7n;
const SV39 = 8n << 60n;
const ROOT = 0x40;
const TABLE = 0x44;
const IOVA = 0x12_3456n;

/** Plays a story with the mistake, and without. */
function compareMistake<T>(
  mistake: HardwareMistake,
  play: (rules: Partial<HardwareRules>) => T,
  broken: T,
  fixed: T,
): void {
  assert.deepEqual({ broken: play({ mistakes: [mistake] }), fixed: play({}) }, { broken, fixed });
}

/** One level of tables above a leaf, and memory behind it. */
function benchWith(rules: Partial<HardwareRules>): RiscvBench {
  const bench = new RiscvBench(rules);
  for (let frame = ROOT; frame <= TABLE; frame++) bench.frame(frame);
  for (const frame of [0x200, 0x201, 0x200 + 0x123]) bench.frame(frame);
  bench.put(ROOT * 4096, pointer(TABLE));
  bench.put(TABLE * 4096, LEAF);
  return bench;
}

/** A domain whose page the device has written, all of which the destination has. */
function migrating(rules: Partial<HardwareRules> = {}) {
  const story = new Story('riscv', { rules });
  const domain = story.domain(2);
  story.map(domain, PAGE, FRAME);
  story.attach(DEVICE, { kind: 'paging', domain });
  story.round(domain, PAGE, 1);
  return { story, domain };
}

describe('Bugs: RISC-V reference model and specification', () => {
  it('riscv-iommu issue 173: a write through a cached D between clear and invalidation', () => {
    /** The device writes once more after the given step of a harvest. */
    const lost = (protocol: HarvestProtocol, after: number) => {
      const { story, domain } = migrating();
      story.reach(DEVICE, PAGE, 'write');
      const copy = (page: number, pages: number): void => {
        const range = { startPage: page, endPage: page + pages };
        for (const guest of story.ledger.guestRanges(domain.id, range)) story.ledger.copied(guest);
      };
      const steps = domain.tables.harvest({ startPage: PAGE, pages: 1, copy }, protocol);
      let count = 0;
      for (let step = steps.next(); step.done !== true; step = steps.next()) {
        if (step.value.kind === 'poll' && !step.value.done) while (story.iommu.runCommand() !== undefined);
        if (++count === after) story.reach(DEVICE, PAGE, 'write');
      }
      story.round(domain, PAGE, 1);
      return { count, lost: story.verdict().lost };
    };
    const everLost = (protocol: HarvestProtocol): boolean => {
      const { count } = lost(protocol, -1);
      return Array.from({ length: count }, (_, step) => lost(protocol, step + 1)).some(
        (each) => each.lost.length > 0,
      );
    };
    assert.equal(everLost('harvest.clear-copy-flush'), true);
    assert.equal(everLost('harvest.clear-flush-copy'), false);
  });

  it('riscv-iommu issue 772: D is set before the data has landed; a fence that drains writes mends it', () => {
    const play = (drains: boolean) => {
      const { story, domain } = migrating({ drains });
      const request: DmaRequest = {
        ...{ requester: requesterId(DEVICE), pasid: null, addressLo: PAGE * 4096, addressHi: 0, length: 8 },
        ...{ access: 'write', kind: 'untranslated' },
      };
      const write = story.device(DEVICE).dma(request);
      // D is set and the translation made; the data is on its way.
      for (let step = write.next(); step.done !== true && step.value.kind !== 'fill'; step = write.next());
      const dirty: number[] = [];
      const sink = (page: number): void => {
        dirty.push(page);
      };
      const harvest = domain.tables.readAndClearDirty({ startPage: PAGE, pages: 1, clear: true, sink });
      for (let step = harvest.next(); step.done !== true; step = harvest.next()) {
        if (step.value.kind !== 'poll' || step.value.done) continue;
        while (story.iommu.runCommand() !== undefined);
        // A fence that waits gives the data its time.
        if (drains) while (write.next().done !== true);
      }
      assert.deepEqual(dirty, [PAGE]);
      story.ledger.copied({ startPage: FRAME, endPage: FRAME + 1 });
      while (write.next().done !== true);
      story.round(domain, PAGE, 1);
      return story.verdict().lost;
    };
    assert.deepEqual(play(false), [FRAME]);
    assert.deepEqual(play(true), []);
  });

  it('riscv-iommu 804d501: IOTINVAL.GVMA honoured AV with GV = 0', () => {
    const play = (rules: Partial<HardwareRules>): boolean => {
      const bench = benchWith(rules);
      bench.context(V, SV39 | BigInt(ROOT) | (1n << 44n), 0n, 0n);
      bench.passes(IOVA);
      bench.put(TABLE * 4096, 0n);
      bench.command(riscvCommands.invalidateGvma({ AV: 1, ADDR: 0x4000_0000n }));
      return bench.translate(IOVA).ok;
    };
    compareMistake('address-without-guest', play, true, false);
  });

  it('riscv-iommu 16d103f: GSCID and PSCID were compared with GV = 0 and PSCV = 0', () => {
    const play = (rules: Partial<HardwareRules>): boolean => {
      const bench = benchWith(rules);
      bench.context(V, 0n, 10n << 12n, SV39 | BigInt(ROOT));
      bench.passes(IOVA);
      bench.put(TABLE * 4096, 0n);
      bench.command(riscvCommands.invalidateVma({ GSCID: 3, PSCID: 4 }));
      return bench.translate(IOVA).ok;
    };
    compareMistake('ids-without-valid', play, true, false);
  });
});
