import assert from 'node:assert/strict';
import { readInSlices, readScenario, readVariant } from '../../../../src/scenario/language/read';
import { expectProblems, scenarioText } from './support';

const TEXT = scenarioText({
  machine: ', seed: 7',
  steps: '{ dma: { iova: $page, length: $length } }',
  rest: `parameters: { page: 0x5000, length: 128 }
expect: { lost: 0, stale: 0 }
variants:
  base: {}
  nothing:
  other:
    about: Otherwise
    machine: { memory: 2G, seed: null }
    parameters: { page: 0x7000 }
    steps: [{ wait: { cycles: 5 } }, { dma: { iova: $page } }]
    expect: { stale: { atLeast: 1 } }
`,
});

const one = (name: string | null, set?: Readonly<Record<string, string>>) => {
  const { variant } = readScenario(TEXT);
  return variant(name, set);
};

describe('variants of a scenario', () => {
  it('are merged over the rest: keys merged, lists replaced, null takes away', () => {
    const { scenario } = one('other');
    assert.equal(scenario?.about, 'Otherwise');
    assert.equal(scenario.machine.memory, 2n ** 31n);
    assert.equal(scenario.machine.vendor, 'vt-d');
    assert.equal(scenario.machine.seed, 1);
    assert.deepEqual(scenario.expect?.lost, { atLeast: 0, atMost: 0 });
    assert.deepEqual(scenario.expect.stale, { atLeast: 1, atMost: Infinity });
    assert.equal(scenario.steps.length, 2);
  });

  it('are the base when they are empty', () => {
    assert.deepEqual(one('base').scenario, one('nothing').scenario);
    assert.equal(one('base').scenario?.machine.seed, 7);
  });

  it('are what runs: a file that has some is not run without one', () => {
    assert.match(one(null).problems[0]?.message ?? '', /has variants/);
    assert.match(one('othr').problems[0]?.hint ?? '', /"other"/);
    assert.equal(one(null).scenario, undefined);
  });

  it('say where each value comes from', () => {
    const { places } = one('other');
    const textAt = (path: (string | number)[]) => {
      const { start, end } = places.of(path);
      return TEXT.slice(start, end);
    };
    assert.equal(textAt(['machine', 'memory']), '2G');
    assert.equal(textAt(['machine', 'vendor']), 'vt-d');
    assert.equal(textAt(['expect', 'lost']), '0');
    assert.equal(textAt(['steps', 1, 'dma', 'iova']), '$page');
    assert.equal(places.of(['machine', 'vendor']).line, 3);
    assert.equal(places.of(['expect', 'stale', 'atLeast']).line, 17);
    assert.equal(textAt(['steps', 0, 'wait', 'nothing', 'there']), 'wait');
  });

  it('appear in the outline, with what they are about', () => {
    const { outline } = readScenario(TEXT);
    assert.deepEqual(
      outline?.variants.map(({ name, about, start, end }) => [name, about, TEXT.slice(start, end)]),
      [
        ['base', undefined, 'base'],
        ['nothing', undefined, 'nothing'],
        ['other', 'Otherwise', 'other'],
      ],
    );
  });

  it('tell a problem of the base once, and one of some variants with their names', () => {
    const variants =
      'variants: { a: {}, b: { machine: { vendor: amd-vi } }, c: { machine: { memory: «lots» } } }';
    expectProblems(
      scenarioText({ steps: '{ dma: { iova: «x» } }', rest: variants }),
      { says: /^steps\[0\].dma.iova is "x".*\(4G\)\.$/ },
      { says: /^machine.memory is "lots".*1G\.$/ },
    );
    expectProblems(
      scenarioText({
        machine: ', capabilities: { «scalable»: false, nesting: false }',
        rest: 'variants: { a: { machine: { capabilities: { scalable: null } } }, b: { machine: { vendor: amd-vi, capabilities: { nesting: null } } } }',
      }),
      { says: /no capability of amd-vi. \(In b.\)$/ },
    );
  });

  it('cannot change what a scenario is', () => {
    expectProblems(
      scenarioText({ rest: 'variants: { a: { «title»: b }, b: { «stepz»: [] }, c: {} }' }),
      { says: /cannot change "title"/ },
      { says: /cannot change "stepz"/, hint: /"steps"/ },
    );
  });

  it('tells variants that are none', () => {
    expectProblems(scenarioText({ rest: '«variants»: [a]' }), { says: /not names with what each changes/ });
    expectProblems(scenarioText({ rest: 'variants: { «a»: 3 }' }), { says: /not keys with values/ });
  });
});

describe('parameters of a scenario', () => {
  it('stand for single values, in variants by their own', () => {
    const iova = (name: string) => one(name).scenario?.steps.at(-1)?.dma;
    assert.deepEqual([iova('base')].flat()[0]?.iova, 0x5000n);
    assert.deepEqual([iova('other')].flat()[0]?.iova, 0x7000n);
  });

  it('that are unknown are told, with the one that was meant', () => {
    expectProblems(
      scenarioText({
        steps: '{ dma: { iova: «$pgae» } }, { dma: { iova: $page } }',
        rest: 'parameters: { page: 0 }',
      }),
      { says: /no parameter "pgae"/, hint: /"page"/ },
    );
  });

  it('that are wrong are told where they are used, with their value', () => {
    expectProblems(
      scenarioText({ steps: '{ dma: { iova: «$page» } }', rest: 'parameters: { page: here }' }),
      {
        says: /^steps\[0\].dma.iova is \$page \(here\); it takes an address/,
      },
    );
  });

  it('that nothing uses are warned of', () => {
    expectProblems(scenarioText({ rest: 'parameters: { «page»: 0 }' }), { says: /Nothing uses/ });
  });
});

describe('settings from outside a scenario', () => {
  it('stand over what file and variant say', () => {
    const { scenario } = one('other', {
      'machine.memory': '4G',
      'parameters.page': '0x9000',
      'steps[0].wait.cycles': '9',
      'machine.tables': 'first-stage',
    });
    assert.equal(scenario?.machine.memory, 2n ** 32n);
    assert.equal(scenario.machine.tables, 'first-stage');
    assert.equal(scenario.steps[0]?.wait?.cycles, 9);
    assert.equal([scenario.steps[1]?.dma].flat()[0]?.iova, 0x9000n);
  });

  for (const [name, value, says] of [
    ['parameters.pag', '1', /no parameters.pag/],
    ['machin.memory', '1G', /no machin/],
    ['steps[7].wait.cycles', '1', /no steps\[7\]/],
    ['machine.memory', 'lots', /machine.memory is "lots"/],
    ['machine.memroy', '1G', /no key "memroy"/],
    ['machine..memory', '1G', /is no path/],
    ['machine', '{ a: 1 }', /no single value/],
    ['machine.memory.much', '1', /nothing below it/],
    ['__proto__.x', '1', /is no path/],
  ] as const) {
    it(`refuse ${name}=${value}`, () => {
      const { scenario, problems } = one('base', { [name]: value });
      assert.equal(scenario, undefined);
      assert.match(problems.find(({ severity }) => severity === 'error')?.message ?? '', says);
    });
  }

  it('name the key that was meant, also where the file has it', () => {
    const hints = ['machine.memroy', 'machine.vendr', 'machine.sed'].map((name) => {
      const { problems } = one('base', { [name]: '1' });
      return problems.find(({ message }) => message.includes('has no key'))?.hint;
    });
    assert.deepEqual(
      hints,
      ['memory', 'vendor', 'seed'].map((key) => `Did you mean "${key}"?`),
    );
  });
});

describe('reading many variants', () => {
  const text = scenarioText({
    steps: '{ dma: { iova: 0 } }',
    rest: 'variants: { plain: {}, small: { machine: { memory: 16M } }, wrong: { machine: { memory: x } } }',
  });

  it('gives way after the text and after each of them', () => {
    const reading = readInSlices(text);
    const fractions: (number | undefined)[] = [];
    for (;;) {
      const step = reading.next();
      if (step.done === true) {
        assert.deepEqual(step.value.problems, readScenario(text).problems);
        break;
      }
      fractions.push(step.value.fraction);
    }
    assert.deepEqual(fractions, [undefined, 1 / 3, 2 / 3, 1]);
  });

  it('reads one alone as among all', () => {
    for (const name of ['plain', 'small', 'wrong', 'none', null]) {
      const { places: _places, outline, ...alone } = readVariant(text, name);
      const { places: _all, ...among } = readScenario(text).variant(name);
      assert.deepEqual(alone, among);
      assert.equal(outline?.title, 'A test');
    }
    assert.equal(readVariant(text, 'small').scenario?.machine.memory, 2n ** 24n);
    assert.equal(readVariant(text, 'wrong').scenario, undefined);
  });
});
