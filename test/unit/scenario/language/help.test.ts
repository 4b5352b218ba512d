import assert from 'node:assert/strict';
import { completeScenario } from '../../../../src/scenario/language/help/complete';
import { hoverScenario } from '../../../../src/scenario/language/help/hover';
import { readScenario } from '../../../../src/scenario/language/read';

const HEAD = `version: 2
title: A test
parameters: { page: 0x1000 }
machine:
  vendor: vt-d
  memory: 1G
devices:
  nic: { requester: 00:02.0 }
  gpu:
    requester: 00:03.0
    traffic:
      kind: nvme
domains:
  one: { devices: [nic], nestParent: true }
`;

/** What is offered at the ¦ of a text. */
function at(text: string) {
  const offset = text.indexOf('¦');
  const plain = text.replace('¦', '');
  const { items, more } = completeScenario(plain, offset);
  assert.equal(more, false);
  const labels = items.map(({ label }) => label);
  const item = (label: string) => items.find((each) => each.label === label);
  /** The text with an item in its place. */
  const taken = (label: string): string => {
    const { start, end, insert } = item(label) ?? { start: 0, end: 0, insert: '' };
    return plain.slice(0, start) + insert + plain.slice(end);
  };
  return { labels, item, taken };
}

describe('completion of scenarios: keys', () => {
  it('offers the keys of a file at its beginning, what is needed marked so', () => {
    const { labels, item } = at('¦');
    assert.deepEqual(labels.slice(0, 2), ['version', 'title']);
    assert.ok(labels.includes('variants'));
    assert.match(item('title')?.detail ?? '', /needed/);
    assert.match(item('title')?.documentation ?? '', /in a line/);
  });

  for (const [how, text] of [
    ['on an empty line', 'machine:\n  vendor: vt-d\n  ¦\n'],
    ['on a line that has begun', 'machine:\n  vendor: vt-d\n  mem¦\n'],
    ['before other keys', 'machine:\n  ¦\n  vendor: vt-d\n'],
    ['in braces', 'machine: { vendor: vt-d, ¦ }'],
    ['in braces that are not closed', 'title: x\nmachine: { vendor: vt-d, mem¦\ndevices:\n  nic: {}\n'],
    ['over lines in braces', 'machine: {\n  vendor: vt-d,\n  ¦\n}\n'],
    ['in a text with errors elsewhere', 'title: ][\nmachine:\n  vendor: vt-d\n  ¦\nsteps: }{\n'],
  ] as const) {
    it(`offers the keys of the object that is meant, without those there are: ${how}`, () => {
      const { labels } = at(text);
      assert.ok(labels.includes('memory') && labels.includes('capabilities'), labels.join());
      assert.ok(!labels.includes('vendor') && !labels.includes('devices'));
    });
  }

  it('replaces the whole word, and leaves its colon', () => {
    assert.equal(at('machine: { mem¦ory: 1G }').taken('vendor'), 'machine: { vendor: 1G }');
    assert.equal(at('machine:\n  mem¦').taken('memory'), 'machine:\n  memory: ');
  });

  it('offers steps, with what they need filled in, as the next element of a list', () => {
    for (const text of [
      'steps:\n  ¦',
      'steps:\n  - wait: { cycles: 3 }\n  ¦',
      'steps:\n- wait: { cycles: 3 }\n¦',
    ]) {
      const item = at(HEAD + text).item('map');
      assert.match(item?.insert ?? '', /^- map: \{ iova: \$\{1:0x1000\}, length: \$\{2:4K\} \}$/, text);
      assert.equal(item?.kind, 'snippet');
    }
    for (const text of ['steps:\n  - ¦', 'steps:\n  - ma¦', 'steps: [{ ¦', 'steps: [¦]']) {
      assert.match(at(HEAD + text).item('map')?.insert ?? '', /^map: \{ iova/, text);
    }
  });

  it('offers nothing else to do beside what a step does', () => {
    assert.deepEqual(at(`${HEAD}steps:\n  - wait: { cycles: 3 }\n    ¦`).labels, ['errno', 'note']);
  });

  it('knows steps in steps', () => {
    const text = `${HEAD}steps:\n  - during:\n      step:\n        split: { size: 4K }\n      moments:\n        - every: 1\n          steps:\n            - dma:\n                iova: 0\n                ¦`;
    assert.ok(at(text).labels.includes('lands'));
    assert.ok(at(`${HEAD}steps:\n  - during:\n      step: { split: { ¦ } }`).labels.includes('protocol'));
  });

  it('offers the keys of the kind that is named', () => {
    const { labels } = at(HEAD.replace('kind: nvme\n', 'kind: nvme\n      ¦\n'));
    assert.ok(labels.includes('depth') && !labels.includes('packet') && !labels.includes('kind'));
  });

  it('offers what variants may change', () => {
    const { labels } = at(`${HEAD}variants:\n  broken:\n    ¦`);
    assert.ok(labels.includes('machine') && !labels.includes('title'));
    assert.ok(at(`${HEAD}variants:\n  broken:\n    machine: { ¦ }`).labels.includes('driverFaults'));
  });

  it('offers the capabilities of the vendor', () => {
    const { labels } = at('machine: { vendor: riscv, capabilities: { ¦ } }');
    assert.ok(labels.includes('svpbmt') && !labels.includes('nesting'));
  });

  it('gives keys that can be read as they are', () => {
    const text = `${HEAD}steps:\n  - ¦\n`;
    for (const label of ['map', 'dma', 'guest', 'deviceState', 'readDirty', 'wait']) {
      const filled = at(text)
        .taken(label)
        .replaceAll(/\$\{\d+:([^}]*)\}/g, '$1')
        .replaceAll(/\$\{\d+\|([^,|]*)[^}]*\}/g, '$1')
        .replaceAll(/\$\d/g, '');
      const { problems } = readScenario(filled);
      assert.ok(
        !problems.some(({ message }) => /takes|has no|Something/.test(message)),
        `${label}: ${JSON.stringify(problems)}`,
      );
    }
  });
});

describe('completion of scenarios: values', () => {
  it('offers ids, with what each means', () => {
    for (const text of [
      'machine: { vendor: ¦',
      'machine:\n  vendor: ¦',
      'machine:\n  vendor: v¦\n  memory: 1G',
      'machine: { vendor:¦ }',
    ]) {
      assert.deepEqual(at(text).labels, ['vt-d', 'amd-vi', 'smmuv3', 'riscv'], text);
    }
    assert.equal(at('machine: { vendor:¦ }').taken('vt-d'), 'machine: { vendor: vt-d }');
    assert.equal(at('machine: { vendor: am¦ }').taken('vt-d'), 'machine: { vendor: vt-d }');
    assert.match(at('machine: { driverFaults: [¦] }').item('one-replica')?.documentation ?? '', /\w/);
  });

  it('offers the names that the file gives', () => {
    const text = (more: string) =>
      `${HEAD}steps:\n  - guest: { name: os }\n  - createDomain: { name: two }\n${more}`;
    assert.deepEqual(at(text('  - attach: { device: ¦, to: one }')).labels, ['nic', 'gpu', '$page']);
    assert.deepEqual(at(text('  - attach:\n      to: ¦')).labels, [
      'one',
      'two',
      'os',
      'pass-through',
      'blocked',
      '$page',
    ]);
    assert.deepEqual(at(text('  - guestMap: { guest: ¦')).labels, ['os', '$page']);
    assert.deepEqual(at(text('migrate:\n  domains:\n    - ¦')).labels, ['one', 'two', '$page']);
  });

  it('offers true and false, sizes, and parameters', () => {
    assert.deepEqual(at(`${HEAD}expect: { clean: ¦ }`).labels, ['true', 'false', '$page']);
    assert.deepEqual(at('domains: { one: { pages: [4K, ¦] } }').labels, ['4K', '2M', '1G']);
  });

  it('offers the tables of the vendor, and of stage 1 for guests', () => {
    assert.deepEqual(at('machine: { vendor: vt-d, tables: ¦').labels, ['second-stage', 'first-stage']);
    assert.deepEqual(at(`${HEAD}steps:\n  - guest: { tables: ¦ }`).labels, ['first-stage', '$page']);
  });

  it('offers nothing in comments and in text over lines', () => {
    assert.deepEqual(at(`${HEAD}# about ¦`).labels, []);
    assert.deepEqual(at(`${HEAD}about: |\n  It ¦\n`).labels, []);
  });
});

describe('hover over scenarios', () => {
  const over = (text: string) => {
    const offset = text.indexOf('¦');
    const plain = text.replace('¦', '');
    const found = hoverScenario(plain, offset);
    return found && { ...found, what: plain.slice(found.start, found.end) };
  };

  it('explains keys: what they take, their default, an example', () => {
    const found = over(`${HEAD}steps:\n  - dma: { iova: 0, le¦ngth: 4K }`);
    assert.equal(found?.what, 'length');
    assert.match(found.markdown, /\*\*length\*\* — a size: 4096, 4K[^]*Default: `64`/);
    assert.match(over(`${HEAD}steps:\n  - sp¦lit: {}`)?.markdown ?? '', /```yaml\n- split: \{/);
  });

  it('explains ids, parameters and names', () => {
    assert.match(over('machine: { driverFaults: [one-¦replica] }')?.markdown ?? '', /`one-replica` \w/);
    assert.match(over(`${HEAD}steps: [{ dma: { iova: $p¦age } }]`)?.markdown ?? '', /`page`: `0x1000`/);
    assert.match(
      over(`${HEAD}steps:\n  - attach: { device: n¦ic, to: one }`)?.markdown ?? '',
      /`nic`.*devices/,
    );
  });

  it('says nothing where nothing is known', () => {
    assert.equal(over(`${HEAD}# no¦te`), null);
    assert.equal(over('nonsense: { he¦re: 1 }'), null);
  });
});

describe('help with scenarios', () => {
  it('takes less than 10 ms of computing for 1,000 lines', () => {
    const text = `${HEAD}steps:\n${'  - dma: { device: nic, iova: 0x1000, length: 4K }\n'.repeat(1000)}`;
    const offset = text.length - 12;
    const times = Array.from({ length: 30 }, () => {
      const begun = process.cpuUsage().user;
      assert.ok(completeScenario(text, offset).items.length > 0);
      hoverScenario(text, offset);
      return (process.cpuUsage().user - begun) / 2000;
    });
    assert.ok(Math.min(...times) < 10, `${Math.min(...times)} ms`);
  });
});
