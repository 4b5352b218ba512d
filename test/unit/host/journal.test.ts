import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  readJournal,
  storeJournal,
  walkRequest,
  type JournalEntry,
  type JournalMachine,
  type JournalOperation,
} from '../../../src/host/journal';

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
const operation: fc.Arbitrary<JournalOperation> = fc.oneof(
  fc.record({
    kind: fc.constant('writeWord' as const),
    address: hexadecimal,
    word: hexadecimal,
  }),
  fc.record({ kind: fc.constant('evict' as const), iommu: fc.string(), all: fc.boolean() }),
  fc.record({
    kind: fc.constant('inFile' as const),
    file: fc.constantFrom('dma-1.json', 'dma-m5x-2.json'),
    requests: fc.nat(),
  }),
);
const spec: JournalMachine['spec'] = {
  version: 1,
  vendor: 'vt-d',
  tables: 'second-stage',
  memory: '4G',
  mapping: { what: 'guest', pages: [] },
  devices: [{ requester: '00:02.0' }],
  dirtyTracking: 'on',
  iommus: 1,
  seed: 1,
};
const machine: fc.Arbitrary<JournalMachine> = fc.record({
  version: fc.constant(1 as const),
  spec: fc.constant(spec),
  operations: fc.array(operation),
});
const entry: fc.Arbitrary<JournalEntry> = fc.record(
  {
    id: fc.string(),
    title: fc.string(),
    description: fc.string(),
    descriptionUri: fc.string(),
    imageUri: fc.string(),
    where: fc.string(),
    walk,
    machine,
  },
  { requiredKeys: ['id', 'title', 'description', 'imageUri', 'where'] },
);

const good: JournalEntry = { id: 'i1', title: 'a', description: '{}', imageUri: 'file:///a', where: '' };

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
    assert.deepEqual(readJournal({ version: 4, inspections: [good] }), []);
    assert.deepEqual(readJournal({ version: '2', inspections: [good] }), []);
  });

  it('reads what version 1 wrote, which had images only', () => {
    const walked = { ...good, walk: { requester: 16, pasid: null, iova: '0x10', access: 'read' } };
    assert.deepEqual(readJournal({ version: 1, inspections: [good, walked] }), [good, walked]);
  });

  it('is written as version 3', () => {
    assert.deepEqual(storeJournal([good]), { version: 3, inspections: [good] });
  });

  it('keeps a machine with all that was done to it, in order', () => {
    const operations: readonly JournalOperation[] = [
      { kind: 'dma', requests: [{ sid: '00:02.0', iova: '0xffffffffffff', length: 1, access: 'write' }] },
      { kind: 'inFile', file: 'dma-m5x-1.json', requests: 2001 },
      { kind: 'writeWord', address: '0x1000', word: '0xffffffffffffffff' },
    ];
    const made: JournalEntry = { ...good, machine: { version: 1, spec, operations } };
    const kept: unknown = JSON.parse(JSON.stringify(storeJournal([made])));
    assert.deepEqual(readJournal(kept), [made]);
  });

  it('keeps tables of a trace with their row and how spaces are told apart, and leaves out damaged ones', () => {
    const replay = {
      trace: 'file:///a.iotrace',
      row: 7,
      spaces: { by: 'rules', rules: [{ name: 'a', where: 'cpu = 1' }] },
    };
    const replayed = { ...good, replay };
    const kept: unknown = JSON.parse(JSON.stringify(storeJournal([replayed as JournalEntry])));
    assert.deepEqual(readJournal(kept), [replayed]);
    const damaged = [
      null,
      {},
      { ...replay, trace: 5 },
      { ...replay, row: '7' },
      { ...replay, spaces: null },
      { ...replay, spaces: {} },
    ];
    for (const each of damaged) {
      const inspections = [{ ...good, replay: each }, good];
      assert.deepEqual(readJournal({ version: 3, inspections }), [good], JSON.stringify(each));
    }
  });

  it('leaves out machines that are damaged, or lead out of the folder of their files', () => {
    const whole = { version: 1, spec, operations: [] };
    const inFile = { kind: 'inFile', file: 'dma-1.json', requests: 5000 };
    const damaged: readonly unknown[] = [
      null,
      'vt-d',
      { ...whole, version: 2 },
      { ...whole, spec: 'vt-d' },
      { ...whole, operations: {} },
      { ...whole, operations: [{}] },
      { ...whole, operations: [null] },
      { ...whole, operations: [{ ...inFile, file: '../dma-1.json' }] },
      { ...whole, operations: [{ ...inFile, file: '/etc/passwd' }] },
      { ...whole, operations: [{ ...inFile, file: 5 }] },
      { ...whole, operations: [{ ...inFile, requests: 'many' }] },
    ];
    for (const each of damaged) {
      const inspections = [{ ...good, machine: each }, good];
      assert.deepEqual(readJournal({ version: 2, inspections }), [good], JSON.stringify(each));
    }
    const kept = { ...good, machine: { ...whole, operations: [inFile] } };
    assert.deepEqual(readJournal({ version: 2, inspections: [kept] }), [kept]);
  });

  it('leaves out entries that are damaged, and keeps the others', () => {
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
