import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  domainOfStored,
  mergeBookmarks,
  readBookmarks,
  savedBeside,
  storeBookmarks,
  storeDomain,
  type Bookmark,
} from '../../../src/host/bookmarks';

const address = fc.bigInt(0n, 2n ** 64n - 1n);
const domain = fc
  .record(
    {
      iommu: fc.string(),
      stage: fc.constantFrom(1 as const, 2 as const),
      domainId: fc.nat(0xfffff),
      root: address,
      levels: fc.integer({ min: 1, max: 6 }),
      below: fc.record({ domainId: fc.nat(0xffff), root: address }),
    },
    { requiredKeys: ['iommu', 'stage', 'domainId', 'root', 'levels'] },
  )
  .map((key) => ({ ...key }));
const bookmark: fc.Arbitrary<Bookmark> = fc.record(
  {
    source: fc.string(),
    imageTitle: fc.string(),
    node: fc.string(),
    kind: fc.constantFrom('iommu' as const, 'device', 'domain', 'table', 'run', 'entry'),
    label: fc.string(),
    description: fc.string(),
    note: fc.string(),
    domain: domain.map(storeDomain),
    iova: address.map((value) => `0x${value.toString(16)}`),
  },
  { requiredKeys: ['source', 'imageTitle', 'node', 'kind', 'label', 'description', 'note'] },
);
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const good: Bookmark = {
  source: 'file:///a.iopte.json',
  imageTitle: 'a',
  node: 'i:dmar0/d:0010',
  kind: 'device',
  label: '00:02.0',
  description: 'DID 4',
  note: 'the disk',
};

describe('bookmarks', () => {
  it('come back as they were kept, through JSON', () => {
    fc.assert(
      fc.property(fc.array(bookmark), (bookmarks) => {
        const read = readBookmarks(plain(storeBookmarks(bookmarks)));
        assert.deepEqual(plain(read), plain({ kind: 'read', bookmarks, damaged: [] }));
      }),
    );
  });

  it('keep a domain to the bit', () => {
    fc.assert(
      fc.property(domain, (key) => {
        assert.deepEqual(plainKey(domainOfStored(storeDomain(key))), plainKey(key));
      }),
    );
  });

  it('tell a state of another version or another program from bookmarks', () => {
    assert.deepEqual(readBookmarks(undefined), { kind: 'read', bookmarks: [], damaged: [] });
    assert.deepEqual(readBookmarks({ version: 0, bookmarks: [good] }), { kind: 'foreign', version: 0 });
    assert.deepEqual(readBookmarks({ version: 2, marks: [] }), { kind: 'foreign', version: 2 });
    for (const other of [[], 5, 'x', {}, { version: '1' }, { version: 1 }, { version: 1, bookmarks: {} }]) {
      assert.equal(readBookmarks(other).kind, 'foreign', JSON.stringify(other));
    }
    fc.assert(fc.property(fc.anything(), (stored) => void readBookmarks(stored)));
  });

  it('leave damaged ones where they are, and keep the others', () => {
    const damaged = [{ ...good, kind: 'page' }, { ...good, iova: '16' }, { ...good, note: 5 }, null];
    const read = readBookmarks({ version: 1, bookmarks: [...damaged, good] });
    assert.deepEqual(read, { kind: 'read', bookmarks: [good], damaged });
    const again = readBookmarks(plain(storeBookmarks([good], damaged)));
    assert.deepEqual(again, read);
  });

  it('of a file join those of the workspace, whose notes stay', () => {
    const other = { ...good, node: 'i:dmar0/d:0018' };
    assert.deepEqual(mergeBookmarks([good], [{ ...good, note: 'old' }, other]), {
      bookmarks: [good, other],
      leftOut: 0,
    });
  });

  it('of a file are bounded in number and length, and what is left out is counted', () => {
    const many = Array.from({ length: 1003 }, (_, index) => ({ ...good, node: `n${index}` }));
    const long = { ...good, node: 'long', note: 'x'.repeat(5000) };
    const { bookmarks, leftOut } = mergeBookmarks([], [long, ...many]);
    assert.deepEqual([bookmarks.length, leftOut], [1000, 4]);
    assert.ok(!bookmarks.some(({ node }) => node === 'long'));
  });

  it('of one description leave those of another description of the image in their file', () => {
    const file = (source: string, note: string): Bookmark => ({ ...good, source, note });
    const there = [file('a.iopte.json', 'old'), file('b.iopte.json', 'of b')];
    const own = [file('file:///images/a.iopte.json', 'new')];
    assert.deepEqual(savedBeside(there, 'a.iopte.json', own), [
      file('b.iopte.json', 'of b'),
      file('a.iopte.json', 'new'),
    ]);
    assert.deepEqual(savedBeside(there, 'a.iopte.json', []), [file('b.iopte.json', 'of b')]);
  });
});

const plainKey = (key: object): string =>
  JSON.stringify(key, (_name, value: unknown) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
  );
