/** Texts that someone wrote by mistake or on purpose: each is refused with a range and a message, or runs and is right. */
import assert from 'node:assert/strict';
import { type EngineClient } from '../../../src/inspection/protocol';
import { inProcessEngine } from '../../unit/inspection/inProcess';

const NORMAL = `version: 2
title: A page that a device writes
machine: { vendor: riscv, tables: sv48x4, memory: 16M }
devices:
  nic: { requester: 00:02.0 }
domains:
  main: { pages: [4K], dirtyTracking: on, devices: [nic] }
steps:
  - dma: { iova: 0x5000, lands: 0x5000 }
  - readDirty: {}
expect: { clean: true, dirty: { ranges: [{ start: 0x5000, end: 0x6000 }] } }
`;

/** Where the leaf entry of 0x5000 stands: as samples/first-riscv.iopte.yaml has it. */
const LEAF = '0x10000c028';

const put = (from: string, to: string): string => {
  assert.ok(NORMAL.includes(from));
  return NORMAL.replace(from, () => to);
};
const step = (text: string): string => put('readDirty: {}', text);
const nested = (times: number, before: string, inner: string, after: string): string =>
  before.repeat(times) + inner + after.repeat(times);
const listOf = (count: number, of: (index: number) => string, between = '\n'): string =>
  Array.from({ length: count }, (_, index) => of(index)).join(between);
const words = (word: string, read: string): string =>
  put(
    '  - dma: { iova: 0x5000, lands: 0x5000 }\n  - readDirty: {}',
    `  - writeWord: { address: ${LEAF}, word: ${word} }\n  - expect: { entries: [{ iova: 0x5000, word: ${read} }] }`,
  ).replace(/^expect: .*\n/m, '');

/** What is refused before it runs: what the message says, and what is marked. */
const REFUSED: readonly (readonly [string, string, RegExp, (string | RegExp)?])[] = [
  [
    'a bomb',
    listOf(
      9,
      (n) => `a${String(n)}: &a${String(n)} [${listOf(9, () => (n ? `*a${String(n - 1)}` : 'lol'), ', ')}]`,
    ),
    /more than 100,000 values/,
  ],
  ['a value that holds itself', `${NORMAL}about: &a [*a]`, /stands inside of what it stands for/],
  ['brackets without end', `${NORMAL}about: ${'['.repeat(100_000)}`, /deeper than 64/],
  ['braces without end', `${NORMAL}about: ${'{a: '.repeat(10_000)}`, /deeper than 64/],
  ['dashes without end', `${NORMAL}about:\n  ${'- '.repeat(20_000)}`, /deeper than 64/],
  ['blocks in blocks', `${NORMAL}about:\n${listOf(400, (n) => `${' '.repeat(n + 1)}a:`)}`, /deeper than 64/],
  ['a quote without end', `${NORMAL}about: "${'x'.repeat(500_000)}`, /missing/],
  ['a key without end', `${NORMAL}${'a:'.repeat(50_000)}`, /too long/],
  ['anchors upon anchors', `${NORMAL}about: ${'&a '.repeat(50_000)}`, /./],
  ['aliases of nothing', `${NORMAL}about: [${'*a, '.repeat(10_000)}]`, /./],
  [
    'repeats in repeats',
    step(nested(4, 'repeat: { times: 1000000, steps: [{ ', 'wait: { cycles: 1 }', ' }] }')),
    /1,000,000 steps/,
    '1000000',
  ],
  [
    'deep repeats',
    step(nested(40, 'repeat: { times: 1, steps: [{ ', 'wait: { cycles: 1 }', ' }] }')),
    /deeper than 64/,
  ],
  [
    'deep moments',
    step(
      nested(
        20,
        'during: { step: { readDirty: {} }, moments: [{ every: 1, steps: [{ ',
        'readDirty: {}',
        ' }] }] }',
      ),
    ),
    /deeper than 64/,
  ],
  [
    'repeats in moments',
    step(
      'during: { step: { readDirty: {} }, moments: [{ every: 1, steps: [{ repeat: { times: 1000000, steps: [{ repeat: { times: 2, steps: [{ wait: { cycles: 1 } }] } }] } }] }] }',
    ),
    /1,000,000 steps/,
  ],
  [
    'requests without end',
    step('repeat: { times: 1001, steps: [{ dma: { iova: 0x5000, count: 1000000 } }] }'),
    /more than [\d,]+ (single )?requests/,
  ],
  [
    'a length of 64 bits',
    step('dma: { iova: 0, length: 0xffffffffffffffff }'),
    /more than [\d,]+ (single )?requests/,
  ],
  ['a count beyond its bounds', step('dma: { iova: 0, count: 1000001 }'), /1 to 1,000,000/, '1000001'],
  [
    'too many variants',
    `${NORMAL}variants:\n${listOf(2000, (n) => `  v${String(n)}: {}`)}`,
    /2000 variants/,
    'variants',
  ],
  [
    'too many devices',
    put('  nic:', `${listOf(2000, (n) => `  d${String(n)}: { requester: ${String(n + 100)} }`)}\n  nic:`),
    /64 devices/,
  ],
  ['memory of 64 bits', put('16M', '0xffffffffffffffff'), /at most 16T/, '0xffffffffffffffff'],
  ['memory of a petabyte', put('16M', '1024T'), /at most 16T/, '1024T'],
  ['memory of forty digits', put('16M', '1'.repeat(40)), /takes a size/, '1'.repeat(40)],
  ['memory below nothing', put('16M', '-16M'), /takes a size/, '-16M'],
  ['no memory', put('16M', '0'), /memory/, '0'],
  ['a part of a page', put('16M', '5000'), /multiple/, '5000'],
  ['65 bits', words('0x10000000000000000', '0'), /at most 64 bits/, '0x10000000000000000'],
  ['a word below nothing', words('-1', '0'), /at most 64 bits/, '-1'],
  ['an endless word', words('.inf', '0'), /at most 64 bits/, '.inf'],
  ['a word that is none', words('.nan', '0'), /at most 64 bits/, '.nan'],
  ['a rate of 400 digits', `${NORMAL}migrate: { link: ${'9'.repeat(400)}bps }`, /takes a rate/],
  [
    'a time of 400 digits',
    `${NORMAL}migrate: { link: 1Gbps, downtimeLimit: ${'9'.repeat(400)}h }`,
    /takes a time/,
  ],
  ['a tab that indents', put('  nic', '\tnic'), /tab/i],
  ['a tab behind a dash', put('- readDirty', '-\treadDirty'), /tab/i],
  ['a key twice', put('title:', 'title: T\ntitle:'), /"title" is given twice/, 'title'],
  ['a key twice, once in quotes', put('title:', 'title: T\n"title":'), /"title" is given twice/],
  ['a key twice in a step', put('lands: 0x5000', 'iova: 0x6000'), /"iova" is given twice/, 'iova'],
  ['yes', put('clean: true', 'clean: yes'), /true or false/, 'yes'],
  ['on as a truth', put('clean: true', 'clean: on'), /true or false/, 'on'],
  ['true for on', put('dirtyTracking: on', 'dirtyTracking: true'), /none, off, on/, 'true'],
  ['a sexagesimal as a requester', put('00:02.0', '10:00'), /"10:00" is no device/, '10:00'],
  ['a sexagesimal as a number', step('wait: { cycles: 10:00 }'), /whole number/, '10:00'],
  ['a device of 32', put('00:02.0', '00:20.0'), /is no device/, '00:20.0'],
  ['a device of 64 bits', put('00:02.0', '0xffffffffffffffff'), /is no device/, '0xffffffffffffffff'],
  ['half a device', put('00:02.0', '1.5'), /requester/, '1.5'],
  ['two underscores', step('wait: { cycles: 1__0 }'), /whole number/, '1__0'],
  ['a merge key', put('{ requester: 00:02.0 }', '{ <<: { requester: 00:02.0 } }'), /requester|<</],
  ['a merge of an alias', put('  nic: {', '  a: &a { requester: 00:03.0 }\n  nic: { <<: *a,'), /"<<"/, '<<'],
  ['a second document', `${NORMAL}---\n${NORMAL}`, /one scenario/, '---'],
  ['a second document of nothing', `${NORMAL}---\n`, /one scenario/, '---'],
  ['UTF-16 read as Latin-1', Buffer.from(`\ufeff${NORMAL}`, 'utf16le').toString('latin1'), /./],
  ['UTF-16 read as UTF-8', Buffer.from(NORMAL, 'utf16le').toString('utf8'), /./],
  ['a zero byte', `${NORMAL}\0`, /./],
  ['lines that end by CR alone', NORMAL.replaceAll('\n', '\r'), /./],
  ['lines that end by U+2028', NORMAL.replaceAll('\n', '\u2028'), /./],
  ['a tag', put('title: A', 'title: !!js/function A'), /Tags/, '!!js/function'],
  ['a list as a key', put('machine:', '? [a, b]\n: x\nmachine:'), /key/i],
  ['a key of every object', put('machine:', '__proto__: { a: 1 }\nmachine:'), /__proto__/, '__proto__'],
  ['a name of every object', put('[nic]', '[toString]'), /"toString" is none of the devices/, 'toString'],
  ['a link of nothing', `${NORMAL}migrate: { link: 0Gbps }\n`, /it is \d+ to \d+/],
  ['a link of everything', `${NORMAL}migrate: { link: 99999999999999999999Tbps }\n`, /it is \d+ to \d+/],
  [
    'a warm-up of ages',
    `${NORMAL}migrate: { link: 1Gbps, tracking: { starts: warm-up, warmUp: 99999999h } }\n`,
    /it is \d+ to \d+/,
  ],
  [
    'pages of three bytes',
    `${NORMAL}migrate: { link: 1Gbps, pages: { policy: split-eagerly, to: 3 } }\n`,
    /it is \d+ to \d+/,
  ],
  [
    'a packet larger than its buffer',
    put('00:02.0 }', '00:02.0, traffic: { kind: rx-ring, packet: 5000 } }'),
    /"packet" is 5000, and not within its bounds/,
    '5000',
  ],
  ['nothing', '', /./],
  ['nothing but a mark', '\ufeff', /./],
  ['a number', '0x10', /./],
];

/** What reads otherwise than it looks, and is right. */
const RIGHT: readonly (readonly [string, string])[] = [
  ['lines that end by CR LF', NORMAL.replaceAll('\n', '\r\n')],
  ['a byte order mark', `\ufeff${NORMAL}`],
  ['tabs between values', put('{ requester: 00:02.0 }', '{\trequester:\t00:02.0\t}')],
  ['a document with its marks', `---\n${NORMAL}...\n`],
  ['the directive of YAML 1.2', `%YAML 1.2\n---\n${NORMAL}`],
  ['a directive of YAML 1.1: off stays a text', `%YAML 1.1\n---\n${NORMAL}`],
  ['on in quotes', put('dirtyTracking: on', 'dirtyTracking: "on"')],
  ['True with a capital', put('clean: true', 'clean: True')],
  ['a requester that YAML 1.1 counts by 60', put('00:02.0', '10:00.0')],
  ['a requester in quotes', put('00:02.0', '"00:02.0"')],
  ['a device that is called constructor', NORMAL.replaceAll('nic', 'constructor')],
  [
    '0777 is 777',
    put('steps:\n', 'steps:\n  - dma: { iova: 0777, length: 4, access: read, lands: 0x309 }\n'),
  ],
  ['0o10000 is 4096', put('steps:\n', 'steps:\n  - dma: { iova: 0o10000, access: read, lands: 0x1000 }\n')],
  [
    '1_000 is 1000',
    put('steps:\n', 'steps:\n  - dma: { iova: 1_000, length: 4, access: read, lands: 0x3e8 }\n'),
  ],
  ['a word beyond 53 bits', words('0x3ffffffffffcd7', '0x3ffffffffffcd7')],
  ['the same word in decimal', words('18014398509481175', '0x3ffffffffffcd7')],
  [
    'a word of 64 bits, all of them: no leaf',
    words('0xffffffffffffffff', '0').replace('word: 0 }] }', 'present: false }] }'),
  ],
  [
    'a request at the end of 64 bits',
    put('steps:\n', 'steps:\n  - dma: { iova: 0xffffffffffffffff, length: 1, mayBeRefused: true }\n'),
  ],
  ['empty lines', `${NORMAL}${'\n'.repeat(50_000)}`],
  ['spaces at the end', `${NORMAL}${' '.repeat(500_000)}`],
];

/** What runs, and fails at a step that is told. */
const FAILED: readonly (readonly [string, string, string])[] = [
  [
    'off, which YAML 1.1 takes for false',
    put('dirtyTracking: on', 'dirtyTracking: off').replace('riscv, tables: sv48x4', 'vt-d'),
    'readDirty',
  ],
  ['a word that differs beyond 53 bits', words('0x3ffffffffffcd7', '0x3ffffffffffcd5'), 'entries[0].word'],
  [
    'a mapping that ends beyond 64 bits',
    step('map: { iova: 0xfffffffffffff000, length: 0xffffffffffffffff }'),
    'map',
  ],
  ['a mapping beyond the tables', step('map: { iova: 0xfffffffffffff000, length: 4K }'), 'map'],
  ['a report by pages of nothing', step('readDirty: { pageSize: 0 }'), 'readDirty'],
  ['a report by pages of half of all', step('readDirty: { pageSize: 0x8000000000000000 }'), 'readDirty'],
  ['a word at the end of memory', step('writeWord: { address: 0xfffffffffffffff8, word: 1 }'), 'writeWord'],
  ['a request of nothing', put('lands: 0x5000', 'length: 0'), 'dma'],
];

describe('hostile scenarios', () => {
  let engine: EngineClient;
  /** Microseconds of computing that reading and running the normal one take: what others are compared with. */
  let usual = 0;

  const file = 'hostile.iopte.yaml';
  const check = (text: string) => engine.request('checkScenario', { text });
  const run = async (text: string) =>
    (await engine.request('runScenario', { text, file, variant: null })).outcome;

  before(async () => {
    engine = inProcessEngine(1).client;
    // The first time is that of a compiler.
    for (let time = 0; time < 3; time++) {
      const begun = process.cpuUsage();
      await check(NORMAL);
      assert.deepEqual((await run(NORMAL)).failures, []);
      usual = process.cpuUsage(begun).user;
    }
  });
  after(() => engine.dispose());

  /** About a second where the normal one takes its usual milliseconds. */
  const bounded = async (work: () => Promise<void>): Promise<void> => {
    const begun = process.cpuUsage();
    await work();
    const took = process.cpuUsage(begun).user / Math.max(usual, 5000);
    assert.ok(took < 300, `${took.toFixed(0)} times as long as a normal one`);
  };

  for (const [name, text, message, marked] of REFUSED)
    it(`refuses ${name}`, async () => {
      await bounded(async () => {
        const { problems } = await check(text);
        const errors = problems.filter(({ severity }) => severity === 'error');
        assert.ok(errors.length > 0);
        for (const { start, end, message: told } of problems) {
          assert.ok(start >= 0 && start <= end && end <= text.length, `${String(start)} to ${String(end)}`);
          assert.ok(told.length > 10 && told.length < 1000, told);
          assert.doesNotMatch(told, /undefined|NaN|\[object|Error:|\bat .*:\d+:\d+/);
        }
        const fitting = errors.filter(
          ({ start, end, message: told }) =>
            message.test(told) && (marked === undefined || text.slice(start, end) === marked),
        );
        assert.ok(fitting.length > 0, JSON.stringify(errors[0]));
        await assert.rejects(run(text), { name: 'RequestError' });
      });
    });

  for (const [name, text] of RIGHT)
    it(`reads ${name}`, async () => {
      await bounded(async () => {
        assert.deepEqual((await check(text)).problems, []);
        const { failures, passed } = await run(text);
        assert.deepEqual(failures, []);
        assert.equal(passed, true);
      });
    });

  for (const word of ['0xffffffffffffffff', '0xfffffffffffffffe', '0x8000000000000001'])
    it(`tells ${word} as it stands there, unquoted or in decimal`, async () => {
      for (const written of [word, BigInt(word).toString()]) {
        const [failure] = (await run(words('0x3ffffffffffcd7', written))).failures;
        assert.deepEqual([failure?.expected, failure?.actual], [word, '0x3ffffffffffcd7, at 0x5000']);
      }
    });

  for (const [name, text, what] of FAILED)
    it(`fails at ${name}`, async () => {
      await bounded(async () => {
        const { failures, passed } = await run(text);
        assert.equal(passed, false);
        const [first] = failures;
        assert.ok(first);
        assert.equal(first.what, what);
        assert.ok(first.start >= 0 && first.start < first.end && first.end <= text.length);
        assert.equal(first.line, text.slice(0, first.start).split('\n').length);
        assert.ok(first.actual.length > 0 && !first.actual.includes('undefined'));
      });
    });
});
