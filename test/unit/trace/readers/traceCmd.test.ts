import assert from 'node:assert/strict';
import { guestTrace, GUESTS, readTrace } from '../../../builders/traceRows';

/** What a line of trace-cmd report says, by the test's own reading. */
function said(line: string) {
  const match = /^ *(.+)-(\d+) +\[(\d+)\] +(?:\S{4,5} +)?(\d+)\.(\d+): (\w+): +(.*)$/.exec(line);
  assert(match, line);
  const [, task = '', pid, cpu, seconds, fraction = '', event = '', payload = ''] = match;
  const time = Number(seconds) * 1e9 + Number(fraction.padEnd(9, '0'));
  return { task, pid: Number(pid), cpu: Number(cpu), time, event, payload };
}

/** The first 64-bit number of an array that is printed as bytes. */
function firstWord(payload: string, field: string): bigint | undefined {
  const bytes = new RegExp(`\\b${field}=ARRAY\\[([^\\]]*)\\]`).exec(payload)?.[1]?.split(', ').slice(0, 8);
  return bytes && BigInt(`0x${bytes.reverse().join('')}`);
}

describe('trace-cmd report', () => {
  for (const guest of GUESTS) {
    it(`${guest}: every line is an event with its time, task, CPU and addresses`, () => {
      const text = guestTrace(guest, 'trace-cmd-report.txt');
      // The samples of the RISC-V guests are cut behind some 40 KB.
      const whole = text.endsWith('\n') ? text : text.slice(0, text.lastIndexOf('\n') + 1);
      const events = whole.split('\n').slice(1, -1);
      const { trace, rows, lines } = readTrace(whole);
      assert.equal(trace.format, 'trace-cmd');
      assert.equal(trace.header, 'cpus=2\n');
      assert.equal(trace.timeDigits, 6);
      assert.equal(trace.namesDevices, whole.includes(': dma_'));
      assert.deepEqual(lines, events);
      rows.forEach((row, index) => {
        const { task, pid, cpu, time, event, payload } = said(events[index] ?? '');
        assert.deepEqual([row.task, row.pid, row.cpu, row.time, row.event], [task, pid, cpu, time, event]);
        const iova =
          /(?:iova=0x|dma_addr=)([0-9a-f]+)/.exec(payload)?.[1] ??
          firstWord(payload, 'dma_addrs')?.toString(16);
        assert.equal(row.iova?.toString(16), iova && BigInt(`0x${iova}`).toString(16), payload);
        const paddr =
          /(?:paddr=0x|phys_addr=)([0-9a-f]+)/.exec(payload)?.[1] ??
          (firstWord(payload, 'phys_addrs') ?? firstWord(payload, 'addrs'))?.toString(16);
        assert.equal(row.paddr?.toString(16), paddr && BigInt(`0x${paddr}`).toString(16), payload);
        assert.equal(row.device, /(0000:[0-9a-f:.]+)/.exec(payload)?.[1]);
      });
    });
  }

  const EVENT =
    'map:                  IOMMU: iova=0x0000000000001000 - 0x0000000000002000 paddr=0x0000000000005000 size=4096';

  it('versions, empty CPUs and losses stand between events; losses are rows', () => {
    const text = [
      'version = 6',
      'CPU 1 is empty',
      'cpus=8',
      `              dd-402   [000]    90.520583: ${EVENT}`,
      'CPU:7 [204600 EVENTS DROPPED]',
      'CPU:1 [EVENTS DROPPED]',
      `              dd-402   [001]    90.520584: ${EVENT}`,
      '',
    ].join('\n');
    const { trace, rows } = readTrace(text);
    assert.equal(trace.format, 'trace-cmd');
    assert.deepEqual(
      rows.map(({ operation, cpu, count }) => [operation, cpu, count]),
      [
        ['map', 0, undefined],
        ['lost', 7, 204_600],
        ['lost', 1, undefined],
        ['map', 1, undefined],
      ],
    );
  });

  it('without its first line, with nanoseconds and flags it is found, too', () => {
    const text = [
      `    kworker/1:1H-kb-56    [001] d.h2.    90.520583123: ${EVENT}`,
      `              my-1-402    [001] .....    90.520583999: sched_switch:         prev_comm=dd prev_pid=402`,
      `              dd-402      1d.h2    90.520584000: ${EVENT}`,
    ].join('\n');
    const { trace, rows } = readTrace(text);
    assert.equal(trace.format, 'trace-cmd');
    assert.equal(trace.timeDigits, 9);
    assert.deepEqual(
      rows.map(({ operation, event, task, pid, time }) => [operation, event, task, pid, time]),
      [
        ['map', 'map', 'kworker/1:1H-kb', 56, 90_520_583_123],
        ['other', 'sched_switch', 'my-1', 402, 90_520_583_999],
        ['map', 'map', 'dd', 402, 90_520_584_000],
      ],
    );
  });

  it('times since 1970 keep their nanoseconds', () => {
    const { trace, rows } = readTrace(`cpus=1\n  dd-4   [000] 1763843501.520583123: ${EVENT}\n`);
    assert.equal(trace.origin + BigInt(rows[0]?.time ?? 0), 1_763_843_501_520_583_123n);
  });

  it('what is no line of it is kept', () => {
    const text = `cpus=1\n  dd-4   [000]  1.500000: ${EVENT}\nnoise\n  dd-4   [000]  1.500001: ${EVENT.slice(0, 60)}\n`;
    const { rows, lines } = readTrace(text);
    assert.deepEqual(
      rows.map(({ operation }) => operation),
      ['map', 'unknown', 'unknown'],
    );
    assert.equal(lines[1], 'noise');
  });
});
