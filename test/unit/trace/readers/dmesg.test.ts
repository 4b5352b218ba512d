import assert from 'node:assert/strict';
import { bytesSource } from '../../../../src/bytes/byteSource';
import { encodeFault } from '../../../../src/engine/iommu/vendors/smmuv3/faults';
import { pasid, requesterId } from '../../../../src/engine/values';
import { RowBuilder } from '../../../../src/trace/model/columns';
import { traceNames } from '../../../../src/trace/model/dictionary';
import { openTrace } from '../../../../src/trace/readers/index';
import { guestTrace, GUESTS, type ReadRow, readRow, readTrace } from '../../../builders/traceRows';

/** The row of one message, in a log with seconds since boot. */
function rowOf(message: string): ReadRow {
  const { trace, rows } = readTrace(`[    0.000000] Linux version 6.12.0\n[   12.345678] ${message}\n`);
  assert.equal(trace.format, 'dmesg');
  assert.equal(rows.length, 2);
  const { time, ...row } = rows[1] ?? { operation: 'unknown' };
  assert.equal(time, 12_345_678_000);
  return row;
}

describe('kernel logs of the guests', () => {
  for (const guest of GUESTS) {
    it(`${guest}: every line is a row with its time; faults and groups are those of the text`, () => {
      const text = guestTrace(guest, 'dmesg_iommu.txt');
      const written = text.split('\n').filter((line) => line !== '');
      const { trace, rows, lines } = readTrace(text);
      assert.equal(trace.format, 'dmesg');
      assert.equal(trace.timeDigits, 6);
      assert.deepEqual(lines, written);
      const groups: unknown[] = [];
      const faults: unknown[] = [];
      written.forEach((line, index) => {
        const [, seconds, micros] = /^\[ *(\d+)\.(\d+)\]/.exec(line) ?? [];
        assert.equal(rows[index]?.time, Number(seconds) * 1e9 + Number(micros) * 1000);
        const group = /\S+ (\S+): Adding to iommu group (\d+)$/.exec(line);
        if (group) groups.push([index, group[1], Number(group[2])]);
        const dmar =
          /DMA (\w+) (?:NO_PASID|PASID 0x(\w+))\] Request device \[(.*?)\] fault addr 0x(\w+) \[fault reason 0x(\w+)\]/.exec(
            line,
          );
        if (dmar) {
          const [, access = '', pasid, device, iova, reason = ''] = dmar;
          const number = pasid === undefined ? undefined : parseInt(pasid, 16);
          faults.push([
            index,
            device,
            BigInt(`0x${iova}`),
            [access.toLowerCase()],
            parseInt(reason, 16),
            number,
          ]);
        }
        const riscv = /Fault (\d+) devid: (\w+) iotval: (\w+)/.exec(line);
        if (riscv) {
          // Cause 13 is a page fault of a read (RISC-V IOMMU 1.0, table 11).
          assert.equal(riscv[1], '13');
          faults.push([index, `devid ${riscv[2]}`, BigInt(`0x${riscv[3]}`), ['read'], 13, undefined]);
        }
        // The four words of Arm IHI 0070 7.3 below an event's first line; the fault stands at the last.
        if (!/smmuv3: event 0x\w\w received:$/.test(line)) return;
        const words = written.slice(index + 1, index + 5).map((each) => BigInt(each.split('\t')[1] ?? ''));
        const [first = 0n, second = 0n, third = 0n] = words;
        const access = (second >> 35n) & 1n ? 'read' : 'write';
        const stage = (second >> 39n) & 1n ? 'stage2' : 'stage1';
        faults.push([
          index + 4,
          `sid 0x${(first >> 32n).toString(16)}`,
          third,
          [access, stage],
          Number(first & 0xffn),
          undefined,
        ]);
      });
      const facts = rows.map((row, index) => ({ ...row, index }));
      assert.deepEqual(
        facts
          .filter(({ operation }) => operation === 'attach')
          .map(({ index, device, count }) => [index, device, count]),
        groups,
      );
      assert.deepEqual(
        facts
          .filter(({ operation }) => operation === 'fault')
          .map(({ index, device, iova, flags, count, pasid }) => [index, device, iova, flags, count, pasid]),
        faults,
      );
      assert(groups.length >= 7);
    });
  }
});

describe('faults as kernels of all ages print them', () => {
  const dmar = (rest: object): ReadRow => ({
    operation: 'fault',
    event: 'DMAR',
    device: '00:1f.2',
    iova: 0xffc0_0000n,
    flags: ['write'],
    ...rest,
  });

  it('VT-d: reasons in decimal and hexadecimal, PASIDs in front and behind', () => {
    const now =
      'DMAR: [DMA Write NO_PASID] Request device [00:1f.2] fault addr 0xffc00000 [fault reason 0x21] x';
    assert.deepEqual(rowOf(now), dmar({ count: 0x21 }));
    const padded =
      'DMAR: [DMA Write PASID 0x1b] Request device [0x00:0x1f.2] fault addr 0xffc00000 [fault reason 0x71] SM: x';
    assert.deepEqual(rowOf(padded), dmar({ count: 0x71, pasid: 0x1b }));
    const before =
      'DMAR: [DMA Write] Request device [00:1f.2] PASID ffffffff fault addr ffc00000 [fault reason 12] x';
    assert.deepEqual(rowOf(before), dmar({ count: 12 }));
    const process =
      'DMAR: [DMA Write] Request device [00:1f.2] PASID 1b fault addr ffc00000 [fault reason 12] x';
    assert.deepEqual(rowOf(process), dmar({ count: 12, pasid: 0x1b }));
    const older =
      'DMAR: [DMA Write] Request device [00:1f.2] fault addr ffc00000 [fault reason 05] PTE Write';
    assert.deepEqual(rowOf(older), dmar({ count: 5 }));
    assert.deepEqual(rowOf('DMAR:[DMA Write] Request device [00:1f.2] fault addr ffc00000 '), dmar({}));
    const reason = rowOf('DMAR:[fault reason 05] PTE Write access is not set');
    assert.deepEqual(reason, { operation: 'other', event: 'DMAR', count: 5 });
  });

  it('VT-d: interrupts that are refused', () => {
    const fault = { operation: 'fault', event: 'INTR-REMAP', device: 'f0:1f.0' };
    const now = 'DMAR: [INTR-REMAP] Request device [f0:1f.0] fault index 0x0 [fault reason 0x25] Blocked a';
    assert.deepEqual(rowOf(now), { ...fault, count: 0x25 });
    const padded =
      'DMAR: [INTR-REMAP] Request device [0xf0:0x1f.0] fault index 0xa00 [fault reason 0x25] Blocked';
    assert.deepEqual(rowOf(padded), { ...fault, count: 0x25 });
    const before = 'DMAR: [INTR-REMAP] Request device [f0:1f.0] fault index 1600 [fault reason 37] Blocked a';
    assert.deepEqual(rowOf(before), { ...fault, count: 37 });
    assert.deepEqual(rowOf('dmar: INTR-REMAP: Request device [[f0:1f.0] fault index 0'), fault);
  });

  it('AMD-Vi: the device in the brackets or in front; RW where it counts (48882 §2.5.3)', () => {
    const fault = { operation: 'fault', event: 'IO_PAGE_FAULT', iova: 0xfee0_0008n };
    // PR and RW; RW without PR; PR without RW.
    const told =
      'nvme 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000c address=0xfee00008 flags=0x0030]';
    assert.deepEqual(rowOf(told), {
      ...fault,
      device: '0000:01:00.0',
      domain: 12,
      flags: ['write'],
      count: 0x30,
    });
    const inside =
      'AMD-Vi: Event logged [IO_PAGE_FAULT device=03:00.1 domain=0x0000 address=0xfee00008 flags=0x0020]';
    assert.deepEqual(rowOf(inside), { ...fault, device: '03:00.1', domain: 0, count: 0x20 });
    const read = inside.replace('flags=0x0020', 'flags=0x0050');
    assert.deepEqual(rowOf(read), { ...fault, device: '03:00.1', domain: 0, flags: ['read'], count: 0x50 });
    const guest = inside.replace('flags=0x0020', 'flags=0x0011').replace('domain=0x0000', 'domain=0x0007');
    assert.deepEqual(rowOf(guest), { ...fault, device: '03:00.1', pasid: 7, flags: ['read'], count: 0x11 });
  });

  it('AMD-Vi: other events about requests are faults, those about commands are not', () => {
    const entry =
      'pci 0000:00:00.2: AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=03:00.0 pasid=0x00000 address=0xfffffffdf8000000 flags=0x0080]';
    assert.deepEqual(rowOf(entry), {
      operation: 'fault',
      event: 'ILLEGAL_DEV_TABLE_ENTRY',
      device: '03:00.0',
      iova: 0xffff_fffd_f800_0000n,
      pasid: 0,
      count: 0x80,
    });
    const table = 'AMD-Vi: Event logged [DEV_TAB_HARDWARE_ERROR device=03:00.0 address=0x1000 flags=0x0000]';
    const facts = { event: 'DEV_TAB_HARDWARE_ERROR', device: '03:00.0', paddr: 0x1000n, count: 0 };
    assert.deepEqual(rowOf(table), { operation: 'fault', ...facts });
    const command = 'pci 0000:00:00.2: AMD-Vi: Event logged [ILLEGAL_COMMAND_ERROR address=0x2000]';
    assert.deepEqual(rowOf(command), {
      operation: 'other',
      event: 'ILLEGAL_COMMAND_ERROR',
      device: '0000:00:00.2',
      paddr: 0x2000n,
    });
  });

  it('SMMUv2: WNR of the syndrome says the access, CBFRSYNRA the stream', () => {
    const now =
      'arm-smmu 5000000.smmu: Unhandled context fault: fsr=0x402, iova=0x08000000, fsynr=0x610030, cbfrsynra=0x10800, cb=5';
    const fault = { operation: 'fault', event: 'context-fault', iova: 0x0800_0000n };
    assert.deepEqual(rowOf(now), { ...fault, device: 'sid 0x800', flags: ['write'], count: 0x402 });
    const before = 'arm-smmu 5000000.smmu: Unhandled context fault: iova=0x08000000, fsynr=0x1, cb=5';
    assert.deepEqual(rowOf(before), { ...fault, flags: ['read'] });
  });

  it('virtio-iommu and RISC-V', () => {
    assert.deepEqual(rowOf('virtio_iommu virtio0: page fault from EP 8 at 0x1000 [W]'), {
      operation: 'fault',
      event: 'virtio-iommu-fault',
      device: 'endpoint 8',
      iova: 0x1000n,
      flags: ['write'],
    });
    assert.deepEqual(rowOf('riscv,iommu 3010000.iommu: Fault 15 devid: 0x30 iotval: 5000 iotval2: 0'), {
      operation: 'fault',
      event: 'riscv-fault',
      device: 'devid 0x30',
      iova: 0x5000n,
      flags: ['write'],
      count: 15,
    });
  });

  it('groups, before and after they were put in other words', () => {
    const facts = { event: 'iommu-group', device: '0000:00:02.0', count: 3 };
    assert.deepEqual(rowOf('pci 0000:00:02.0: Adding to iommu group 3'), { operation: 'attach', ...facts });
    assert.deepEqual(rowOf('iommu: Adding device 0000:00:02.0 to group 3'), {
      operation: 'attach',
      ...facts,
    });
    const removed = { operation: 'detach', ...facts };
    assert.deepEqual(rowOf('pci 0000:00:02.0: Removing from iommu group 3'), removed);
    assert.deepEqual(rowOf('iommu: Removing device 0000:00:02.0 from group 3'), removed);
  });

  it('what was not printed is marked as lost', () => {
    const lost = { operation: 'lost' };
    assert.deepEqual(rowOf('amd_iommu_report_page_fault: 26 callbacks suppressed'), { ...lost, count: 26 });
    assert.deepEqual(rowOf('dmar_fault: 3 callbacks suppressed'), { ...lost, count: 3 });
    assert.deepEqual(rowOf('arm-smmu-v3 9050000.smmuv3: EVTQ overflow detected -- events lost'), lost);
    assert.equal(rowOf('net_ratelimit: 26 callbacks suppressed').operation, 'other');
    const { rows } = readTrace('[    0.000000] Linux version 6\n** 1196 printk messages dropped **\n');
    assert.deepEqual(rows[1], { ...lost, count: 1196 });
  });

  it('long words in front of a colon take no longer than others', () => {
    const line = `[    1.000000] a ${':'.repeat(1020)}\n`;
    const text = `[    0.000000] Linux version 6\n${line.repeat(20_000)}`;
    const start = process.cpuUsage();
    readTrace(text);
    const { user } = process.cpuUsage(start);
    assert.ok(user < 4_000_000, `${user} µs`);
  });

  it('what has nothing to do with an IOMMU is a row of its subsystem', () => {
    assert.deepEqual(rowOf('ACPI: PM: ACPI Timer'), { operation: 'other', event: 'ACPI' });
    assert.deepEqual(rowOf('nvme 0000:01:00.0: 8/0/0 queues'), { operation: 'other', event: 'nvme' });
    assert.deepEqual(rowOf('random text'), { operation: 'other', event: 'printk' });
  });
});

describe('events of an SMMUv3', () => {
  const UNIT = 'arm-smmu-v3 9050000.smmuv3:';
  const stamped = (lines: readonly string[]): string =>
    ['Booting Linux', ...lines]
      .map((line, index) => `[   27.${String(index).padStart(6, '0')}] ${line}\n`)
      .join('');
  const block = (words: readonly bigint[]): string[] => [
    `${UNIT} event 0x${((words[0] ?? 0n) & 0xffn).toString(16).padStart(2, '0')} received:`,
    ...words.map((word) => `${UNIT} \t0x${word.toString(16).padStart(16, '0')}`),
  ];
  const WORDS = [0x0000_0038_0000_0013n, 0x0000_0080_0000_0000n, 0xabcd_e123_4567n, 0n];

  it('records that the engine encodes are read back: substreams, and events before translation', () => {
    const request = {
      requester: requesterId(0x102),
      pasid: pasid(5),
      addressLo: 0x1234_5678,
      addressHi: 0x9,
      length: 4,
      access: 'write',
      kind: 'untranslated',
    } as const;
    for (const [fault, event, count] of [
      ['not-present', 'F_TRANSLATION', 0x10],
      ['write-denied', 'F_PERMISSION', 0x13],
      ['process-entry-invalid', 'C_BAD_CD', 0x0a],
    ] as const) {
      const words = encodeFault({ request, fault, stage: 1, depth: 0, implicit: false }, new Map());
      assert(words);
      const { rows } = readTrace(stamped(block(words)));
      const { time, ...row } = rows.at(-1) ?? { operation: 'unknown' };
      assert.equal(time, 27_000_005_000);
      assert.deepEqual(row, {
        operation: 'fault',
        event,
        device: 'sid 0x102',
        pasid: 5,
        count,
        ...(count >= 0x0b ? { iova: 0x9_1234_5678n, flags: ['write', 'stage1'] } : {}),
      });
    }
  });

  it('other lines may stand between, another event ends one that was cut', () => {
    const [start = '', ...words] = block(WORDS);
    const { rows } = readTrace(
      stamped([
        start,
        ...words.slice(0, 2),
        'usb 1-1: new device',
        ...words.slice(2),
        start,
        ...words.slice(0, 3),
      ]),
    );
    assert.deepEqual(
      rows.map(({ operation }) => operation),
      ['other', 'other', 'other', 'other', 'other', 'other', 'fault', 'other', 'other', 'other', 'other'],
    );
    const cut = readTrace(stamped([start, ...words.slice(0, 2), start, ...words]));
    assert.equal(cut.rows.filter(({ operation }) => operation === 'fault').length, 1);
    assert.equal(cut.rows.at(-1)?.iova, 0xabcd_e123_4567n);
  });

  it('an event that goes over the end of a chunk is one fault', () => {
    const text = stamped([...block(WORDS), ...block(WORDS)]);
    const names = traceNames();
    const opened = openTrace(bytesSource('log', new Uint8Array(Buffer.from(text))), names);
    assert(opened.ok);
    for (let rows = 1; rows < 6; rows++) {
      const out = new RowBuilder(rows);
      const found: ReadRow[] = [];
      for (let at: typeof opened.value.start | undefined = opened.value.start; at;) {
        // What is kept of a position is plain JSON.
        at = opened.value.fill(JSON.parse(JSON.stringify(at)) as typeof at, out).next;
        for (let row = 0; row < out.rows; row++) found.push(readRow(out, row, names));
        out.clear();
      }
      assert.equal(found.length, 11);
      const faults = found.filter(({ operation }) => operation === 'fault');
      assert.deepEqual(
        faults.map(({ iova, flags }) => [iova, flags]),
        [0, 1].map(() => [0xabcd_e123_4567n, ['write', 'stage2']]),
      );
    }
  });

  it('what newer kernels say below the words is no second fault', () => {
    const said = `${UNIT} event: F_TRANSLATION client: 0000:00:07.0 sid: 0x38 ssid: 0 iova: 0x51234000 ipa: 0`;
    const { rows } = readTrace(stamped([...block(WORDS), said, `${UNIT} unpriv data write s1 "x" stag: 0`]));
    assert.equal(rows.filter(({ operation }) => operation === 'fault').length, 1);
    const { device, iova } = rows.at(-2) ?? {};
    assert.deepEqual([device, iova], ['0000:00:07.0', 0x5123_4000n]);
  });
});

describe('fronts of the lines of kernel logs', () => {
  const FAULT =
    'DMAR: [DMA Read NO_PASID] Request device [00:07.0] fault addr 0x5000 [fault reason 0x06] PTE Read';
  const nanoseconds = (text: string): bigint => {
    const { trace, rows } = readTrace(text);
    assert.equal(trace.format, 'dmesg');
    const row = rows.at(-1);
    assert.deepEqual([row?.operation, row?.device, row?.iova], ['fault', '00:07.0', 0x5000n], text);
    return trace.origin + BigInt(row?.time ?? -1);
  };

  it('seconds since boot: priorities, callers, differences, colours, syslogs and journals around them', () => {
    for (const front of [
      '[   12.345678] ',
      '<3>[   12.345678] ',
      'kern  :err   : [   12.345678] ',
      '[   12.345678][    T1] ',
      '[   12.345678][   C12] ',
      '[   12.345678 <    0.000012>] ',
      '\u001b[32m[   12.345678] \u001b[0m\u001b[31m',
      '[   12.345678] myhost kernel: ',
      'Oct 22 08:54:51 myhost kernel: [   12.345678] ',
      '2026-10-22T08:54:51.123456+02:00 myhost kernel: [   12.345678] ',
    ]) {
      assert.equal(nanoseconds(`${front}Linux version 6.12\n${front}${FAULT}\n`), 12_345_678_000n, front);
    }
  });

  it('the clock on the wall, as dmesg -T, dmesg --time-format iso and journalctl print it', () => {
    const at = BigInt(Date.UTC(2026, 9, 22, 8, 54, 51)) * 1_000_000n;
    const before = 'Linux version 6.12\n';
    assert.equal(
      nanoseconds(`[Thu Oct 22 08:54:50 2026] ${before}[Thu Oct 22 08:54:51 2026] ${FAULT}\n`),
      at,
    );
    const iso = '2026-10-22T10:54:51,123456+02:00 ';
    assert.equal(nanoseconds(`${iso}${before}${iso}${FAULT}\n`), at + 123_456_000n);
    const short = '2026-10-22T08:54:51+0000 myhost kernel: ';
    assert.equal(nanoseconds(`${short}${before}${short}${FAULT}\n`), at);
  });

  it('days without a year count from the first', () => {
    const { trace, rows } = readTrace(
      `-- Logs begin at Thu 2026-10-22 --\nDec 31 23:59:58 myhost kernel: Linux version 6.12\nDec 31 23:59:59 myhost systemd[1]: Started it.\nJan  1 00:00:01 myhost kernel: ${FAULT}\n`,
    );
    assert.equal(trace.origin, 0n);
    assert.deepEqual(
      rows.map(({ operation, event, time }) => [operation, event, time]),
      [
        ['other', 'printk', 0],
        ['other', 'systemd', 1e9],
        ['fault', 'DMAR', 3e9],
      ],
    );
  });

  it('a log without any time is read, and a text that speaks of no IOMMU is none', () => {
    const { trace, rows } = readTrace(`DMAR: DRHD: handling fault status reg 2\n${FAULT}\nsomething else\n`);
    assert.equal(trace.format, 'dmesg');
    assert.deepEqual(
      rows.map(({ operation, time }) => [operation, time]),
      [
        ['other', undefined],
        ['fault', undefined],
        ['other', undefined],
      ],
    );
    for (const text of ['one\ntwo\nthree\n', 'int main() {\n  return 0;\n}\n']) {
      assert(!openTrace(bytesSource('log', new Uint8Array(Buffer.from(text))), traceNames()).ok);
    }
  });

  it('in a log with times a line without one is kept as unknown', () => {
    const { rows } = readTrace(`[    0.000000] Linux version 6.12\nlogin: root\n[    1.000000] ${FAULT}\n`);
    assert.deepEqual(
      rows.map(({ operation }) => operation),
      ['other', 'unknown', 'fault'],
    );
  });
});
