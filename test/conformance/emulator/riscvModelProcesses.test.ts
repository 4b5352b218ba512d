/** The block of test_app.c of the riscv-iommu reference model about process directories, and two stages below them. */
import assert from 'node:assert/strict';
import { riscvCommands } from '../../../src/engine/iommu/vendors/riscv/commands';
import { pasid } from '../../../src/engine/values';
import { CAPABILITIES, DEVICE, RiscvBench, bit, pointer, type RequestKind } from './riscvBench';
import { A, D, FRESH, N, R, RiscvTables, U, V, W, leaf, pageOf } from './riscvTables';

const EN_ATS = bit(1);
const T2GPA = bit(3);
const PDTV = bit(5);
const GADE = bit(7);
const SADE = bit(8);
const DPE = bit(9);
const ENS = bit(1);
const SUM = bit(2);
const SV48 = 9n << 60n;
const PD8 = 1n << 60n;
const PD17 = 2n << 60n;
const PD20 = 3n << 60n;
const GUEST_ID = 0x1234;
const PROCESS = 0xbabec;
const PSCID = 10;
const IOVA = 0xdead_beefn;
const GVA = 0x10_0000n;

/** The blocks' requests are made with privilege, for process 0xbabec. */
const PRIVILEGED: RequestKind = { pasid: pasid(PROCESS), privileged: true };
const USER: RequestKind = { pasid: pasid(PROCESS) };

/** A guest: its memory by pages of 4 KiB, its process directory, and one first stage for each process. */
class Guest {
  /** Caches of the size that the model has. */
  readonly bench = new RiscvBench({ iotlb: { sets: 1, ways: 2 }, contextEntries: 2, processEntries: 2 });
  readonly #places = new Map<number, number>();
  #next = 0x8_0000;
  readonly memory = new RiscvTables(this.bench, 4, 2);
  /** Guest frame of the process directory's root. */
  readonly directory: number;
  readonly control = V | PDTV | GADE | SADE;

  constructor() {
    this.directory = this.frame();
    this.context();
  }

  /** A new guest page, mapped; its guest frame. */
  frame(): number {
    // Each in a table of its own, so that one can be out of reach alone.
    const guest = this.#next;
    this.#next += 0x200;
    const place = this.bench.frames();
    this.#places.set(guest, place);
    this.memory.put(BigInt(guest) << 12n, 0, leaf(BigInt(place)));
    return guest;
  }

  place(guest: number): number {
    const place = this.#places.get(guest);
    assert.ok(place !== undefined);
    return place;
  }

  guestOf(place: number): number {
    const found = [...this.#places].find(([, each]) => each === place);
    assert.ok(found);
    return found[0];
  }

  /** Where the second stage's leaf of a guest page is. */
  entryOf(guest: number): number {
    return this.memory.put(BigInt(guest) << 12n, 0, leaf(BigInt(this.place(guest))));
  }

  /** Writes the device context, and makes it be read again. */
  context({ set = 0n, mode = PD20 }: { set?: bigint; mode?: bigint } = {}): void {
    const second = SV48 | (BigInt(GUEST_ID) << 44n) | BigInt(this.memory.root);
    this.bench.context(this.control | set, second, 0n, mode | BigInt(this.directory));
    this.command(riscvCommands.invalidateDevice({ DV: 1, DID: DEVICE }));
  }

  command(words: readonly bigint[]): void {
    this.bench.command(words);
    assert.equal(this.bench.left, 0);
  }

  /** Where the entry of a process is in the directory's root: PDI[2]. */
  rootEntry(process = PROCESS): number {
    return this.place(this.directory) * 4096 + Math.floor(process / 2 ** 17) * 8;
  }

  /** The context of a process, whose directories are made; its physical address, and the first stage. */
  process(process = PROCESS, id = PSCID): Process {
    let table = this.directory;
    for (const [shift, bits] of [
      [17, 3],
      [8, 9],
    ] as const) {
      const entry = this.place(table) * 4096 + (Math.floor(process / 2 ** shift) % 2 ** bits) * 8;
      const above = this.bench.word(entry);
      if ((above & V) !== 0n) table = Number(pageOf(above));
      else {
        table = this.frame();
        this.bench.put(entry, pointer(table));
      }
    }
    const tables = new RiscvTables(this.bench, 4, 1, {
      make: () => this.frame(),
      place: (frame) => this.place(frame),
    });
    const address = this.place(table) * 4096 + (process % 256) * 16;
    const attributes = V | ENS | SUM | (BigInt(id) << 12n);
    const fsc = SV48 | BigInt(tables.root);
    this.bench.put(address, attributes, fsc);
    return { address, tables, attributes, fsc };
  }

  /** A page of a process, in guest memory; where both of its leaves are, and its addresses. */
  page({ tables }: Process, gva = GVA, flags = FRESH): Page {
    const guest = this.frame();
    const entry = tables.put(gva, 0, leaf(BigInt(guest), flags));
    return {
      entry,
      under: this.entryOf(guest),
      gpa: BigInt(guest) << 12n,
      spa: BigInt(this.place(guest)) << 12n,
    };
  }

  invalidateProcess(process = PROCESS): void {
    this.command(riscvCommands.invalidateProcess({ DV: 1, DID: DEVICE, PID: process }));
  }

  invalidatePage(gva = GVA): void {
    const tags = { GV: 1, AV: 1, PSCV: 1, GSCID: GUEST_ID, PSCID } as const;
    this.command(riscvCommands.invalidateVma({ ...tags, ADDR: gva }));
  }

  invalidateGuest(): void {
    this.command(riscvCommands.invalidateGvma({ GV: 1, GSCID: GUEST_ID }));
  }
}

interface Process {
  readonly address: number;
  readonly tables: RiscvTables;
  readonly attributes: bigint;
  readonly fsc: bigint;
}

interface Page {
  readonly entry: number;
  readonly under: number;
  readonly gpa: bigint;
  readonly spa: bigint;
}

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

describe('riscv-iommu model, test_app.c: two-stage translation', () => {
  const gva = 0x60_0000n;
  /** A guest page and a page, multiples of 2 MiB. */
  const GUEST_PAGE = 0x60_0000n;
  const PAGE = 0x40_0000n;

  for (const [first, second] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const) {
    it(`levels ${first} over ${second}: the answer is for the smaller page`, () => {
      const guest = new Guest();
      guest.context({ set: EN_ATS });
      guest.memory.put(GUEST_PAGE << 12n, second, leaf(PAGE));
      guest.process().tables.put(gva, first, leaf(GUEST_PAGE));
      const answer = guest.bench.asks(gva | 0x234n, USER);
      assert.deepEqual(answer, {
        output: (PAGE << 12n) | 0x234n,
        reads: true,
        writes: true,
        shift: first === 1 && second === 1 ? 21 : 12,
      });
    });
  }

  it('permission is what both stages allow', () => {
    const guest = new Guest();
    const { bench } = guest;
    guest.context({ set: EN_ATS });
    const { entry, under } = guest.page(guest.process());
    const good = { entry: bench.word(entry), under: bench.word(under) };
    bench.put(under, good.under & ~W);
    const gpa = pageOf(good.entry) << 12n;
    bench.faults(GVA, 'write', 23, gpa, USER);
    bench.passes(GVA, 'read', USER);
    assert.equal(bench.asks(GVA, USER).writes, false);
    bench.put(under, good.under);
    bench.put(entry, good.entry & ~W);
    guest.invalidateGuest();
    bench.faults(GVA, 'write', 15, 0n, USER);
    assert.deepEqual([bench.asks(GVA, USER).reads, bench.asks(GVA, USER).writes], [true, false]);
  });
});

describe('riscv-iommu model, test_app.c: A/D update from TLB', () => {
  it('a read sets A, and the write after it D, without an invalidation between', () => {
    const guest = new Guest();
    const { bench } = guest;
    const { entry, under } = guest.page(guest.process());
    bench.passes(GVA, 'write', PRIVILEGED);
    bench.put(entry, bench.word(entry) & ~(A | D));
    guest.invalidatePage();
    bench.passes(GVA, 'read', PRIVILEGED);
    assert.equal(bench.word(entry) & (A | D), A);
    bench.passes(GVA, 'write', PRIVILEGED);
    assert.equal(bench.word(entry) & (A | D), A | D);
    assert.equal(bench.word(under) & (A | D), A | D);
  });

  it('the same of the second stage, with IOTINVAL.GVMA', () => {
    const guest = new Guest();
    const { bench } = guest;
    const { entry, under } = guest.page(guest.process());
    bench.passes(GVA, 'write', PRIVILEGED);
    bench.put(under, bench.word(under) & ~(A | D));
    guest.invalidateGuest();
    bench.passes(GVA, 'read', PRIVILEGED);
    assert.equal(bench.word(under) & (A | D), A);
    bench.passes(GVA, 'write', PRIVILEGED);
    assert.equal(bench.word(under) & (A | D), A | D);
    assert.equal(bench.word(entry) & (A | D), A | D);
  });

  it('an entry that changed since the walk read it is walked again', () => {
    const guest = new Guest();
    const { bench } = guest;
    const { entry } = guest.page(guest.process());
    const other = guest.frame();
    const steps = bench.iommu.request(bench.request(GVA, 'write', USER));
    for (;;) {
      const step = steps.next();
      assert.ok(step.done !== true);
      if (step.value.kind === 'read' && step.value.address === entry) break;
    }
    bench.put(entry, leaf(BigInt(other)));
    assert.equal(bench.finish(steps).output, BigInt(guest.place(other)) << 12n);
    assert.equal(bench.word(entry), leaf(BigInt(other), FRESH | A | D));
  });

  it('second-stage pages of first-stage tables get D where they may be written, as SADE may mark there', () => {
    const guest = new Guest();
    const { bench } = guest;
    const process = guest.process();
    guest.page(process);
    const under = guest.entryOf(process.tables.root);
    bench.passes(GVA, 'read', PRIVILEGED);
    assert.equal(bench.word(under) & (A | D), A | D);
  });
});

describe('riscv-iommu model, test_app.c: NAPOT', () => {
  const gva = 0x90_0000n;
  /** 64 KiB of guest memory and of memory, neither of them used by others. */
  const GUEST_PAGE = 0xa_0000n;
  const PAGE = 0x20_0000n;

  const made = (code: bigint) => {
    const guest = new Guest();
    const process = guest.process();
    const under = guest.memory.put(GUEST_PAGE << 12n, 0, leaf(PAGE | code) | N);
    const entry = process.tables.put(gva, 0, leaf(GUEST_PAGE | 8n) | N);
    return { guest, under, entry, process };
  };

  it('a second-stage leaf with N and another code than 8 is a guest-page fault; mended, the page of 4 KiB is translated', () => {
    const { guest, under, entry } = made(4n);
    const { bench } = guest;
    bench.faults(gva, 'write', 23, GUEST_PAGE << 12n, USER);
    bench.put(under, leaf(PAGE | 8n) | N);
    assert.equal(bench.passes(gva, 'write', USER).output, PAGE << 12n);
    assert.equal(bench.word(entry) & (A | D), A | D);
    assert.equal(bench.word(under) & (A | D), A | D);
  });

  for (let code = 0n; code < 16n; code++) {
    if (code === 8n) continue;
    it(`N with PPN[3:0] = ${code}: a fault in either stage`, () => {
      const { guest, entry, under } = made(code);
      const { bench } = guest;
      bench.faults(gva, 'read', 21, GUEST_PAGE << 12n, USER);
      bench.put(under, leaf(PAGE | 8n) | N);
      bench.put(entry, leaf(GUEST_PAGE | code) | N);
      bench.faults(gva, 'read', 13, 0n, USER);
    });
  }

  it('each of the 16 entries is one of its pages', () => {
    const { guest, process } = made(8n);
    for (let page = 0n; page < 16n; page++) {
      const address = gva | (page << 12n);
      process.tables.put(address, 0, leaf(GUEST_PAGE | 8n) | N);
      guest.memory.put((GUEST_PAGE | page) << 12n, 0, leaf(PAGE | 8n) | N);
      assert.equal(
        guest.bench.passes(address | 0x123n, 'read', USER).output,
        ((PAGE | page) << 12n) | 0x123n,
      );
    }
  });

  it('one of both stages: 4 KiB are reported', () => {
    const { guest } = made(8n);
    guest.context({ set: EN_ATS });
    guest.memory.put(GUEST_PAGE << 12n, 0, leaf(PAGE));
    assert.equal(guest.bench.asks(gva, USER).shift, 12);
  });
});

describe('riscv-iommu model, test_app.c: non-leaf faults', () => {
  const gva = 0x90_0000n;

  const made = () => {
    const guest = new Guest();
    const process = guest.process();
    guest.page(process, gva);
    const table = process.tables.root;
    return { guest, process, entry: guest.entryOf(table), gpa: BigInt(table) << 12n };
  };

  it('the second stage refuses the read of a first-stage table: 23 and 21 with its address and bit 0', () => {
    const { guest, entry, gpa } = made();
    const { bench } = guest;
    const good = bench.word(entry);
    for (const wrong of [good & ~V, good | N, good | bit(61), good | bit(54), good & ~U, good & ~R]) {
      bench.put(entry, wrong);
      bench.faults(gva, 'write', 23, gpa | 1n, USER);
      bench.faults(gva, 'read', 21, gpa | 1n, USER);
    }
    bench.put(entry, good);
    bench.passes(gva, 'write', USER);
  });

  it('second-stage entries that cannot be read are cause 7 of writes and 5 of reads', () => {
    const { guest, entry } = made();
    const { bench } = guest;
    bench.memory.violation = entry;
    bench.faults(gva, 'write', 7, 0n, USER);
    bench.faults(gva, 'read', 5, 0n, USER);
    bench.memory.violation = -1;
    bench.passes(gva, 'write', USER);
  });

  it('a first-stage entry that must be marked, and may not be written: iotval2 has bits 0 and 1', () => {
    const { guest, process } = made();
    const { bench } = guest;
    const page = guest.page(process, gva + 0x1000n);
    const guestFrame = guest.guestOf(Math.floor(page.entry / 4096));
    const under = guest.entryOf(guestFrame);
    bench.put(under, bench.word(under) & ~W);
    guest.invalidateGuest();
    const at = (BigInt(guestFrame) << 12n) | BigInt(page.entry % 4096);
    bench.faults(gva + 0x1000n, 'read', 21, (at & ~3n) | 3n, USER);
    bench.faults(gva + 0x1000n, 'write', 23, (at & ~3n) | 3n, USER);
    bench.put(page.entry, bench.word(page.entry) | A | D);
    bench.passes(gva + 0x1000n, 'write', USER);
  });

  it('a first-stage table that is not valid: 15 and 13', () => {
    const { guest, process } = made();
    const { bench } = guest;
    bench.put(guest.place(process.tables.root) * 4096, 0n);
    bench.faults(gva, 'write', 15, 0n, USER);
    bench.faults(gva, 'read', 13, 0n, USER);
  });
});
