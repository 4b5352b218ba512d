import assert from 'node:assert/strict';
import { Layout, at, split } from '../../../../../src/engine/iommu/vendors/layout';
import { alignedPages, sizedAddress, sizedPages } from '../../../../../src/engine/iommu/vendors/ranges';
import { checkLayout } from './roundTrips';

describe('layouts of commands and records', () => {
  const fields = { low: at(3, 0), apart: split([9, 8], [63, 60], [70, 68]), address: at(127, 76, 12) };

  it('give back every value of every field, over parts and words', () => {
    const opcode = at(7, 4);
    checkLayout(new Layout(2, fields, [[opcode, 5]]), fields, [opcode], 2);
  });

  it('put the least significant bits into the first part', () => {
    const layout = new Layout(2, fields);
    assert.deepEqual(layout.encode({ apart: 0b101_1001_10n }), [
      (0b10n << 8n) | (0b1001n << 60n),
      0b101n << 4n,
    ]);
  });

  it('see bits that no field names, and words beyond them', () => {
    const layout = new Layout(2, fields, [[at(7, 4), 5]]);
    assert.equal(layout.setsReserved([0xffn, 0n]), false);
    assert.equal(layout.setsReserved([0x400n, 0n]), true);
    assert.equal(layout.setsReserved([0n, 0n, 0n, 1n]), true);
  });

  it('say what is wrong with fields by name, and else write what their values say', () => {
    const layout = new Layout(2, fields, [[at(7, 4), 5]]);
    assert.deepEqual(layout.fields, ['low', 'apart', 'address']);
    const inputs = { low: 3n, apart: 0b101_1001_10n, address: 0x1234_5000n };
    assert.deepEqual(layout.encodeNamed(inputs), layout.encode(inputs));
    assert.equal(layout.encodeNamed({ other: 1n }), 'there is no field other; there are low, apart, address');
    assert.match(String(layout.encodeNamed({ low: 16n })), /low has 4 bits, and 0x10 does not fit/);
    assert.match(String(layout.encodeNamed({ low: -1n })), /does not fit/);
    assert.match(String(layout.encodeNamed({ address: 0x1800n })), /address is a multiple of 0x1000/);
    assert.match(String(layout.encodeNamed({ toString: 1n })), /no field toString/);
  });

  it('refuse a value that is too wide, as a bug', () => {
    assert.throws(() => new Layout(2, fields).encode({ low: 16 }));
  });
});

describe('ranges of addresses', () => {
  it('are naturally aligned blocks around an address', () => {
    assert.deepEqual(alignedPages(0x1234_5000n, 0), { startPage: 0x12345, endPage: 0x12346 });
    assert.deepEqual(alignedPages(0x1234_5000n, 9), { startPage: 0x12200, endPage: 0x12400 });
    assert.deepEqual(alignedPages(0xffff_ffff_ffff_f000n, 1), { startPage: 2 ** 52 - 2, endPage: 2 ** 52 });
    assert.deepEqual(alignedPages(0x1000n, 52), { startPage: 0, endPage: 2 ** 52 });
  });

  it('have their size in the address by its lowest clear bit', () => {
    // PCIe 6.0 §10.3.1: S = 0 is 4 KiB; S = 1 with bit 12 clear 8 KiB, with bits 12 set and 13 clear 16 KiB.
    assert.deepEqual(sizedPages(0x5000n, false), { pages: { startPage: 5, endPage: 6 }, shift: 12 });
    assert.deepEqual(sizedPages(0x4000n, true), { pages: { startPage: 4, endPage: 6 }, shift: 13 });
    assert.deepEqual(sizedPages(0x5000n, true), { pages: { startPage: 4, endPage: 8 }, shift: 14 });
    assert.deepEqual(sizedPages(0x2f_f000n, true).pages, { startPage: 0x200, endPage: 0x400 });
    assert.deepEqual(sizedPages(0x7fff_ffff_ffff_f000n, true).pages, { startPage: 0, endPage: 2 ** 52 });
  });

  it('are written the same way', () => {
    assert.equal(sizedAddress(0x20_0000n, 9), 0x2f_f000n);
    assert.equal(sizedAddress(0x1234_5000n, 1), 0x1234_4000n);
    for (const order of [1, 5, 18, 40])
      assert.deepEqual(sizedPages(sizedAddress(0n, order), true).pages, {
        startPage: 0,
        endPage: 2 ** order,
      });
  });
});
