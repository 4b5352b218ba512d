import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readScenario } from '../../../../src/scenario/language/read';
import { type Scenario } from '../../../../src/scenario/language/schema/scenario';
import { expectProblems, scenarioText } from './support';

const fixture = (name: string): string =>
  readFileSync(path.join(__dirname, '../../../fixtures/scenarios', `${name}.iopte.yaml`), 'utf8');

function read(text: string, variant: string | null = null): Scenario {
  const { problems, scenario } = readScenario(text).variant(variant);
  assert.ok(scenario, JSON.stringify(problems));
  return scenario;
}

describe('readScenario', () => {
  it('keeps unquoted whole numbers of 64 bits exact', () => {
    const { steps } = read(
      scenarioText({
        steps:
          '{ writeWord: { address: 0x100000000, word: 0xfedcba9876543211 } }, { map: { iova: 18446744073709547520, length: 4096 } }',
      }),
    );
    assert.equal(steps[0]?.writeWord?.word, 0xfedc_ba98_7654_3211n);
    assert.equal(steps[1]?.map?.iova, 0xffff_ffff_ffff_f000n);
  });

  it('reads sizes, rates, times and shares with their units', () => {
    const { machine, migrate, devices } = read(
      scenarioText({
        devices:
          ', disk: { requester: 0x18, traffic: { kind: nvme, rate: 12.5GB/s, reads: 30%, block: 16K } }',
        rest: 'migrate: { link: 100Gbps, downtimeLimit: 250ms, costs: { split: 62ns } }',
      }).replace('devices: [nic]', 'devices: [nic], dirtyTracking: on'),
    );
    assert.equal(machine.memory, 2n ** 30n);
    assert.equal(migrate?.link, 12.5e9);
    assert.equal(migrate.downtimeLimit, 0.25);
    assert.ok(Math.abs((migrate.costs?.split ?? 0) - 62e-9) < 1e-15);
    const { disk } = devices;
    assert.ok(disk?.traffic?.kind === 'nvme');
    assert.equal(disk.requester, '24');
    assert.deepEqual([disk.traffic.rate, disk.traffic.reads, disk.traffic.block], [12.5e9, 0.3, 16384]);
  });

  it('reads off, on and no as YAML 1.2 does: as text', () => {
    const { domains } = read(scenarioText({ domains: ', two: { dirtyTracking: off }, no: {}' }));
    assert.equal(domains['two']?.dirtyTracking, 'off');
    assert.deepEqual(Object.keys(domains), ['one', 'two', 'no']);
  });

  it('reads aliases as what they stand for', () => {
    const text = scenarioText({ steps: '{ dma: &write { iova: 0x1000 } }, { dma: *write }' });
    const [first, second] = read(text).steps;
    assert.deepEqual(second, first);
  });
});

describe('bounds of a scenario’s text', () => {
  const problemOf = (text: string) => {
    const begun = performance.now();
    const { problems, outline } = readScenario(text);
    assert.ok(performance.now() - begun < 10_000);
    assert.equal(outline, null);
    const [problem] = problems;
    assert.ok(problem);
    const { severity, start, end, message } = problem;
    assert.ok(severity === 'error' && start <= end && end <= text.length);
    return message;
  };

  it('refuses texts of more than 1 Mi characters', () => {
    assert.match(problemOf(`a: ${'x'.repeat(2 ** 20)}`), /longer than 1 Mi/);
  });

  it('refuses what nests deeper than 64 levels, in blocks and in brackets', () => {
    for (const deep of ['[', '{', '- ', '? ', 'a: [', '{ a: ']) {
      assert.match(problemOf(deep.repeat(100_000 / deep.length)), /nests deeper than 64 levels/, deep);
    }
    assert.equal(readScenario(`a: ${'['.repeat(60)}${']'.repeat(60)}`).outline?.title, 'Scenario');
  });

  it('refuses deep nesting that aliases make', () => {
    const lines = Array.from({ length: 12 }, (_, level) => {
      const inner = level === 0 ? '1' : `*a${level - 1}`;
      return `a${level}: &a${level} ${'['.repeat(8)}${inner}${']'.repeat(8)}`;
    });
    assert.match(problemOf(lines.join('\n')), /nests deeper than 64 levels/);
  });

  it('refuses bombs: aliases that stand for more than 100,000 values', () => {
    const lines = Array.from({ length: 20 }, (_, level) => {
      const inner = level === 0 ? 'x' : `*a${level - 1}`;
      return `a${level}: &a${level} [${Array(10).fill(inner).join(', ')}]`;
    });
    assert.match(problemOf(lines.join('\n')), /more than 100,000 values/);
  });

  it('refuses more than 100,000 values without aliases', () => {
    assert.match(problemOf(`a: [${'1,'.repeat(120_000)}]`), /more than 100,000 values/);
  });

  it('refuses values that hold themselves', () => {
    assert.match(problemOf('a: &a { b: [*a] }'), /stands inside of what it stands for/);
  });

  it('refuses several documents, tags and unknown aliases', () => {
    assert.match(problemOf('a: 1\n---\nb: 2'), /one scenario/);
    assert.match(problemOf('a: !shape { b: 1 }'), /Tags/);
    assert.match(problemOf('a: *b'), /Nothing above is called &b/);
  });

  it('refuses texts that are empty or hold no keys', () => {
    for (const text of ['', '# nothing\n', '\n\n']) assert.match(problemOf(text), /empty/);
    for (const text of ['- a', 'word', '42']) assert.match(problemOf(text), /keys with values/);
  });

  it('tells a key that is given twice, at the second one', () => {
    expectProblems(`${scenarioText()}«title»: again\n`, { says: /"title" is given twice/ });
  });

  it('takes no merge keys', () => {
    expectProblems(scenarioText({ devices: ', b: { «<<»: { requester: 00:03.0 }, requester: 00:04.0 }' }), {
      says: /no key "<<"/,
    });
  });

  it('takes bounded time for many mistakes, and for many variants of much', () => {
    const devices = Array.from(
      { length: 8000 },
      (_, index) => `, device-number-${index}: { requester: ${index} }`,
    ).join('');
    const steps = Array.from(
      { length: 990 },
      (_, index) => `{ attach: { device: device-numbr-${index}, to: $x${index} } }`,
    );
    const variants = Array.from({ length: 64 }, (_, index) => `a${index}: {}`).join(', ');
    for (const rest of ['', `variants: { ${variants} }`]) {
      const begun = process.cpuUsage().user;
      const { problems } = readScenario(scenarioText({ devices, steps: steps.join(', '), rest }));
      assert.equal(problems.length, 200);
      assert.ok(process.cpuUsage().user - begun < 15e6);
    }
    const much = Array<string>(900).fill(`{ dma: [${Array<string>(10).fill('{ iova: 0 }').join(', ')}] }`);
    expectProblems(scenarioText({ steps: much.join(', '), rest: `«variants»: { ${variants} }` }), {
      says: /more than 500,000 values together/,
    });
  });

  it('does not let a file change what objects are', () => {
    expectProblems(scenarioText({ devices: ', «__proto__»: { requester: 00:03.0 }' }), {
      says: /"__proto__" cannot be a key/,
    });
  });
});

describe('versions of the language', () => {
  it('reads version 2 without a word', () => {
    assert.deepEqual(readScenario(fixture('version-2')).problems, []);
  });

  it('reads version 1 as the same scenario, and marks what was renamed', () => {
    const text = fixture('version-1');
    const { problems } = readScenario(text);
    assert.ok(problems.every(({ severity }) => severity === 'warning'));
    assert.deepEqual(
      problems.map(({ start, end }) => text.slice(start, end)),
      ['1', 'track', 'track', 'bandwidth', 'downtime', 'bandwidth', 'track'],
    );
    for (const name of ['slow', 'untracked']) {
      const old = readScenario(text).variant(name);
      const now = readScenario(fixture('version-2')).variant(name);
      assert.ok(now.scenario);
      assert.deepEqual(old.scenario, now.scenario);
      const range = old.places.of(['migrate', 'downtimeLimit']);
      assert.equal(text.slice(range.start, range.end), '300ms');
    }
  });

  it('tells mistakes in version 1 where they stand', () => {
    expectProblems(
      `version: «1»\n${scenarioText({ rest: 'migrate: { «bandwidth»: «fast» }' }).replace('version: 2\n', '')}`,
      { says: /version 1/ },
      { says: /called "link"/ },
      { says: /migrate.link is "fast"; it takes a rate/ },
    );
  });

  for (const [name, mark, says, hint] of [
    ['version-0', '0', /no version 0/, /template/],
    ['version-3', '3', /newer than this program/, /newer IOPTE Inspector/],
    ['no-version', 'title', /no version/, /version: 2/],
  ] as const) {
    it(`refuses ${name}, with the reason and what to do`, () => {
      const text = fixture(name);
      const { problems, variant } = readScenario(text);
      assert.equal(problems.length, 1);
      const [{ start, end, message, hint: told } = { start: 0, end: 0, message: '', hint: '' }] = problems;
      assert.equal(text.slice(start, end), mark);
      assert.match(message, says);
      assert.match(told ?? '', hint);
      assert.equal(variant('slow').scenario, undefined);
    });
  }
});
