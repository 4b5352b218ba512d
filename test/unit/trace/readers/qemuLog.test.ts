import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { countsOf, readTrace, rowsOf, said } from '../../../builders/readTrace';

const FIXTURES = join(__dirname, '../../../fixtures');
const TRACES = join(FIXTURES, 'traces');
const SAMPLE = 'qemu-trace.sample.log.gz';

interface Manifest {
  readonly oracle: { readonly counts: Readonly<Record<string, number>> };
}

/** Events of a log by name, by cutting its lines at blanks. */
function eventsOf(text: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const name = line.replace(/^\d+@\d+\.\d+:/, '').split(' ')[0] ?? '';
    if (name !== '') counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe('QEMU trace log', () => {
  it('of a whole run has the events that its manifest counts', function () {
    this.timeout(60_000);
    const name = 'vtd-legacy-share';
    const log = brotliDecompressSync(readFileSync(join(TRACES, name, 'qemu-trace.log.br')));
    const manifest = JSON.parse(
      readFileSync(join(FIXTURES, 'corpus', `${name}.manifest.json`), 'utf8'),
    ) as Manifest;
    const { bytes, ...counts } = manifest.oracle.counts;
    assert.equal(log.length, bytes);
    const index = readTrace(new Uint8Array(log), 'qemu-trace.log');
    const { events, operations } = countsOf(index);
    assert.deepEqual(
      {
        update: events['vtd_iotlb_page_update'],
        hit: events['vtd_iotlb_page_hit'],
        translate: events['vtd_dmar_translate'],
        fault: events['vtd_dmar_fault'],
        inv_pages: events['vtd_inv_desc_iotlb_pages'],
        inv_domain: events['vtd_inv_desc_iotlb_domain'],
        inv_global: events['vtd_inv_desc_iotlb_global'],
      },
      counts,
    );
    assert.equal(index.unknown, 0);
    assert.equal(operations['translate'], 129_742 + 43_380 + 173_122);
    assert.equal(operations['flush'], 12_678 + 2 + 1);
    assert.deepEqual(events, eventsOf(log.toString('latin1')));
  });

  for (const name of readdirSync(TRACES).filter((entry) => !entry.endsWith('.md'))) {
    it(`reads every line of ${name}`, () => {
      const text = gunzipSync(readFileSync(join(TRACES, name, SAMPLE))).toString('latin1');
      const index = readTrace(text);
      assert.equal(index.trace.format, 'qemu');
      assert.equal(index.unknown, 0);
      assert.deepEqual(countsOf(index).events, eventsOf(text));
      assert.equal(index.rows, text.split('\n').length - 1);
      assert.deepEqual(index.problems, []);
    });
  }

  it('has the times and threads of its prefix', () => {
    const index = readTrace(
      [
        '12335@1795332273.068193:riscv_iommu_new (null): device attached 0000:00.0',
        '12336@1795332274.000001:vtd_dmar_enable enable 1',
        '12336@1795332274.5:vtd_dmar_enable enable 1',
        'vtd_dmar_enable enable 0',
        '',
      ].join('\n'),
    );
    assert.equal(index.trace.origin, 1_795_332_273_000_000_000n);
    assert.equal(index.trace.timeDigits, 6);
    const rows = rowsOf(index);
    assert.deepEqual(
      rows.map(({ time, pid }) => [time, pid]),
      [
        [68_193_000, 12_335],
        [1_000_001_000, 12_336],
        [1_500_000_000, 12_336],
        [null, null],
      ],
    );
    assert.equal(rows[1]?.line, '12336@1795332274.000001:vtd_dmar_enable enable 1');
  });

  it('without times says so, and its rows have none', () => {
    const index = readTrace('vtd_dmar_enable enable 1\nvtd_dmar_enable enable 0\n');
    assert.match(index.trace.title, /without times/);
    assert.equal(index.trace.timeDigits, 0);
    assert.deepEqual(
      rowsOf(index).map((row) => said(row)),
      [{ operation: 'other', flags: 'on' }, { operation: 'other' }],
    );
  });

  it('keeps events of other parts of QEMU by their names, and what is no event as unknown', () => {
    const index = readTrace(
      [
        'vtd_dmar_enable enable 1',
        'e1000e_tx_descr descriptor 0x1',
        'virtqueue_alloc_element',
        'qemu-system-x86_64: warning: host doesn’t support it',
        'char device redirected to /dev/pts/3',
        '1@2.3:usb_xhci_run',
        '1@2:usb_xhci_run',
        '',
      ].join('\n'),
    );
    assert.deepEqual(
      rowsOf(index).map(({ operation, event }) => `${operation} ${event}`),
      [
        'other vtd_dmar_enable',
        'other e1000e_tx_descr',
        'other virtqueue_alloc_element',
        'unknown ',
        'unknown ',
        'other usb_xhci_run',
        'unknown ',
      ],
    );
    assert.equal(index.unknown, 3);
  });

  it('reads back what is printed by the formats', () => {
    const address = fc.bigInt({ min: 0n, max: 2n ** 52n - 1n }).map((page) => page << 12n);
    const number = fc.integer({ min: 0, max: 0xffff });
    const order = fc.integer({ min: 0, max: 40 });
    const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
    const time = fc.record({
      second: fc.integer({ min: 0, max: 2 ** 31 }),
      micro: fc.integer({ min: 0, max: 999_999 }),
    });
    const prefix = ({ second, micro }: { second: number; micro: number }): string =>
      `77@${second}.${String(micro).padStart(6, '0')}:`;
    fc.assert(
      fc.property(address, address, number, number, order, time, (iova, paddr, sid, domain, shift, at) => {
        const offset = BigInt(sid & 0xfff);
        const mask = (1n << BigInt(shift + 12)) - 1n;
        const base = iova & ~mask;
        const lines = [
          `vtd_iotlb_page_update IOTLB page update sid ${hex(sid)} iova ${hex(iova + offset)} slpte ${hex((paddr & 0xf_ffff_ffff_ffffn) | 3n)} domain ${hex(domain)}`,
          `vtd_dmar_translate dev 00:03.00 iova ${hex(base)} -> gpa ${hex(paddr)} mask ${hex(mask)}`,
          `vtd_inv_desc_iotlb_pages iotlb invalidate domain ${hex(domain)} addr ${hex(iova)} mask ${hex(shift)}`,
          `smmuv3_range_inval vmid=0 asid=${domain} addr=${hex(iova)} tg=2 num_pages=${hex(shift + 1)} ttl=3 leaf=1 stage=1`,
          `riscv_iommu_dma (null): translate 0000:06.0 #0 WR ${hex(iova + offset)} -> ${hex(paddr | 1n)}`,
        ];
        const index = readTrace(lines.map((line) => `${prefix(at)}${line}\n`).join(''));
        const time = at.micro * 1000;
        const task = { time, task: '', pid: 77 };
        assert.equal(index.trace.origin, BigInt(at.second) * 1_000_000_000n);
        assert.deepEqual(
          rowsOf(index).map((row) => said(row)),
          [
            {
              ...task,
              operation: 'translate',
              device: `sid ${hex(sid)}`,
              iova: hex(iova + offset),
              paddr: hex(paddr & 0xf_ffff_ffff_ffffn),
              domain,
            },
            {
              ...task,
              operation: 'translate',
              device: '00:03.00',
              iova: hex(base),
              paddr: hex(paddr),
              size: Number(mask + 1n),
            },
            { ...task, operation: 'flush', iova: hex(base), size: Number(mask + 1n), domain },
            {
              ...task,
              operation: 'flush',
              iova: hex(iova),
              size: 16_384 * (shift + 1),
              domain,
              flags: 'stage1',
            },
            {
              ...task,
              operation: 'translate',
              device: '0000:06.0',
              iova: hex(iova + offset),
              paddr: hex(paddr | 1n),
              flags: 'write',
            },
          ],
        );
      }),
      { numRuns: 60 },
    );
  });

  it('keeps every line of whatever comes, and never fails', () => {
    const real = gunzipSync(readFileSync(join(TRACES, 'vtd-sm-fl-share', SAMPLE))).subarray(0, 6000);
    const damage = fc.array(fc.tuple(fc.nat(real.length - 1), fc.integer({ min: 0, max: 255 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(damage, (places) => {
        const bytes = new Uint8Array(real);
        for (const [at, byte] of places) bytes[at] = byte;
        // The first lines stay, so that the format is known.
        bytes.set(real.subarray(0, 400));
        const index = readTrace(bytes);
        const feeds = bytes.reduce((count, byte) => count + (byte === 10 ? 1 : 0), 0);
        assert.equal(index.rows, feeds + (bytes.at(-1) === 10 ? 0 : 1));
        const ends = rowsOf(index).reduce((length, { line }) => Math.max(length, line.length), 0);
        assert.ok(ends <= 6000);
      }),
      { numRuns: 60 },
    );
  });

  it('reads a chunk again as it was read first, also when a file has more names than QEMU has events', () => {
    const lines = Array.from({ length: 70_000 }, (_none, line) => `noise_${line % 20_000} ${line}`);
    const text = `${'vtd_dmar_enable enable 1\n'.repeat(20_000)}${lines.join('\n')}\n`;
    const [index, again] = [readTrace(text), readTrace(text, 'trace', 1)];
    assert.equal(index.rows, 90_000);
    assert.ok(index.names.events.size <= 8192);
    // The second keeps nothing in memory: what it says it has read again.
    for (const first of [0, 65_530, 89_900]) {
      assert.deepEqual(rowsOf(again, first, 20), rowsOf(index, first, 20));
    }
  });
});
