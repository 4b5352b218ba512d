import assert from 'node:assert/strict';
import { guestTrace, readTrace } from '../../../builders/traceRows';

const GUESTS = ['amd', 'vtd-legacy', 'vtd-sm-fl', 'vtd-sm-sl', 'vtd-small'] as const;
const MAP = 'IOMMU: iova=0x0000000000001000 - 0x0000000000002000 paddr=0x0000000000005000 size=4096';
const UNMAP = 'IOMMU: iova=0x0000000000001000 - 0x0000000000002000 size=4096 unmapped_size=4096';

describe('perf script', () => {
  for (const guest of GUESTS) {
    it(`${guest}: every line is an event with its time, task, CPU and addresses`, () => {
      const text = guestTrace(guest, 'perf-script.txt');
      const samples = text.split('\n').filter((line) => line !== '');
      const { trace, rows, lines } = readTrace(text);
      assert.equal(trace.format, 'perf');
      assert.deepEqual(lines, samples);
      rows.forEach((row, index) => {
        const match = /^ *(\S.*?) +(\d+) \[(\d+)\] +(\d+)\.(\d{6}): +iommu:(\w+): (.*)$/.exec(
          samples[index] ?? '',
        );
        assert(match, samples[index]);
        const [, task, pid, cpu, seconds, micros, event, payload = ''] = match;
        const time = Number(seconds) * 1e9 + Number(micros) * 1000;
        assert.deepEqual(
          [row.task, row.pid, row.cpu, row.time, row.event],
          [task, Number(pid), Number(cpu), time, event],
        );
        assert.equal(row.iova, BigInt(/iova=(0x[0-9a-f]+)/.exec(payload)?.[1] ?? '-1'));
        const paddr = /paddr=(0x[0-9a-f]+)/.exec(payload)?.[1];
        assert.equal(row.paddr, paddr === undefined ? undefined : BigInt(paddr));
        assert.equal(row.size, Number(/ size=(\d+)/.exec(payload)?.[1]));
      });
    });
  }

  it('names of tasks may have spaces, processes their own number, CPUs may be missing', () => {
    const text = [
      '# ========',
      '# captured on    : Sat Nov 22 20:15:34 2025',
      `       Web Content  1234/1240  [003]    73.055669123:          1 iommu:map: ${MAP}`,
      `CPU 0/KVM    77 [002]    73.055670000: iommu:unmap: ${UNMAP}`,
      `         swapper     0     73.055671000:    iommu:unmap: ${UNMAP}`,
      '             :-1    -1 [000] 73.055672000: cycles:P:  ffffffff81000000 native_halt+0x0 ([kernel.kallsyms])',
      '              dd    99 [000] 73.055673000: sched:sched_switch: prev_comm=dd prev_pid=99',
      '              dd    99 [000] 73.055674000: other:map: no iommu in this',
    ].join('\n');
    const { trace, rows, problems } = readTrace(`${text}\n`);
    assert.equal(trace.format, 'perf');
    assert.equal(trace.timeDigits, 9);
    assert.match(trace.header, /^# ========\n# captured on/);
    assert.deepEqual(
      rows.map(({ operation, event, task, pid, tgid, cpu, time }) => [
        operation,
        event,
        task,
        pid,
        tgid,
        cpu,
        time,
      ]),
      [
        ['map', 'map', 'Web Content', 1240, 1234, 3, 73_055_669_123],
        ['unmap', 'unmap', 'CPU 0/KVM', 77, undefined, 2, 73_055_670_000],
        ['unmap', 'unmap', 'swapper', 0, undefined, undefined, 73_055_671_000],
        ['other', 'cycles:P', ':-1', -1, undefined, 0, 73_055_672_000],
        ['other', 'sched_switch', 'dd', 99, undefined, 0, 73_055_673_000],
        ['other', 'map', 'dd', 99, undefined, 0, 73_055_674_000],
      ],
    );
    assert.deepEqual(problems, []);
  });

  it('call chains belong to the event above them', () => {
    const text = [
      `dd   398 [001]    73.126648: iommu:map: ${MAP}`,
      '\tffffffff81a2bb70 trace_event_raw_event_map+0x10 ([kernel.kallsyms])',
      '\t    7fd35bb27b30 [unknown] (/usr/bin/dd)',
      '',
      `dd   398 [001]    73.126649: iommu:unmap: ${UNMAP}`,
      '\tffffffff81a2bb70 trace_event_raw_event_unmap+0x10 ([kernel.kallsyms])',
      '',
    ].join('\n');
    const { trace, rows } = readTrace(text);
    assert.equal(trace.format, 'perf');
    assert.deepEqual(
      rows.map(({ operation }) => operation),
      ['map', 'unmap'],
    );
  });

  it('losses are rows where they are told', () => {
    const text = [
      `dd   398 [001]    73.126648: iommu:map: ${MAP}`,
      'dd   398 [001]    73.126649: PERF_RECORD_LOST lost 37',
      'LOST 12 events!',
      `dd   398 [001]    73.126650: iommu:unmap: ${UNMAP}`,
      'Processed 1201 events and lost 3 chunks!',
      '',
    ].join('\n');
    const { rows } = readTrace(text);
    assert.deepEqual(
      rows.map(({ operation, count, time }) => [operation, count, time]),
      [
        ['map', undefined, 73_126_648_000],
        ['lost', 37, 73_126_649_000],
        ['lost', 12, undefined],
        ['unmap', undefined, 73_126_650_000],
        ['lost', undefined, undefined],
      ],
    );
  });

  it('what is no line of it is kept', () => {
    const text = `dd   398 [001]    73.126648: iommu:map: ${MAP}\nnoise\ndd   398 [001]    73.126649: iommu:map: IOMMU: iova=\n`;
    const { rows } = readTrace(text);
    assert.deepEqual(
      rows.map(({ operation }) => operation),
      ['map', 'unknown', 'unknown'],
    );
  });
});
