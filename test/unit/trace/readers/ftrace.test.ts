import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { countsOf, readTrace as indexOf } from '../../../builders/readTrace';
import { GUESTS, guestTrace, readTrace } from '../../../builders/traceRows';

const CORPUS = path.join(__dirname, '../../../fixtures/corpus');
const MAP = 'map: IOMMU: iova=0x00000000ffe10000 - 0x00000000ffe11000 paddr=0x0000000152adb000 size=4096';
const MAPPED = { operation: 'map', event: 'map', iova: 0xffe10000n, paddr: 0x152adb000n, size: 4096 };
const ART = [
  '# tracer: nop',
  '#',
  '# entries-in-buffer/entries-written: 2/2   #P:2',
  '#',
  '#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION',
  '#              | |         |   |||||     |         |',
];
const file = (...lines: string[]): string => [...lines, ''].join('\n');

describe('ftrace text', () => {
  describe('of real guests', () => {
    for (const guest of GUESTS) {
      it(`${guest}: as many events as each header says, none unknown`, () => {
        for (const name of ['alldma', 'latfmt', 'noctx', 'tgid_mono'].map(
          (kind) => `ftrace_sample_${kind}.txt`,
        )) {
          const text = guestTrace(guest, name);
          const entries = /(?:entries-written: \d+\/|, #\d+\/)(\d+)/.exec(text)?.[1];
          const events = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
          // Some samples are cut behind the line that was written last.
          const { rows, problems } = readTrace(text, name);
          assert.equal(rows.length, events, name);
          assert.equal(rows.filter(({ operation }) => operation === 'unknown').length, 0, name);
          const cut = entries !== undefined && Number(entries) > events;
          assert.equal(
            problems.some(({ code }) => code === 'trace/truncated'),
            cut,
            name,
          );
        }
      });
    }

    for (const guest of GUESTS.filter((name) => !['riscv-debian', 'riscv-pt', 'riscv-sv39'].includes(name))) {
      it(`${guest}: from boot to the stop, the header's count and the manifest's maps and unmaps`, () => {
        const bytes = gunzipSync(readFileSync(path.join(CORPUS, `${guest}-share.ftrace.txt.gz`)));
        const manifest: unknown = JSON.parse(
          readFileSync(path.join(CORPUS, `${guest}-share.manifest.json`), 'utf8'),
          (key, value: unknown) => (['decoded_ranges', 'translations'].includes(key) ? [] : value),
        );
        const expected = (manifest as { linux_ftrace_replay?: { events: Record<string, number> } })
          .linux_ftrace_replay;
        const index = indexOf(new Uint8Array(bytes), `${guest}.txt`);
        const { map = 0, unmap = 0 } = countsOf(index).events;
        if (expected) assert.deepEqual({ map, unmap }, { map: 0, unmap: 0, ...expected.events });
        const entries = /entries-in-buffer\/entries-written: (\d+)\/\1 /.exec(
          bytes.toString('latin1', 0, 200),
        )?.[1];
        assert.equal(index.rows, Number(entries));
        assert.equal(index.unknown, 0);
        assert.equal(index.problemCount, 0);
      });
    }
  });

  describe('in each layout of a line', () => {
    const cases: Record<string, [line: string, facts: object]> = {
      'five columns of flags': [
        `              dd-402     [000] .....    90.520583: ${MAP}`,
        { task: 'dd', pid: 402, cpu: 0, time: 90_520_583_000 },
      ],
      'four columns of flags': [
        `              dd-402     [003] d.h1    90.520583: ${MAP}`,
        { task: 'dd', pid: 402, cpu: 3, time: 90_520_583_000 },
      ],
      'six columns of flags': [
        `              dd-402     [003] d..h1.1    90.520583: ${MAP}`,
        { task: 'dd', pid: 402, cpu: 3, time: 90_520_583_000 },
      ],
      'no flags (option irq-info off, and kernels before 3.0)': [
        `              dd-402   [001]  1234.000001: ${MAP}`,
        { task: 'dd', pid: 402, cpu: 1, time: 1_234_000_001_000 },
      ],
      'with the group (record-tgid)': [
        `    kworker/1:1H-56      (     56) [001] d....   246.987085: ${MAP}`,
        { task: 'kworker/1:1H', pid: 56, tgid: 56, cpu: 1, time: 246_987_085_000 },
      ],
      'with a group that was not recorded': [
        `          <idle>-0       (-------) [001] d.h1.   109.358426: ${MAP}`,
        { task: '<idle>', pid: 0, cpu: 1, time: 109_358_426_000 },
      ],
      'with a group in the width of older kernels': [
        `            init-1     (    1) [001] ....   109.358426: ${MAP}`,
        { task: 'init', pid: 1, tgid: 1, cpu: 1, time: 109_358_426_000 },
      ],
      'a name that was not recorded': [
        `           <...>-123   [001] ....   109.358426: ${MAP}`,
        { task: '<...>', pid: 123, cpu: 1, time: 109_358_426_000 },
      ],
      'a name with spaces, dashes and colons': [
        `  a-1 [000] b: c-4242    [012] .....     0.000001: ${MAP}`,
        { task: 'a-1 [000] b: c', pid: 4242, cpu: 12, time: 1000 },
      ],
      'a name that begins with a dash and a number': [
        `             -12-77      [000] .....     1.500000: ${MAP}`,
        { task: '-12', pid: 77, cpu: 0, time: 1_500_000_000 },
      ],
      'front without the padding, as pasted': [
        `dd-402 [000] ..... 90.520583: ${MAP}`,
        { task: 'dd', pid: 402, cpu: 0, time: 90_520_583_000 },
      ],
      'more CPUs than three digits count': [
        `              dd-402     [1023] .....    90.520583: ${MAP}`,
        { task: 'dd', pid: 402, cpu: 1023, time: 90_520_583_000 },
      ],
      'a clock that counts (counter, x86-tsc, uptime)': [
        `              dd-402     [000] .....        90520583: ${MAP}`,
        { task: 'dd', pid: 402, cpu: 0, time: 90_520_583 },
      ],
      'latency format': [
        `      dd-347       0..... 38780us+: ${MAP}`,
        { task: 'dd', pid: 347, cpu: 0, time: 38_780_000 },
      ],
      'latency format without a mark': [
        `kworker/-56        1dNh1. 2237515us : ${MAP}`,
        { task: 'kworker/', pid: 56, cpu: 1, time: 2_237_515_000 },
      ],
      'latency format of kernels with four columns': [
        `    ping-349    12d.s2 2237515us!: ${MAP}`,
        { task: 'ping', pid: 349, cpu: 12, time: 2_237_515_000 },
      ],
      'latency format of a clock that counts': [
        `      dd-347       0.....  123456: ${MAP}`,
        { task: 'dd', pid: 347, cpu: 0, time: 123_456 },
      ],
      'no context': [MAP, {}],
    };
    for (const [name, [line, facts]] of Object.entries(cases)) {
      it(name, () => {
        // Without a header, as trace_pipe gives it, and with one.
        for (const text of [file(line), file('# tracer: nop', '#', line)]) {
          const { trace, rows, lines } = readTrace(text);
          assert.equal(trace.format, 'ftrace');
          assert.deepEqual(rows, [{ ...MAPPED, ...facts }]);
          assert.deepEqual(lines, [line]);
        }
      });
    }

    it('names its layout and its clock', () => {
      const title = (name: keyof typeof cases): string => readTrace(file(cases[name]?.[0] ?? '')).trace.title;
      assert.equal(title('five columns of flags'), 'ftrace text');
      assert.equal(title('latency format'), 'ftrace text, latency format');
      assert.equal(title('no context'), 'ftrace text without context');
      assert.match(title('a clock that counts (counter, x86-tsc, uptime)'), /clock without unit/);
    });
  });

  describe('between the events', () => {
    const line = (seconds: number, rest = MAP): string =>
      `              dd-402     [000] .....    ${seconds}.000000: ${rest}`;

    it('marks the events that were written over in front of the first, with their count', () => {
      const { rows } = readTrace(file(...ART.map((text) => text.replace('2/2', '1/41')), line(90)));
      assert.deepEqual(rows[0], { operation: 'lost', count: 40 });
      assert.equal(rows.length, 2);
    });

    it('marks what the latency header says is lost', () => {
      const head = '# latency: 0 us, #1/658, CPU#0 | (M:desktop VP:0, KP:0, SP:0 HP:0 #P:2)';
      const { rows } = readTrace(
        file('# tracer: nop', '#', head, `      dd-347       0..... 38780us+: ${MAP}`),
      );
      assert.deepEqual(rows[0], { operation: 'lost', count: 657 });
    });

    it('marks what a CPU lost where it lost it, and without a count when none was written', () => {
      const { rows } = readTrace(
        file(line(90), 'CPU:3 [LOST 17 EVENTS]', line(91), 'CPU:1 [LOST EVENTS]', line(92)),
      );
      assert.deepEqual(rows[1], { operation: 'lost', cpu: 3, count: 17 });
      assert.deepEqual(rows[3], { operation: 'lost', cpu: 1 });
      assert.equal(rows.length, 5);
    });

    it('takes beginnings of buffers, comments and empty lines for no rows', () => {
      const { rows, trace } = readTrace(
        file(...ART, '##### CPU 1 buffer started ####', '', line(90), '   ', line(91)),
      );
      assert.equal(rows.length, 2);
      assert.equal(trace.header.split('\n')[0], '# tracer: nop');
    });

    it('keeps events of other systems, prints, function calls and stacks as other rows', () => {
      const { rows } = readTrace(
        file(
          line(90, 'sched_switch: prev_comm=dd prev_pid=402 ==> next_comm=swapper/0 next_pid=0'),
          line(91, 'tracing_mark_write: @@MARK'),
          line(92, 'probe+0x10/0x20: text'),
          line(93, 'vfs_read <-ksys_read'),
          line(94, '<stack trace>'),
          ' => iommu_map',
          ' => iommu_dma_map_page',
        ),
      );
      assert.deepEqual(
        rows.map(({ operation, event }) => [operation, event]),
        [
          ['other', 'sched_switch'],
          ['other', 'tracing_mark_write'],
          ['other', 'print'],
          ['other', 'function'],
          ['other', '<stack trace>'],
          ['other', '<stack trace>'],
          ['other', '<stack trace>'],
        ],
      );
    });

    it('keeps what it does not know, and says where it begins', () => {
      const { rows, lines, problems } = readTrace(file(line(90), 'what is this', 'and this?', line(91)));
      assert.deepEqual(
        rows.map(({ operation }) => operation),
        ['map', 'unknown', 'unknown', 'map'],
      );
      assert.deepEqual(lines.slice(1, 3), ['what is this', 'and this?']);
      assert.deepEqual(
        problems.map(({ code, row }) => [code, row]),
        [['trace/unknown-line', 1]],
      );
    });

    it('does not take a line whose numbers contradict each other for a mapping', () => {
      const wrong = MAP.replace('size=4096', 'size=40');
      assert.deepEqual(readTrace(file(line(90), line(91, wrong))).rows[1], { operation: 'unknown' });
    });

    it('says that a file was cut, by its header and by its last line', () => {
      const { problems } = readTrace([...ART, line(90)].join('\n'));
      assert.deepEqual(
        problems.map(({ code }) => code),
        ['trace/open-end', 'trace/truncated'],
      );
    });

    it('keeps times since 1970 exact', () => {
      const { trace, rows } = readTrace(file(line(1_795_332_273, MAP).replace('.000000', '.068193')));
      assert.equal(trace.origin + BigInt(rows[0]?.time ?? 0), 1_795_332_273_068_193_000n);
    });

    it('knows whether rows name their devices', () => {
      const dma =
        'dma_map_page: 0000:00:02.0 dir=TO_DEVICE dma_addr=fffbe000 size=4096 phys_addr=152ad6000 attrs=';
      assert.equal(readTrace(file(line(90))).trace.namesDevices, false);
      assert.equal(readTrace(file(line(90), line(91, dma))).trace.namesDevices, true);
    });
  });
});
