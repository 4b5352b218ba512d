/** Blocks of test_app.c of the riscv-iommu reference model about two stages: sizes, A and D, NAPOT, and faults below a first stage. */
import assert from 'node:assert/strict';
import { bit } from './riscvBench';
import { EN_ATS, GVA, Guest, PRIVILEGED, USER } from './riscvGuest';
import { A, D, FRESH, N, R, U, V, W, leaf, pageOf } from './riscvTables';

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
