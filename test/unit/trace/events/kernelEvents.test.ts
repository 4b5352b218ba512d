import assert from 'node:assert/strict';
import fc from 'fast-check';
import { vtdCommands } from '../../../../src/engine/iommu/vendors/vtd/commands';
import { KERNEL_EVENTS } from '../../../../src/trace/events/kernel/index';
import { RowBuilder } from '../../../../src/trace/model/columns';
import { traceNames } from '../../../../src/trace/model/dictionary';
import { operationCode } from '../../../../src/trace/model/operation';
import { LineScanner } from '../../../../src/trace/text/lineScanner';
import { guestTrace, GUESTS, type ReadRow, readRow } from '../../../builders/traceRows';
import { type EventFormat, eventFormats, type EventRecord, type FieldValue, print } from './printFormats';

const OUT = new RowBuilder(4);

/** A row of the event whose payload this is; undefined when the rule refuses it. */
function readPayload(event: string, payload: string): ReadRow | undefined {
  const rule = KERNEL_EVENTS.get(event);
  assert(rule, `there is a rule for ${event}`);
  const names = traceNames();
  const bytes = new Uint8Array(Buffer.from(`xx${payload}\n0x1`, 'latin1'));
  const scanner = new LineScanner();
  scanner.reset(bytes, 2, 2 + Buffer.byteLength(payload, 'latin1'));
  OUT.clear();
  const row = OUT.begin(0, 0, operationCode(rule.operation));
  return rule.read(scanner, OUT, row, names) ? readRow(OUT, row, names) : undefined;
}

/** Every format of every guest once: kernels 6.1, 6.12 and 7.2. */
const FORMATS = new Map<string, EventFormat>();
for (const guest of GUESTS)
  for (const format of eventFormats(guestTrace(guest, 'event_formats.txt')))
    FORMATS.set(
      `${format.name} ${format.format} ${format.args.join()}`.replace(/__UNIQUE_ID\w+/g, ''),
      format,
    );

const U64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 2n });
const DEVICE = fc.constantFrom(
  '0000:00:02.0',
  '0001:e3:1f.7',
  '9050000.smmuv3',
  '16c0000.dma-controller',
  'a',
);
const SIZE = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 40n }),
  fc.integer({ min: 0, max: 40 }).map((bit) => 4096n << BigInt(bit % 28)),
);

/** A random value for each field of a format. */
function recordOf({ name, fields }: EventFormat): fc.Arbitrary<EventRecord> {
  const values: Record<string, fc.Arbitrary<FieldValue>> = {};
  for (const { type, name: field } of fields) {
    if (type.includes('char[]')) values[field] = DEVICE;
    else if (type.includes('[]')) values[field] = fc.array(U64, { minLength: 1, maxLength: 5 });
    else if (type.includes('enum')) values[field] = fc.bigInt({ min: 0n, max: 3n });
    else if (field === 'type') values[field] = fc.bigInt({ min: 0n, max: 3n });
    else if (field === 'truncated') values[field] = fc.bigInt({ min: 0n, max: 1n });
    else if (field.endsWith('size')) values[field] = SIZE;
    else if (/^(domain_id|gid|users|flags|full_|err|pasid|attrs|seq|pages|mask)/.test(field))
      values[field] = fc.bigInt({ min: 0n, max: 40n });
    else if (field === 'virt_addr') values[field] = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
    else values[field] = U64;
  }
  // A range has as many sizes as beginnings; the driver's unit and its device are two.
  return fc.record(values).map((record) => ({
    ...record,
    ...(Array.isArray(record['lengths']) && Array.isArray(record['dma_addrs'])
      ? { lengths: (record['dma_addrs'] as bigint[]).map((each) => each % 2n ** 32n) }
      : {}),
    ...(name.startsWith('cache_tag') ? { iommu: 'dmar0' } : {}),
  }));
}

const first = (value: FieldValue | undefined): bigint | undefined =>
  typeof value === 'bigint' ? value : typeof value === 'string' ? undefined : value?.[0];
const DIRECTIONS = [['read', 'write'], ['read'], ['write'], undefined];

describe('payloads of kernel events', () => {
  it('there is a rule for every event of the guests that is about an IOMMU or the DMA API', () => {
    assert(FORMATS.size >= 30);
    for (const { name } of FORMATS.values()) assert(KERNEL_EVENTS.has(name), name);
  });

  for (const [key, format] of FORMATS) {
    const { name } = format;
    const kernelsOwn = name.startsWith('cache_tag_') || name === 'qi_submit' || name === 'prq_report';
    it(`${key.slice(0, 90)}: what is printed of a record is read back`, () => {
      fc.assert(
        fc.property(recordOf(format), (record) => {
          const payload = print(format, record);
          const row = readPayload(name, payload);
          assert(row, payload);
          if (kernelsOwn) return;
          assert.equal(row.device, record['device'], payload);
          const mislabelled = name === 'dma_map_sg_err';
          const iova = first(record['iova'] ?? record['dma_addr'] ?? record['addr'] ?? record['dma_addrs']);
          assert.equal(row.iova, iova, payload);
          const paddr = first(
            record['paddr'] ?? record['phys_addr'] ?? record['phys_addrs'] ?? record['addrs'],
          );
          assert.equal(row.paddr, paddr, payload);
          const size = first(record['size'] ?? record['lengths']);
          assert.equal(row.size, size === undefined ? undefined : Number(size), payload);
          const done = first(record['unmapped_size']);
          if (done !== undefined) assert.equal(row.done, done === record['size'] ? undefined : Number(done));
          const direction = first(record['dir']);
          if (direction !== undefined && payload.includes('dir=')) {
            const flags = (row.flags ?? []).filter((flag) => flag === 'read' || flag === 'write');
            assert.deepEqual(flags, DIRECTIONS[Number(direction)] ?? [], payload);
          }
          assert.equal(row.flags?.includes('failed') ?? false, name.endsWith('_err'), payload);
          const ranges = record['dma_addrs'];
          assert.equal(row.flags?.includes('list') ?? false, Array.isArray(ranges) && ranges.length > 1);
          if (mislabelled) assert.equal(row.count, Number(first(record['err'])));
        }),
        { numRuns: 60 },
      );
    });
  }

  it('a payload that was cut is refused where the format shows that something is missing', () => {
    for (const payload of [
      'IOMMU: iova=0x00000000fff70000 - 0x00000000fff71000 paddr=0x0000000152adb000 size=4096',
      'IOMMU: iova=0x00000000ffef4000 - 0x00000000ffef5000 size=4096 unmapped_size=4096',
    ]) {
      const event = payload.includes('paddr') ? 'map' : 'unmap';
      const end = payload.lastIndexOf('=') + 1;
      assert(readPayload(event, payload));
      for (let length = 0; length <= end; length++)
        assert.equal(readPayload(event, payload.slice(0, length)), undefined);
    }
    const cut = 'IOMMU: iova=0x00000000fff70000 - 0x00000000fff71000 paddr=0x0000000152adb000 size=40';
    assert.equal(readPayload('map', cut), undefined, 'the size is not that of the range');
    const dma = '0000:00:02.0 dir=TO_DEVICE dma_addr=fffbe000 size=4096 phys_addr=152ad6000 attrs=';
    for (let length = 0; length < dma.length; length++)
      assert.equal(readPayload('dma_map_page', dma.slice(0, length)), undefined);
  });

  it('ranges at the end of the address space are read', () => {
    const payload = 'IOMMU: iova=0xfffffffffffff000 - 0x0000000000000000 paddr=0x0000000000001000 size=4096';
    assert.equal(readPayload('map', payload)?.iova, 0xffff_ffff_ffff_f000n);
  });

  it('older kernels printed no end of the range', () => {
    const row = readPayload('map', 'IOMMU: iova=0x00000000fff70000 paddr=0x0000000152adb123 size=4096');
    assert.deepEqual([row?.iova, row?.paddr, row?.size], [0xfff7_0000n, 0x1_52ad_b123n, 4096]);
    const undone = readPayload('unmap', 'IOMMU: iova=0x00000000fff70000 size=8192 unmapped_size=4096');
    assert.deepEqual([undone?.iova, undone?.size, undone?.done], [0xfff7_0000n, 8192, 4096]);
  });

  it('a page fault names its device, with and without a driver', () => {
    const tail = 'iova=0x00000000dead0008 flags=0x0001';
    const expected = { operation: 'fault', device: '0000:01:00.0', iova: 0xdead_0008n, flags: ['write'] };
    assert.deepEqual(readPayload('io_page_fault', `IOMMU:vfio-pci 0000:01:00.0 ${tail}`), expected);
    assert.deepEqual(readPayload('io_page_fault', `IOMMU: 0000:01:00.0 ${tail}`), expected);
    const read = readPayload('io_page_fault', 'IOMMU:ahci 0000:00:1f.2 iova=0x0000000000001000 flags=0x0000');
    assert.deepEqual(read?.flags, ['read']);
  });

  it('mappings that failed say so', () => {
    const failed = '0000:00:02.0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=4096 phys_addr=1000 attrs=';
    assert.deepEqual(readPayload('dma_map_phys', failed)?.flags, ['read', 'failed']);
    const none =
      '0000:00:02.0 dir=BIDIRECTIONAL dma_addr=0 size=4096 virt_addr=(null) flags=GFP_KERNEL attrs=';
    assert.deepEqual(readPayload('dma_alloc', none)?.flags, ['read', 'write', 'failed']);
  });

  it('the driver of Intel had a DMA API of its own', () => {
    const row = readPayload(
      'map_sg',
      'dev=0000:00:02.0 [2/4] dev_addr=0xfff70000 phys_addr=0x12345678 size=8192',
    );
    const expected = { device: '0000:00:02.0', iova: 0xfff7_0000n, paddr: 0x1234_5678n, size: 8192 };
    assert.deepEqual(row, { operation: 'dma-map', ...expected });
    const unmapped = readPayload('unmap_single', 'dev=0000:00:02.0 dev_addr=0xfff70000 size=8192');
    assert.deepEqual(unmapped, {
      operation: 'dma-unmap',
      device: '0000:00:02.0',
      iova: 0xfff7_0000n,
      size: 8192,
    });
  });

  it('records that trace-cmd prints by their fields are read: numbers in decimal, arrays as bytes', () => {
    const bytes = '00, 10, 00, 00, 01, 00, 00, 80, 00, 20, 00, 00, 00, 00, 00, 00';
    const payload = `[FAILED TO PARSE] device=0000:00:02.0 full_nents=1 full_ents=2 truncated=0 phys_addrs=ARRAY[00, 00, ff, 0f, 00, 00, 00, 00] dma_addrs=ARRAY[${bytes}] lengths=ARRAY[00, 00, 01, 00, 00, 10, 00, 00] dir=2 attrs=0x100`;
    assert.deepEqual(readPayload('dma_map_sg', payload), {
      operation: 'dma-map',
      device: '0000:00:02.0',
      iova: 0x8000_0001_0000_1000n,
      size: 0x10000,
      paddr: 0xfff_0000n,
      flags: ['write', 'list'],
      count: 2,
    });
    const plain = '[FAILED TO PARSE] device=a addr=18446744073709547520 size=4096 dir=1 attrs=0x0';
    const row = readPayload('dma_unmap_page', plain);
    assert.deepEqual([row?.iova, row?.size], [0xffff_ffff_ffff_f000n, 4096]);
  });

  it('lists as libtraceevent prints them are read', () => {
    const payload =
      '0000:00:02.0 dir=FROM_DEVICE nents=2/2 ents=2/2 dma_addrs=4292608000 4293000 sizes=65536 4096 phys_addrs=1 2 attrs=';
    const row = readPayload('dma_map_sg', payload);
    assert.deepEqual([row?.iova, row?.size, row?.paddr, row?.count], [4_292_608_000n, 65_536, 1n, 2]);
  });
});

describe('what the Intel driver asks of the caches', () => {
  const submit = (name: string, words: readonly bigint[]): ReadRow => {
    const row = readPayload(
      'qi_submit',
      `${name} dmar0: ${words.map((word) => `0x${word.toString(16)}`).join(' ')}`,
    );
    assert(row);
    return row;
  };
  const id = fc.integer({ min: 0, max: 0xffff });
  const pasid = fc.integer({ min: 0, max: 0xf_ffff });
  const page = fc.bigInt({ min: 0n, max: 2n ** 52n - 1n });
  const bdf = (sid: number): string =>
    `${(sid >> 8).toString(16).padStart(2, '0')}:${((sid >> 3) & 31).toString(16).padStart(2, '0')}.${sid & 7}`;

  it('descriptors of the IOTLB that the engine encodes say their range, domain and PASID', () => {
    const order = fc.integer({ min: 0, max: 40 });
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 3), id, order, page, fc.boolean(), (G, DID, AM, at, IH) => {
        const row = submit(
          'iotlb_inv',
          vtdCommands.iotlb({ G, DID, AM, IH, ADDR: at << 12n, DR: true, DW: true }),
        );
        const start = (at >> BigInt(AM)) << BigInt(AM + 12);
        assert.deepEqual(row, {
          operation: 'flush',
          ...(G === 1 ? { flags: ['global'] } : { domain: DID }),
          ...(G === 2 ? { flags: ['domainWide'] } : {}),
          ...(G === 3 ? { iova: start, size: 4096 * 2 ** AM } : {}),
        });
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(2, 3), id, pasid, order, page, (G, DID, PASID, AM, at) => {
        const row = submit('p_iotlb_inv', vtdCommands.pasidIotlb({ G, DID, PASID, AM, ADDR: at << 12n }));
        const start = (at >> BigInt(AM)) << BigInt(AM + 12);
        assert.deepEqual(row, {
          operation: 'flush',
          domain: DID,
          pasid: PASID,
          ...(G === 3 ? { iova: start, size: 4096 * 2 ** AM } : {}),
          flags: G === 3 ? ['stage1'] : ['stage1', 'domainWide'],
        });
      }),
    );
  });

  it('descriptors for devices say the device, and the size that stands in the address', () => {
    fc.assert(
      fc.property(id, pasid, fc.integer({ min: 0, max: 30 }), page, (SID, PASID, order, at) => {
        const start = (at >> BigInt(order)) << BigInt(order + 12);
        // PCIe 6.0 §10.3.1: of a block of 2^n pages the n - 1 lowest bits are set, and the next is clear.
        const ADDR = order === 0 ? start : start | (((1n << BigInt(order - 1)) - 1n) << 12n);
        const expected = { operation: 'flush', device: bdf(SID), iova: start, size: 4096 * 2 ** order };
        assert.deepEqual(submit('dev_tlb_inv', vtdCommands.deviceTlb({ SID, S: order > 0, ADDR })), expected);
        assert.deepEqual(
          submit('p_dev_tlb_inv', vtdCommands.pasidDeviceTlb({ SID, PASID, S: order > 0, ADDR })),
          { ...expected, pasid: PASID },
        );
      }),
    );
  });

  it('other descriptors drop no translations', () => {
    assert.deepEqual(submit('cc_inv', vtdCommands.contextCache({ G: 3, DID: 5, SID: 0x18, FM: 0 })), {
      operation: 'other',
      domain: 5,
      device: '00:03.0',
    });
    assert.deepEqual(submit('pc_inv', vtdCommands.pasidCache({ G: 1, DID: 5, PASID: 7 })), {
      operation: 'other',
      domain: 5,
      pasid: 7,
    });
    assert.deepEqual(submit('inv_wait', vtdCommands.wait({ SW: true, SDATA: 2 })), { operation: 'other' });
    assert.deepEqual(submit('iec_inv', vtdCommands.interruptEntryCache({ G: 1 })), { operation: 'other' });
  });

  it('a name that is not that of the descriptor is refused', () => {
    assert.equal(readPayload('qi_submit', 'iotlb_inv dmar0: 0x40036 0xffe10044 0x0 0x0'), undefined);
  });

  it('flushes by tags say the block that is flushed', () => {
    const tag = 'dmar0 0000:00:02.0[3] type devtlb did 4';
    const row = readPayload(
      'cache_tag_flush_range',
      `${tag} [0xffe21000-0xffe2ffff] addr 0xffe20000 pages 0x10 mask 0x4`,
    );
    assert.deepEqual(row, {
      operation: 'flush',
      device: '0000:00:02.0',
      iova: 0xffe2_0000n,
      size: 0x10000,
      domain: 4,
      pasid: 3,
    });
    const all = readPayload(
      'cache_tag_flush_range',
      'dmar1 dmar1[0] type nesting_iotlb did 9 [0x0-0xffffffffffffffff] addr 0x0 pages 0xffffffffffffffff mask 0x34',
    );
    assert.deepEqual(all, { operation: 'flush', domain: 9, pasid: 0, flags: ['stage1', 'domainWide'] });
    const domain = readPayload('cache_tag_flush_all', 'dmar0/dmar0 type iotlb did 4 pasid 0 ref 2');
    assert.deepEqual(domain, { operation: 'flush', domain: 4, pasid: 0, flags: ['domainWide'] });
  });

  it('tags of devices attach them, a tag of the unit attaches none', () => {
    const device = readPayload('cache_tag_assign', 'dmar0/0000:00:02.0 type devtlb did 4 pasid 0 ref 1');
    assert.deepEqual(device, { operation: 'attach', device: '0000:00:02.0', domain: 4, pasid: 0 });
    const unit = readPayload('cache_tag_assign', 'dmar0/dmar0 type iotlb did 4 pasid -1 ref 1');
    assert.deepEqual(unit, { operation: 'other', domain: 4 });
  });

  it('page requests are no faults', () => {
    const row = readPayload(
      'prq_report',
      'dmar0/0000:00:02.0 seq# 12: rid=0x10 addr=0x7f1234567 rw--l pasid=0x1 index=0x0',
    );
    const expected = { device: '0000:00:02.0', iova: 0x7f12_3456_7000n, pasid: 1, flags: ['read', 'write'] };
    assert.deepEqual(row, { operation: 'other', ...expected });
    const words =
      '[FAILED TO PARSE] dw0=4294967313 dw1=3 dw2=0 dw3=0 seq=0xc iommu=dmar0 dev=0000:00:02.0 buff=';
    assert.deepEqual(readPayload('prq_report', words), { operation: 'other', device: '0000:00:02.0' });
  });
});

describe('samples of the guests', () => {
  it('every payload of a known event is read, with the address that stands in its text', () => {
    let read = 0;
    for (const guest of GUESTS) {
      for (const line of guestTrace(guest, 'ftrace_sample_alldma.txt').split('\n')) {
        const match = /: (\w+): (.*)$/.exec(line);
        if (!match?.[1] || !KERNEL_EVENTS.has(match[1])) continue;
        const [, event, payload = ''] = match;
        const row = readPayload(event, payload);
        // The last line of a sample may be cut.
        if (!row && line === guestTrace(guest, 'ftrace_sample_alldma.txt').trimEnd().split('\n').at(-1))
          continue;
        assert(row, line);
        const iova = /(?:iova=0x|dma_addr=|dma_addrs=\{0x)([0-9a-f]+)/.exec(payload)?.[1];
        if (iova !== undefined) assert.equal(row.iova, BigInt(`0x${iova}`), line);
        const flushed = /\] addr 0x([0-9a-f]+) pages 0x([0-9a-f]+)/.exec(payload);
        if (flushed) assert.equal(row.size, Number(`0x${flushed[2]}`) * 4096);
        read++;
      }
    }
    assert(read > 3000);
  });

  it('what the queue is given is what the tag says, on the machine that traces both', () => {
    const lines = guestTrace('vtd-sm-fl', 'ftrace_sample_alldma.txt').split('\n');
    let pairs = 0;
    lines.forEach((line, index) => {
      const submitted = /: qi_submit: (p_iotlb_inv .*)$/.exec(line)?.[1];
      if (submitted === undefined) return;
      const near = lines.slice(Math.max(0, index - 4), index + 5);
      const tags = near.flatMap((each) => /: cache_tag_flush_range: (.*)$/.exec(each)?.[1] ?? []);
      const flush = readPayload('qi_submit', submitted);
      if (tags.length === 0 || flush?.iova === undefined) return;
      const said = tags.map((tag) => readPayload('cache_tag_flush_range', tag));
      assert(
        said.some(
          (row) => row?.iova === flush.iova && row?.size === flush.size && row?.domain === flush.domain,
        ),
      );
      pairs++;
    });
    assert(pairs > 20);
  });
});
