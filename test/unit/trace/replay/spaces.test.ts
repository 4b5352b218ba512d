import assert from 'node:assert/strict';
import { type RowFacts, TestTrace } from '../../../builders/trace';
import { SpaceIndex } from '../../../../src/trace/replay/spaceIndex';
import { type RowTest } from '../../../../src/trace/replay/spaces';
import { liveAfter, map, replayed, spaceNames, unmap } from './replayed';

const DISK = '0000:00:02.0';
const NIC = '0000:00:03.0';

/** As Linux 6.12 writes them: the buffer after its maps and unmaps. */
const dma = (
  operation: 'dma-map' | 'dma-unmap',
  device: string,
  page: number,
  bytes: number,
  more: RowFacts = {},
): RowFacts => ({ operation, device, iova: page * 4096, size: bytes, task: 'dd', cpu: 0, ...more });

describe('address spaces of a trace', () => {
  it('are by device where events of the DMA API stand around maps and unmaps', () => {
    const trace = replayed([
      map(100, 1, 5000),
      map(101, 1, 5007),
      // Of a scatter list the row has the first address alone.
      dma('dma-map', DISK, 100, 4096, { flags: ['list'] }),
      map(100, 1, 6000, { task: 'ping' }),
      dma('dma-map', NIC, 100, 60, { task: 'ping' }),
      // A scatter list says whose it is before it is unmapped, and not where it is.
      { operation: 'dma-unmap', device: DISK, task: 'dd', cpu: 0, paddr: 5000 * 4096 },
      unmap(100, 2),
      unmap(100, 1, { task: 'irq' }),
      dma('dma-unmap', NIC, 100, 60, { task: 'irq' }),
    ]);
    assert.deepEqual(spaceNames(trace), [DISK, DISK, DISK, NIC, NIC, DISK, DISK, NIC, NIC]);
    assert.deepEqual(liveAfter(trace.replay, 4), [
      `${DISK} 100-101->5000`,
      `${DISK} 101-102->5007`,
      `${NIC} 100-101->6000`,
    ]);
    assert.deepEqual(liveAfter(trace.replay, 8), []);
    assert.deepEqual(trace.index.notes, []);
  });

  it('have a buffer’s device only for the rows of the same CPU and task, though an interrupt comes between', () => {
    const trace = replayed([
      map(100, 1, 5000),
      map(200, 1, 6000, { task: 'irq', cpu: 1 }),
      unmap(300, 1),
      dma('dma-unmap', NIC, 300, 4096),
      dma('dma-map', DISK, 100, 100),
      dma('dma-map', NIC, 200, 100, { task: 'irq', cpu: 1 }),
    ]);
    assert.deepEqual(spaceNames(trace), [DISK, NIC, NIC, NIC, DISK, NIC]);
  });

  it('map whole pages of a larger kernel page for a small buffer', () => {
    const trace = replayed([map(100, 4, 5000), dma('dma-map', DISK, 101, 100)]);
    assert.deepEqual(spaceNames(trace), [DISK, DISK]);
  });

  it('are shared by the devices of a group', () => {
    const group = (device: string): RowFacts => ({
      operation: 'attach',
      event: 'add_device_to_group',
      device,
      count: 4,
    });
    const trace = replayed([
      group(DISK),
      group(NIC),
      map(100, 1, 5000),
      dma('dma-map', NIC, 100, 4096),
      map(101, 1, 5000),
      dma('dma-map', DISK, 101, 4096),
    ]);
    assert.deepEqual(new Set(spaceNames(trace)), new Set([DISK]));
  });

  it('are told apart by what is mapped at the same time, where nothing is named', () => {
    const trace = replayed([
      map(100, 1, 5000, { task: 'disk' }),
      map(100, 1, 6000, { task: 'nic' }),
      map(101, 1, 6001, { task: 'nic' }),
      map(101, 1, 5001, { task: 'disk' }),
      unmap(100, 1, { task: 'irq' }),
      map(102, 2, 7000, { task: 'disk' }),
      unmap(102, 2),
      unmap(101, 1),
    ]);
    const [one, two] = ['space 1', 'space 2'];
    assert.deepEqual(spaceNames(trace), [one, two, two, one, two, one, one, one]);
    assert.deepEqual(liveAfter(trace.replay, 4), [
      `${one} 100-101->5000`,
      `${one} 101-102->5001`,
      `${two} 101-102->6001`,
    ]);
    assert.deepEqual(
      trace.index.notes.map(({ code }) => code),
      ['trace/no-device-names', 'trace/ambiguous-unmaps'],
    );
    assert.equal(trace.replay.findings.counts['double-map'], 0);
  });

  it('give an unmap to the space that holds exactly its range before one that holds more', () => {
    const trace = replayed([
      map(100, 1, 5000),
      map(101, 1, 5100),
      map(100, 16, 6000, { task: 'other' }),
      unmap(100, 2),
      unmap(100, 16),
    ]);
    assert.deepEqual(spaceNames(trace), ['space 1', 'space 1', 'space 2', 'space 1', 'space 2']);
    assert.deepEqual(liveAfter(trace.replay, 4), []);
  });

  it('stop being made when unmaps are missing: 64 at most, and it is said', () => {
    const trace = replayed(Array.from({ length: 70 }, (_, index) => map(100, 1, index)));
    assert.equal(trace.index.count, 64);
    assert.equal(trace.replay.findings.counts['double-map'], 6);
    assert.ok(trace.index.notes.some(({ code }) => code === 'trace/crowded'));
  });

  it('of flushes are those of the unmap before, and of the domain’s number from then on', () => {
    const flush = (domain: number, page?: number): RowFacts => ({
      ...{ operation: 'flush', domain, task: 'dd', cpu: 0 },
      ...(page === undefined ? { flags: ['domainWide'] } : { iova: page * 4096, size: 4096 }),
    });
    const trace = replayed([
      map(100, 1, 5000, { device: DISK }),
      map(100, 1, 6000, { device: NIC }),
      unmap(100, 1, { device: NIC }),
      flush(4, 100),
      flush(4),
      flush(9),
    ]);
    assert.deepEqual(spaceNames(trace), [DISK, NIC, NIC, NIC, NIC, '']);
  });

  it('have one name for a device however the trace writes it', () => {
    const trace = replayed([
      map(100, 1, 5000, { device: 'sid 0x18' }),
      unmap(100, 1, { device: '00:03.0' }),
      map(100, 1, 5000, { device: '0000:00:03.0' }),
    ]);
    assert.deepEqual(new Set(spaceNames(trace)), new Set(['sid 0x18']));
  });

  it('of an unmap that names nothing are those that were mapped in last, where there are very many', () => {
    const nameOf = (index: number): string => `device ${index}`;
    const rows = Array.from({ length: 400 }, (_, index) =>
      map(index, 1, 5000 + index, { device: nameOf(index) }),
    );
    const names = spaceNames(replayed([...rows, unmap(399, 1), unmap(300, 1)]));
    assert.deepEqual(names.slice(-2), [nameOf(399), nameOf(300)]);
  });

  it('have names of their own where names are equal but for case', () => {
    const index = new SpaceIndex(new TestTrace());
    for (const name of ['a', 'A (2)', 'A', 'a', 'a']) index.add(name);
    assert.deepEqual(index.names, ['a', 'A (2)', 'A (3)', 'a (4)', 'a (5)']);
    const before = performance.now();
    for (let more = 0; more < 30_000; more++) index.add('a');
    assert.ok(performance.now() - before < 2000);
    assert.equal(new Set(index.names).size, 30_005);
  });

  it('are by device, by domain, or by the first rule that matches, as is asked for', () => {
    const rows = [
      map(100, 1, 5000, { device: DISK, domain: 3 }),
      map(200, 1, 6000, { device: NIC, domain: 3 }),
      map(300, 1, 6000),
    ];
    assert.deepEqual(spaceNames(replayed(rows, { spaces: { by: 'device' } })), [DISK, NIC, 'other']);
    assert.deepEqual(spaceNames(replayed(rows, { spaces: { by: 'domain' } })), [
      'domain 3',
      'domain 3',
      'other',
    ]);
    const only = (...matching: readonly number[]): RowTest => ({
      *enter() {
        yield 0;
      },
      test: (row) => matching.includes(row),
    });
    const rules = [
      { name: 'low', test: only(0) },
      { name: 'LOW', test: only(0, 1) },
    ];
    // Rules of the same name are two spaces.
    assert.deepEqual(spaceNames(replayed(rows, { spaces: { by: 'rules', rules } })), [
      'low',
      'LOW (2)',
      'other',
    ]);
  });
});
