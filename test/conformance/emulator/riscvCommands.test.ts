/** Blocks of test_app.c of the riscv-iommu reference model about commands, invalidation and the fault queue. */
import assert from 'node:assert/strict';
import { type HardwareRules } from '../../../src/engine/iommu/rules';
import { riscvCommands } from '../../../src/engine/iommu/vendors/riscv/commands';
import { CAPABILITIES, RiscvBench, bit, pointer } from './riscvBench';

const V = 1n;
const GUEST_ID = 1n;
const PROCESS = 10n;
const SV39 = 8n << 60n;
/** Tables: the root of Sv39x4 takes four frames. */
const ROOT = 0x40;
const TABLE = 0x44;
const STATUS = 0x50_000;
const COUNT = 0x1234_5678_1234_5678n;
const CMD_ILL = bit(10);
const CQMF = bit(8);
const FENCE_W_IP = bit(11);

/** V, R, W, U, A, D of a leaf. */
const LEAF = 0xd7n;
const GLOBAL = bit(5);
const WRITABLE = bit(2);
/** A leaf of 2 MiB at frame 0x200; with frame 1 it is misaligned. */
const leaf = (flags = LEAF, frame = 0x200n): bigint => (frame << 10n) | flags;
const IOVA = 0x12_3456n;

/** Second stage only, or first stage only, with one leaf of 2 MiB for the addresses from 0 on. */
function translating(
  stage: 1 | 2,
  rules: Partial<HardwareRules> = {},
): { bench: RiscvBench; entry: (word: bigint) => void } {
  const bench = new RiscvBench(rules);
  for (let frame = ROOT; frame <= TABLE; frame++) bench.frame(frame);
  for (let frame = 0x200; frame < 0x202; frame++) bench.frame(frame);
  bench.frame(0x200 + 0x123);
  bench.put(ROOT * 4096, pointer(TABLE));
  const root = SV39 | BigInt(ROOT);
  if (stage === 2) bench.context(V, root | (GUEST_ID << 44n), 0n, 0n);
  else bench.context(V, 0n, PROCESS << 12n, root);
  const entry = (word: bigint): void => {
    bench.put(TABLE * 4096, word);
  };
  entry(leaf());
  return { bench, entry };
}

describe('riscv-iommu model, test_app.c: Device context invalidation', () => {
  it('a cached context is used until IODIR.INVAL_DDT', () => {
    const bench = new RiscvBench();
    for (let frame = ROOT; frame < ROOT + 4; frame++) bench.frame(frame);
    bench.context(V, SV39 | BigInt(ROOT) | (GUEST_ID << 44n), 0n, 0n);
    bench.faults(0xdead_beefn, 'write', 23, 0xdead_beecn);
    bench.context(0n);
    bench.faults(0xdead_beefn, 'write', 23, 0xdead_beecn);
    bench.command(riscvCommands.invalidateDevice({ DV: 1, DID: 0x012345 }));
    assert.equal(bench.left, 0);
    bench.faults(0xdead_beefn, 'write', 258);
  });
});

describe('riscv-iommu model, test_app.c: IOFENCE', () => {
  const fencing = (): RiscvBench => {
    const bench = new RiscvBench();
    bench.frame(STATUS / 4096);
    bench.put(STATUS, COUNT);
    return bench;
  };
  const fence = (DATA: number, over: Parameters<typeof riscvCommands.fence>[0] = {}): bigint[] =>
    riscvCommands.fence({ PR: 1, AV: 1, ADDR: STATUS, DATA, ...over });
  const written = (data: bigint): bigint => (COUNT & ~0xffff_ffffn) | data;

  it('AV stores 4 bytes, with every PR and PW', () => {
    for (let which = 0; which < 8; which++) {
      const bench = fencing();
      const AV = which & 1;
      bench.command(fence(0xdead_beef, { PR: which >> 2, PW: (which >> 1) & 1, AV }));
      assert.equal(bench.word(STATUS), AV === 1 ? written(0xdead_beefn) : COUNT);
      assert.equal(bench.left, 0);
    }
  });

  it('PR and PW wait for reads and writes that were translated before', () => {
    for (const access of ['read', 'write'] as const) {
      for (const [PR, PW] of [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ] as const) {
        const { bench } = translating(2);
        bench.frame(STATUS / 4096);
        const steps = bench.iommu.request(bench.request(IOVA, access));
        while (bench.iommu.inFlight.size === 0) assert.equal(steps.next().done, false);
        bench.command(fence(1, { PR, PW }));
        const waits = (access === 'read' ? PR : PW) === 1;
        assert.equal(bench.left, waits ? 1 : 0);
        while (steps.next().done !== true);
        bench.process();
        assert.equal(bench.left, 0);
        assert.equal(bench.word(STATUS), 1n);
      }
    }
  });

  it('an illegal func3 holds the queue until the command is mended and cmd_ill cleared', () => {
    const bench = fencing();
    const [first = 0n, second = 0n] = fence(0xdead_beef);
    bench.command([first | bit(7), second]);
    assert.equal(bench.read('cqcsr') & CMD_ILL, CMD_ILL);
    bench.command(fence(0xdead_bee2));
    assert.equal(bench.left, 2);
    assert.equal(bench.word(STATUS), COUNT);
    bench.put(bench.slot('cqh'), first);
    bench.write('cqcsr', bench.read('cqcsr'));
    assert.ok(bench.iommu.runCommand());
    assert.equal(bench.word(STATUS), written(0xdead_beefn));
    assert.equal(bench.left, 1);
    bench.process();
    assert.equal(bench.word(STATUS), written(0xdead_bee2n));
    assert.equal(bench.left, 0);
  });

  it('WSI without wires is illegal', () => {
    const bench = fencing();
    bench.command(fence(0xdead_beef, { WSI: 1 }));
    assert.equal(bench.read('cqcsr') & CMD_ILL, CMD_ILL);
    assert.equal(bench.word(STATUS), COUNT);
    assert.equal(bench.left, 1);
    bench.put(bench.slot('cqh'), ...fence(0xdead_beef));
    bench.write('cqcsr', bench.read('cqcsr'));
    bench.process();
    assert.equal(bench.word(STATUS), written(0xdead_beefn));
  });

  it('a command that cannot be read is cqmf, and the queue goes on from it', () => {
    const bench = fencing();
    const at = bench.slot('cqt');
    bench.put(at, ...fence(0xdead_bee1));
    bench.memory.violation = at;
    bench.write('cqt', bench.read('cqt') + 1n);
    bench.process();
    assert.equal(bench.read('cqcsr') & CQMF, CQMF);
    bench.command(fence(0xdead_bee2, { PR: 0, PW: 1 }));
    assert.equal(bench.left, 2);
    assert.equal(bench.word(STATUS), COUNT);
    bench.memory.violation = -1;
    bench.write('cqcsr', bench.read('cqcsr'));
    assert.ok(bench.iommu.runCommand());
    assert.equal(bench.word(STATUS), written(0xdead_bee1n));
    bench.process();
    assert.equal(bench.word(STATUS), written(0xdead_bee2n));
    assert.equal(bench.left, 0);
  });

  it('a completion that cannot be written is cqmf, and the fence is done again', () => {
    const bench = fencing();
    bench.memory.violation = STATUS;
    bench.command(fence(0xdead_bee1));
    assert.equal(bench.read('cqcsr') & CQMF, CQMF);
    assert.equal(bench.read('ipsr') & 1n, 1n);
    assert.equal(bench.left, 1);
    bench.memory.violation = -1;
    bench.write('cqcsr', bench.read('cqcsr'));
    bench.process();
    assert.equal(bench.word(STATUS), written(0xdead_bee1n));
    assert.equal(bench.left, 0);
  });

  it('switching the queue off and on clears its errors; with cie = 0 no interrupt is pending', () => {
    const bench = fencing();
    bench.memory.violation = STATUS;
    bench.command(fence(0xdead_bee1));
    bench.restartCommands();
    bench.write('cqcsr', 1n);
    bench.write('ipsr', bench.read('ipsr'));
    bench.command(fence(0xdead_bee1));
    assert.equal(bench.read('cqcsr') & CQMF, CQMF);
    assert.equal(bench.read('ipsr') & 1n, 0n);
  });

  it('WSI with wires sets fence_w_ip, and cip stays pending with it', () => {
    const bench = fencing();
    bench.write('ddtp', 0n);
    bench.write('cqcsr', 2n);
    bench.write('cqt', 0n);
    bench.write('fctl', 2n);
    bench.write('cqcsr', 3n);
    bench.command(fence(0xdead_bee1, { WSI: 1 }));
    assert.equal(bench.read('cqcsr') & FENCE_W_IP, FENCE_W_IP);
    assert.equal(bench.read('ipsr') & 1n, 1n);
    bench.write('ipsr', 1n);
    assert.equal(bench.read('ipsr') & 1n, 1n);
    bench.write('cqcsr', bench.read('cqcsr'));
    bench.write('ipsr', 1n);
    assert.equal(bench.read('cqcsr') & FENCE_W_IP, 0n);
    assert.equal(bench.read('ipsr') & 1n, 0n);
  });
});

describe('riscv-iommu model, test_app.c: IOTINVAL.GVMA', () => {
  it('a cached second stage is used until the invalidation, by guest or by address', () => {
    const { bench, entry } = translating(2);
    bench.passes(IOVA);
    entry(leaf(LEAF, 1n));
    bench.passes(IOVA);
    bench.command(riscvCommands.invalidateGvma({ GV: 1, GSCID: 1 }));
    bench.faults(IOVA, 'read', 21, IOVA & ~3n);
    entry(leaf());
    bench.passes(IOVA);
    bench.command(riscvCommands.invalidateGvma({ GV: 1, AV: 1, GSCID: 1, ADDR: IOVA }));
    entry(leaf(LEAF & ~WRITABLE));
    bench.passes(IOVA);
    bench.faults(IOVA, 'write', 23, IOVA & ~3n);
    entry(leaf());
    bench.command(riscvCommands.invalidateGvma({ GV: 1, AV: 1, GSCID: 1, ADDR: IOVA }));
    bench.passes(IOVA, 'write');
  });
});

describe('riscv-iommu model, test_app.c: IOTINVAL.VMA', () => {
  const invalidate = (AV: 0 | 1, PSCV: 0 | 1): bigint[] =>
    riscvCommands.invalidateVma({ AV, PSCV, GSCID: 1, PSCID: 10, ADDR: AV === 1 ? IOVA : 0 });

  for (const [name, flags] of [
    ['G = 0', LEAF],
    ['G = 1', LEAF | GLOBAL],
  ] as const) {
    it(`${name}: AV = 0 with PSCV = 0 and AV = 1 flush; PSCV = 1 leaves global entries`, () => {
      const { bench, entry } = translating(1);
      const staleness = (): void => {
        entry(leaf(flags));
        bench.passes(IOVA);
        entry(leaf(flags, 1n));
        bench.passes(IOVA);
      };
      staleness();
      bench.command(invalidate(0, 0));
      bench.faults(IOVA, 'read', 13);
      staleness();
      bench.command(invalidate(0, 1));
      if ((flags & GLOBAL) !== 0n) {
        bench.passes(IOVA);
        bench.command(invalidate(1, 0));
      }
      bench.faults(IOVA, 'read', 13);
      staleness();
      bench.command(invalidate(1, 0));
      bench.faults(IOVA, 'read', 13);
    });
  }

  it('a cached W = 0 faults until it is flushed, where cached entries refuse by themselves', () => {
    const { bench, entry } = translating(1, { refusesFromCache: true });
    entry(leaf(LEAF & ~WRITABLE));
    bench.passes(IOVA);
    entry(leaf());
    bench.faults(IOVA, 'write', 15);
    bench.command(invalidate(0, 0));
    bench.passes(IOVA, 'write');
  });

  it('a cached W = 0 is walked again where they do not', () => {
    const { bench, entry } = translating(1);
    entry(leaf(LEAF & ~WRITABLE));
    bench.passes(IOVA);
    entry(leaf());
    bench.passes(IOVA, 'write');
  });
});

describe('riscv-iommu model, test_app.c: Illegal commands and CQ mem faults', () => {
  const refusedBy = (bench: RiscvBench, words: readonly bigint[], what: string): void => {
    bench.command(words);
    assert.equal(bench.read('cqcsr') & CMD_ILL, CMD_ILL, what);
    bench.restartCommands();
  };

  it('opcodes and func3 that are reserved', () => {
    const bench = new RiscvBench();
    for (let opcode = 0n; opcode < 128n; opcode++) {
      if (opcode >= 1n && opcode <= 4n) refusedBy(bench, [opcode | (7n << 7n), 0n], `${opcode} func3 7`);
      else refusedBy(bench, [opcode, 0n], `${opcode}`);
    }
  });

  it('reserved bits of every command, alone and together', () => {
    const bench = new RiscvBench();
    const reserved: readonly [opcode: bigint, low: readonly number[], high: readonly number[]][] = [
      [1n, [11, 34, 35, 43, 60, 63], [0, 8, 9, 62, 63]],
      [2n, [14, 31], [62, 63]],
      [3n, [10, 11, 32, 34, 39], [0, 31, 63]],
      [4n, [10, 11, 34, 39], []],
    ];
    for (const [opcode, low, high] of reserved) {
      let all = [opcode, 0n];
      for (const place of low) refusedBy(bench, [opcode | bit(place), 0n], `${opcode} bit ${place}`);
      for (const place of high) refusedBy(bench, [opcode, bit(place)], `${opcode} bit ${64 + place}`);
      for (const place of low) all = [(all[0] ?? 0n) | bit(place), all[1] ?? 0n];
      for (const place of high) all = [all[0] ?? 0n, (all[1] ?? 0n) | bit(place)];
      refusedBy(bench, all, `${opcode} all`);
    }
  });

  it('a device_id too wide for the DDT, and a process_id too wide for the PDT', () => {
    const bench = new RiscvBench();
    const { registers } = bench.iommu;
    const ddtp = bench.read('ddtp');
    bench.write('ddtp', 0n);
    bench.write('ddtp', (ddtp & ~0xfn) | 2n);
    refusedBy(bench, riscvCommands.invalidateDevice({ DV: 1, DID: 0x012345 }), 'DID');
    bench.write('ddtp', 0n);
    bench.write('ddtp', ddtp);
    const wide = riscvCommands.invalidateProcess({ DV: 1, DID: 0x112233, PID: 0xbabec });
    registers.set('capabilities', CAPABILITIES & ~bit(40));
    refusedBy(bench, wide, 'PD17');
    registers.set('capabilities', CAPABILITIES & ~bit(40) & ~bit(39));
    refusedBy(bench, riscvCommands.invalidateProcess({ DV: 1, DID: 0x112233, PID: 0xbec }), 'PD8');
    registers.set('capabilities', CAPABILITIES);
    bench.command(wide);
    assert.equal(bench.read('cqcsr') & CMD_ILL, 0n);
  });

  it('ATS commands without capabilities.ATS', () => {
    const bench = new RiscvBench();
    bench.iommu.registers.set('capabilities', CAPABILITIES & ~bit(25));
    const operands = {
      PV: 1,
      DSV: 1,
      PID: 0xbabec,
      DSEG: 0x43,
      RID: 0x1234,
      PAYLOAD: 0xdead_beef_feed_beefn,
    };
    refusedBy(bench, riscvCommands.invalidateDeviceTlb(operands), 'INVAL');
    refusedBy(bench, riscvCommands.pageResponse({ ...operands, DSV: 0 }), 'PRGR');
  });
});

describe('riscv-iommu model, test_app.c: Fault queue overflow and memory fault', () => {
  const FQOF = bit(9);
  const FQMF = bit(8);
  const FIP = bit(1);
  const refuse = (bench: RiscvBench, count = 1): void => {
    for (let index = 0; index < count; index++) assert.equal(bench.translate(0xdead_beefn).ok, false);
  };
  const isFull = (bench: RiscvBench): boolean => (bench.read('fqt') + 1n) % 1024n === bench.read('fqh');

  it('fqof at the record after the last slot; fip comes back as long as it is set', () => {
    const bench = new RiscvBench();
    assert.equal(bench.read('ipsr') & FIP, 0n);
    refuse(bench, 1023);
    assert.equal(bench.read('ipsr') & FIP, FIP);
    bench.write('ipsr', bench.read('ipsr'));
    assert.equal(bench.read('ipsr') & FIP, 0n);
    assert.ok(isFull(bench));
    assert.equal(bench.read('fqcsr') & FQOF, 0n);
    refuse(bench);
    assert.ok(isFull(bench));
    assert.equal(bench.read('fqcsr') & FQOF, FQOF);
    assert.equal(bench.read('ipsr') & FIP, FIP);
    bench.write('ipsr', bench.read('ipsr'));
    assert.equal(bench.read('ipsr') & FIP, FIP);
    refuse(bench);
    assert.ok(isFull(bench));
    assert.equal(bench.records().length, 1023);

    bench.write('fqcsr', bench.read('fqcsr') & ~1n);
    bench.write('fqh', 0n);
    assert.equal(bench.read('fqcsr') & (1n | bit(16) | bit(17)), 0n);
    bench.write('ipsr', bench.read('ipsr'));
    assert.equal(bench.read('ipsr') & FIP, 0n);
    bench.write('fqcsr', bench.read('fqcsr') | 1n);
    assert.equal(bench.read('fqcsr') & (1n | bit(16) | FQOF | FQMF), 1n | bit(16));
    assert.equal(bench.read('fqt'), 0n);
    assert.equal(bench.read('fqh'), 0n);
  });

  it('fqmf when the queue cannot be written, with its interrupt or without', () => {
    const bench = new RiscvBench();
    bench.memory.violation = 0x20_0000;
    refuse(bench);
    assert.equal(bench.read('fqt'), bench.read('fqh'));
    assert.equal(bench.read('fqcsr') & FQMF, FQMF);
    assert.equal(bench.read('ipsr') & FIP, FIP);
    refuse(bench);
    assert.equal(bench.read('fqt'), bench.read('fqh'));
    bench.write('fqcsr', bench.read('fqcsr'));
    assert.equal(bench.read('fqcsr') & FQMF, 0n);
    assert.equal(bench.read('ipsr') & FIP, FIP);
    bench.write('ipsr', bench.read('ipsr'));
    assert.equal(bench.read('ipsr') & FIP, 0n);
    bench.write('fqcsr', 1n);
    refuse(bench);
    assert.equal(bench.read('fqcsr') & FQMF, FQMF);
    assert.equal(bench.read('ipsr') & FIP, 0n);
  });

  it('nothing is recorded while the queue is off', () => {
    const bench = new RiscvBench();
    bench.write('fqcsr', 0n);
    refuse(bench);
    assert.equal(bench.read('fqt'), bench.read('fqh'));
    assert.equal(bench.read('fqcsr') & FQOF, 0n);
  });
});
