import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readJournal, storeJournal, walkRequest, type JournalEntry } from '../../../src/host/journal';

const hexadecimal = fc.bigInt(0n, 2n ** 64n - 1n).map((value) => `0x${value.toString(16)}`);
const walk = fc.record(
  {
    iommu: fc.string(),
    requester: fc.nat(0xffff),
    pasid: fc.option(fc.nat(0xfffff)),
    iova: hexadecimal,
    access: fc.constantFrom('read' as const, 'write' as const),
  },
  { requiredKeys: ['requester', 'pasid', 'iova', 'access'] },
);
const entry: fc.Arbitrary<JournalEntry> = fc.record(
  {
    id: fc.string(),
    title: fc.string(),
    description: fc.string(),
    descriptionUri: fc.string(),
    imageUri: fc.string(),
    where: fc.string(),
    walk,
  },
  { requiredKeys: ['id', 'title', 'description', 'imageUri', 'where'] },
);

describe('journal', () => {
  it('gives back what was kept, through JSON', () => {
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const kept: unknown = JSON.parse(JSON.stringify(storeJournal(entries)));
        // Without prototypes and in plain objects on both sides.
        assert.deepEqual(JSON.parse(JSON.stringify(readJournal(kept))), JSON.parse(JSON.stringify(entries)));
      }),
    );
  });

  it('gives nothing for what it did not write', () => {
    fc.assert(
      fc.property(fc.anything(), (stored) => {
        assert.ok(Array.isArray(readJournal(stored)));
      }),
    );
    assert.deepEqual(readJournal({ version: 2, inspections: [] }), []);
  });

  it('leaves out entries that are damaged, and keeps the others', () => {
    const good: JournalEntry = { id: 'i1', title: 'a', description: '{}', imageUri: 'file:///a', where: '' };
    const damaged: readonly object[] = [
      { ...good, id: 1 },
      { ...good, where: undefined },
      { ...good, descriptionUri: 5 },
      { ...good, walk: { requester: 16, pasid: null, iova: '16', access: 'read' } },
      { ...good, walk: { requester: 16, pasid: null, iova: '0x10', access: 'execute' } },
    ];
    for (const each of damaged) {
      assert.deepEqual(readJournal({ version: 1, inspections: [each, good] }), [good], JSON.stringify(each));
    }
  });

  it('keeps an IOVA of 64 bits exactly', () => {
    const request = walkRequest({ requester: 0x10, pasid: null, iova: '0xffffffffffffffff', access: 'read' });
    assert.equal(request.iova, 2n ** 64n - 1n);
  });
});
