/** Blocks of test_app.c of the riscv-iommu reference model about the device directory and the types of transactions. */
import assert from 'node:assert/strict';
import { riscvCommands } from '../../../src/engine/iommu/vendors/riscv/commands';
import { CAPABILITIES, DEVICE, ENTRY_OF_ROOT, RiscvBench, bit, forAllTransactions } from './riscvBench';

const IOVA = 0xdead_beefn;
const OFF = 0n;
const BARE = 1n;
const LEVELS_1 = 2n;
const LEVELS_2 = 3n;
const LEVELS_3 = 4n;

/** Bits of tc. */
const V = bit(0);
const EN_ATS = bit(1);
const EN_PRI = bit(2);
const T2GPA = bit(3);
const PDTV = bit(5);
const PRPR = bit(6);
const GADE = bit(7);
const SADE = bit(8);
const DPE = bit(9);
const SBE = bit(10);
const SXL = bit(11);
/** Places in capabilities. */
const AMO_HWAD = bit(24);
const ATS = bit(25);
const CAN_T2GPA = bit(26);
const QOSID = bit(41);
const GXL = bit(2);

const mode = (value: number): bigint => BigInt(value) << 60n;
const GUEST_ROOT = 0x40;
/** GSCID 1, Sv48x4. */
const GUEST = mode(9) | (1n << 44n) | BigInt(GUEST_ROOT);
const FLAT = mode(1);

/** The device of the blocks: in guest 1, under an empty second stage, with A and D by hardware. */
function withDevice(): RiscvBench {
  const bench = new RiscvBench();
  for (let frame = GUEST_ROOT; frame < GUEST_ROOT + 4; frame++) bench.frame(frame);
  bench.context(V | GADE | SADE, GUEST, 0n, 0n);
  return bench;
}

const setMode = (bench: RiscvBench, value: bigint): void => {
  bench.write('ddtp', (bench.read('ddtp') & ~0xfn) | value);
};

describe('riscv-iommu model, test_app.c: All inbound transactions disallowed', () => {
  it('cause 256 for every type of transaction while ddtp is Off', () => {
    const bench = withDevice();
    setMode(bench, OFF);
    forAllTransactions((access, over) => {
      bench.faults(IOVA, access, 256, 0n, over);
    });
  });
});

describe('riscv-iommu model, test_app.c: Bare mode tests', () => {
  it('untranslated requests pass as they are; translated and translation requests are cause 260', () => {
    const bench = withDevice();
    setMode(bench, OFF);
    setMode(bench, BARE);
    forAllTransactions((access, over) => {
      if (over.kind === 'untranslated') assert.equal(bench.passes(IOVA, access, over).output, IOVA);
      else bench.faults(IOVA, access, 260, 0n, over);
    });
  });
});

describe('riscv-iommu model, test_app.c: Too wide device_id', () => {
  for (const [format, width] of [
    ['of 64 bytes', { one: 6, two: 15 }],
    ['of 32 bytes', { one: 7, two: 16 }],
  ] as const) {
    it(`1LVL takes ${width.one} bits and 2LVL ${width.two}, with contexts ${format}`, () => {
      const bench = new RiscvBench();
      if (width.one === 7) bench.setCapabilities(CAPABILITIES & ~bit(22));
      setMode(bench, OFF);
      for (const [levels, bits] of [
        [LEVELS_1, width.one],
        [LEVELS_2, width.two],
      ] as const) {
        setMode(bench, levels);
        bench.faultsOf(2 ** bits, 0n, 260);
        bench.faultsOf(DEVICE, 0n, 260);
        // Within the width the directory is read: nothing is valid there.
        bench.faultsOf(2 ** bits - 1, 0n, 258);
        setMode(bench, OFF);
      }
    });
  }

  it('the number of levels changes by way of Off only', () => {
    const bench = new RiscvBench();
    setMode(bench, OFF);
    setMode(bench, LEVELS_1);
    setMode(bench, LEVELS_2);
    assert.equal(bench.read('ddtp') & 0xfn, LEVELS_1);
    setMode(bench, OFF);
    setMode(bench, LEVELS_2);
    assert.equal(bench.read('ddtp') & 0xfn, LEVELS_2);
    // 5 to 13 are reserved.
    setMode(bench, OFF);
    setMode(bench, 5n);
    assert.equal(bench.read('ddtp') & 0xfn, OFF);
  });
});

describe('riscv-iommu model, test_app.c: Non-leaf DDTE invalid', () => {
  it('cause 258 for every type of transaction', () => {
    const bench = withDevice();
    bench.put(ENTRY_OF_ROOT, 0n);
    forAllTransactions((access, over) => {
      bench.faults(IOVA, access, 258, 0n, over);
    });
  });
});

describe('riscv-iommu model, test_app.c: NL-DDT access viol & data corruption', () => {
  it('an entry that cannot be read is cause 257', () => {
    const bench = withDevice();
    bench.memory.violation = ENTRY_OF_ROOT;
    bench.faults(IOVA, 'write', 257);
    bench.memory.violation = -1;
    bench.faults(IOVA, 'write', 23, IOVA & ~3n);
  });
});

describe('riscv-iommu model, test_app.c: Non-leaf DDTE reserved bits', () => {
  it('cause 259 for each of bits 9:1 and 63:54', () => {
    const bench = withDevice();
    const good = bench.word(ENTRY_OF_ROOT);
    for (const place of [...Array.from({ length: 9 }, (_, index) => index + 1), 54, 58, 63]) {
      bench.put(ENTRY_OF_ROOT, good | bit(place));
      bench.faults(IOVA, 'read', 259);
    }
  });

  it('cause 259 for every type of transaction', () => {
    const bench = withDevice();
    forAllTransactions((access, over) => {
      bench.put(ENTRY_OF_ROOT, over.noWrite === true ? bit(1) | V : V | bit(54));
      bench.faults(IOVA, access, 259, 0n, over);
    });
  });
});

describe('riscv-iommu model, test_app.c: Device context invalid', () => {
  it('cause 258 for every type of transaction', () => {
    const bench = withDevice();
    bench.context(GADE | SADE, GUEST, 0n, 0n);
    forAllTransactions((access, over) => {
      bench.faults(IOVA, access, 258, 0n, over);
    });
  });
});

/** What a check changes: words of the context by their place, capabilities that are missing or added, and fctl. */
interface Check {
  readonly tc?: bigint;
  readonly iohgatp?: bigint;
  readonly ta?: bigint;
  readonly fsc?: bigint;
  readonly msiptp?: bigint;
  readonly mask?: bigint;
  readonly pattern?: bigint;
  readonly last?: bigint;
  readonly without?: bigint;
  readonly with?: bigint;
  readonly fctl?: bigint;
}

/** Sv32 and Sv32x4 beside the other modes: a unit whose fctl.GXL can be written. */
const SV32 = bit(8);
const SV32X4 = bit(16);
const NARROW = SV32 | SV32X4;
const reservedHalf = bit(44);

const CHECKS: Readonly<Record<string, Check>> = {
  'the last word is not 0': { last: 1n },
  'tc bits 23:12': { tc: bit(12) },
  'tc bits 63:32': { tc: bit(32) },
  'tc bits 23:12 and 63:32': { tc: bit(12) | bit(32) },
  'ta bits 11:0': { ta: 1n },
  'ta bits 39:32': { ta: bit(32) },
  'ta.RCID without QOSID': { ta: bit(40) },
  'ta.MCID without QOSID': { ta: bit(52) },
  'fsc bits 59:44 as iosatp': { fsc: reservedHalf },
  'msiptp bits 59:44': { msiptp: FLAT | reservedHalf },
  'msi_addr_mask bits 63:47': { mask: bit(52) },
  'msi_addr_pattern bits 63:47': { pattern: bit(52) },
  'iohgatp.MODE Sv32x4 with GXL and without SXL': { fctl: GXL, iohgatp: mode(8) },
  'iohgatp.MODE above Sv57x4': { iohgatp: mode(11) },
  'iosatp.MODE Sv32 with GXL and without SXL': { fctl: GXL, fsc: mode(8) },
  'iosatp.MODE above Sv57': { fsc: mode(11) },
  'msiptp.MODE above Flat': { msiptp: mode(2) },
  'T2GPA without EN_ATS': { tc: T2GPA },
  'EN_PRI without EN_ATS': { tc: EN_PRI },
  'PRPR without EN_PRI': { tc: PRPR },
  'pdtp.MODE above PD20': { tc: PDTV, fsc: mode(4) },
  'fsc bits 59:44 as pdtp': { tc: PDTV, fsc: reservedHalf },
  'iohgatp.PPN not a multiple of 4 by 1': { iohgatp: GUEST | 1n },
  'iohgatp.PPN not a multiple of 4 by 2': { iohgatp: GUEST | 2n },
  'iohgatp.PPN not a multiple of 4 by 3': { iohgatp: GUEST | 3n },
  'SADE without AMO_HWAD': { tc: SADE, without: AMO_HWAD },
  'GADE without AMO_HWAD': { tc: GADE, without: AMO_HWAD },
  'SADE and GADE without AMO_HWAD': { tc: SADE | GADE, without: AMO_HWAD },
  'EN_ATS without ATS': { tc: EN_ATS, without: ATS },
  'EN_PRI without ATS': { tc: EN_PRI, without: ATS },
  'PRPR without ATS': { tc: PRPR, without: ATS },
  'T2GPA without capabilities.T2GPA': { tc: EN_ATS | T2GPA, without: CAN_T2GPA },
  'T2GPA with a Bare second stage': { tc: EN_ATS | T2GPA, iohgatp: 0n, msiptp: 0n },
  'PD20 without capabilities.PD20': { tc: PDTV, fsc: mode(3), without: bit(40) },
  'PD17 without capabilities.PD17': { tc: PDTV, fsc: mode(2), without: bit(39) },
  'PD8 without capabilities.PD8': { tc: PDTV, fsc: mode(1), without: bit(38) },
  'SXL with Sv48': { tc: SXL, fsc: mode(9) },
  'Sv39 without capabilities.Sv39': { fsc: mode(8), without: bit(9) },
  'Sv48 without capabilities.Sv48': { fsc: mode(9), without: bit(10) },
  'Sv57 without capabilities.Sv57': { fsc: mode(10), without: bit(11) },
  'SXL and Sv32 without capabilities.Sv32': { tc: SXL, fsc: mode(8) },
  'DPE without PDTV': { tc: DPE },
  'GXL with Sv39x4, without SXL': { fctl: GXL, iohgatp: mode(8) | BigInt(GUEST_ROOT), with: NARROW },
  'GXL with Sv48x4': { fctl: GXL, tc: SXL, iohgatp: GUEST, with: NARROW },
  'GXL and Sv32x4 without capabilities.Sv32x4': { fctl: GXL, tc: SXL, iohgatp: mode(8), with: SV32 },
  'Sv39x4 without capabilities.Sv39x4': { iohgatp: mode(8), without: bit(17) },
  'Sv48x4 without capabilities.Sv48x4': { iohgatp: mode(9), without: bit(18) },
  'Sv57x4 without capabilities.Sv57x4': { iohgatp: mode(10), without: bit(19) },
  'SBE other than fctl.BE without END': { tc: SBE },
  'SXL 0 with GXL': { fctl: GXL, iohgatp: mode(8), with: NARROW },
  'msiptp.MODE Flat with a Bare second stage': { iohgatp: 0n, msiptp: FLAT },
};

describe('riscv-iommu model, test_app.c: Device context misconfigured', () => {
  const configured = ({
    tc = 0n,
    without = 0n,
    with: added = 0n,
    fctl = 0n,
    ...words
  }: Check): RiscvBench => {
    const bench = withDevice();
    const { iohgatp = GUEST, ta = 0n, fsc = 0n, msiptp = 0n, mask = 0n, pattern = 0n, last = 0n } = words;
    bench.setCapabilities((CAPABILITIES & ~without) | added);
    bench.write('fctl', fctl);
    bench.context(V | tc, iohgatp, ta, fsc, msiptp, mask, pattern, last);
    return bench;
  };

  it('the context that the checks start from is good', () => {
    configured({}).faults(IOVA, 'write', 23, IOVA & ~3n);
  });

  for (const [name, check] of Object.entries(CHECKS)) {
    it(`cause 259: ${name}`, () => {
      configured(check).faults(IOVA, 'write', 259);
    });
  }

  const GOOD: Readonly<Record<string, Check>> = {
    'ta.RCID and ta.MCID with QOSID': { ta: bit(40) | bit(52), with: QOSID },
    'T2GPA with EN_ATS and a second stage': { tc: EN_ATS | T2GPA },
    'PRPR with EN_PRI and EN_ATS': { tc: EN_ATS | EN_PRI | PRPR },
    'DPE with PDTV': { tc: PDTV | DPE },
    'SADE and GADE with AMO_HWAD': { tc: SADE | GADE },
  };
  for (const [name, check] of Object.entries(GOOD)) {
    it(`good: ${name}`, () => {
      configured(check).faults(IOVA, 'write', 23, IOVA & ~3n);
    });
  }
});

describe('riscv-iommu model, test_app.c: Unsupported transaction type', () => {
  it('cause 260 with a process_id, and for ATS, where the context has neither; else guest-page faults', () => {
    const bench = withDevice();
    forAllTransactions((access, over) => {
      const allowed = over.kind === 'untranslated' && over.pasid === null;
      const guest = access === 'write' ? 23 : over.execute === true ? 20 : 21;
      if (allowed) bench.faults(IOVA, access, guest, 0xdead_beecn, over);
      else bench.faults(IOVA, access, 260, 0n, over);
    });
  });
});

describe('riscv-iommu model, test_app.c: Dev. ctx. access viol & data corruption', () => {
  it('a context that cannot be read is cause 257, after IODIR.INVAL_DDT', () => {
    const bench = withDevice();
    bench.faults(IOVA, 'write', 23, 0xdead_beecn);
    bench.command(riscvCommands.invalidateDevice({ DV: 1, DID: DEVICE }));
    bench.memory.violation = bench.contextAddress;
    bench.faults(IOVA, 'write', 257);
    bench.memory.violation = -1;
    bench.faults(IOVA, 'write', 23, 0xdead_beecn);
  });

  it('while ddtp is Off nothing is looked for: cause 256, then 257 with 3LVL', () => {
    const bench = withDevice();
    bench.memory.violation = bench.contextAddress;
    setMode(bench, OFF);
    bench.faults(IOVA, 'write', 256);
    setMode(bench, LEVELS_3);
    bench.faults(IOVA, 'write', 257);
  });
});
