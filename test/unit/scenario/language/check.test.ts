import assert from 'node:assert/strict';
import { STEP_EXAMPLES } from '../../../../src/scenario/language/examples';
import { readScenario } from '../../../../src/scenario/language/read';
import { ACTIONS } from '../../../../src/scenario/language/schema/steps';
import { TEMPLATES } from '../../../../src/scenario/templates/index';
import { expectProblems, scenarioText } from './support';

describe('steps of a scenario', () => {
  it('do one thing each', () => {
    expectProblems(
      scenarioText({ steps: '{ wait: { cycles: 1 }, «dma»: { iova: 0 } }, «{» note: hi }' }),
      { says: /does one thing, and steps\[0\] has wait and dma/ },
      { says: /steps\[1\] does nothing/, hint: /one of dma/ },
    );
  });

  it('are told as misspelt, and not as empty', () => {
    expectProblems(scenarioText({ steps: '{ «dmaa»: { iova: 0 } }' }), {
      says: /no key "dmaa"/,
      hint: /"dma"/,
    });
  });

  it('have moments with one of after and every', () => {
    const moments =
      '[«{» steps: [{ wait: { cycles: 1 } }] }, «{» after: 1, every: 2, steps: [{ wait: { cycles: 1 } }] }]';
    expectProblems(
      scenarioText({ steps: `{ during: { step: { wait: { cycles: 1 } }, moments: ${moments} } }` }),
      { says: /neither after nor every/ },
      { says: /both after and every/ },
    );
  });

  it('name what is there, and what was made before', () => {
    expectProblems(
      scenarioText({
        steps:
          '{ attach: { device: «nik», to: «later» } }, { createDomain: { name: later } }, { attach: { device: nic, to: later } }, { guestMap: { guest: «os», iova: 0, length: 4K, to: 0 } }',
        rest: 'migrate: { link: 1Gbps, domains: [later, «latr»] }',
      }),
      { says: /"nik" is none of the devices/, hint: /"nic"/ },
      { says: /"later" is nothing to attach to/ },
      { says: /"os" is none of the guests/ },
      { says: /"latr" is none of the domains/, hint: /"later"/ },
    );
  });

  it('give each name once, and not in every round', () => {
    expectProblems(
      scenarioText({
        steps:
          '{ createDomain: { name: «one» } }, { repeat: { times: 2, steps: [{ createDomain: { name: «two» } }] } }, { createDomain: { name: «blocked» } }',
      }),
      { says: /"one" is a name already/ },
      { says: /"two" would be made once in every round/ },
      { says: /"blocked" means something else/ },
    );
  });

  it('need what the machine has', () => {
    expectProblems(
      scenarioText({
        steps:
          '{ «cpu»: { address: 0 } }, { «type1»: { action: report } }, { «traffic»: { requests: 1 } }, { deviceState: { device: «nic», state: STOP } }, { dmaLog: { device: «nic», action: read } }, { «guest»: { name: os } }, { evict: { iommu: «iommu1» } }',
      }),
      { says: /cpu needs CPUs/, hint: /cpu: \{\}/ },
      { says: /type1 needs/ },
      { says: /No device has traffic/ },
      { says: /nic has no VFIO states/ },
      { says: /nic keeps no log/ },
      { says: /"one" is no nest parent/ },
      { says: /no IOMMU "iommu1"/, hint: /"iommu0"/ },
    );
  });

  it('may lack it where that is what they are about', () => {
    expectProblems(scenarioText({ steps: '{ cpu: { address: 0 }, errno: EINVAL }' }));
  });
});

describe('how much a scenario does', () => {
  it('is at most 1,000,000 steps, told at the outermost repeat', () => {
    const inner = '{ repeat: { times: 1001, steps: [{ wait: { cycles: 1 } }] } }';
    expectProblems(scenarioText({ steps: `{ repeat: { times: «1000», steps: [${inner}] } }` }), {
      says: /more than 1,000,000 steps/,
    });
    expectProblems(scenarioText({ steps: `{ repeat: { times: 999, steps: [${inner}] } }` }));
  });

  it('is at most 1,000,000,000 requests', () => {
    const traffic = '{ traffic: { requests: 1_000_000, traffic: { kind: nvme } } }';
    expectProblems(scenarioText({ steps: `{ repeat: { times: «1001», steps: [${traffic}] } }` }), {
      says: /more than 1,000,000,000 requests/,
    });
    expectProblems(scenarioText({ steps: `{ repeat: { times: 1000, steps: [${traffic}] } }` }));
  });

  it('is at most 2,000,000 requests that are told one by one', () => {
    const dma = '{ dma: { iova: 0, count: 1_000_000 } }';
    expectProblems(scenarioText({ steps: `{ repeat: { times: «3», steps: [${dma}] } }` }), {
      says: /more than 2,000,000 single requests/,
      hint: /Use traffic/,
    });
    expectProblems(scenarioText({ steps: `{ repeat: { times: 2, steps: [${dma}] } }` }));
  });

  it('is at most 100 migrations', () => {
    const text = (times: string) =>
      scenarioText({
        steps: `{ repeat: { times: ${times}, steps: [{ migrate: { link: 1Gbps } }] } }`,
      }).replace('devices: [nic]', 'devices: [nic], dirtyTracking: on');
    expectProblems(text('«101»'), { says: /more than 100 migrations/ });
    expectProblems(text('100'));
  });
});

describe('the machine of a scenario', () => {
  it('has tables and capabilities of its vendor', () => {
    expectProblems(
      scenarioText({ machine: ', tables: «v1», capabilities: { «nestng»: true, pages1G: «3» }' }),
      { says: /"v1" are none of vt-d/, hint: /second-stage, first-stage/ },
      { says: /nestng is no capability/, hint: /"nesting"/ },
      { says: /pages1G is 3/ },
    );
  });

  it('is one that there can be, told at the field that it is about', () => {
    expectProblems(scenarioText().replace('1G', '«64T»'), { says: /at most 16T/ });
    expectProblems(scenarioText().replace('1G', '«1234567»'), { says: /not a multiple of the granule/ });
    expectProblems(scenarioText({ machine: ', rules: { iotlb: { sets: «3», ways: 4 } }' }), {
      says: /cache/,
      hint: /power of two/,
    });
    expectProblems(scenarioText({ domains: ', two: { «pages»: [3K] }' }), { says: /"3K" is no page size/ });
    expectProblems(scenarioText({ machine: ', capabilities: { secondStage: «false» }', domains: '' }), {
      says: /ECAP/,
    });
  });

  it('is refused where it would be too large to hold', () => {
    expectProblems(
      scenarioText({ machine: ', capabilities: { coherentScalable: false, dirtyTracking: false }' })
        .replace('1G', '«16T»')
        .replace('devices: [nic]', 'pages: [4K], devices: [nic]'),
      {
        says: /more entries than a machine holds/,
      },
    );
  });

  it('has devices of different ids, each in one domain', () => {
    expectProblems(
      scenarioText({
        devices: ', b: { requester: «00:02.0» }, c: { requester: «zz» }',
        domains: ', two: { devices: [«nic»] }',
      }),
      { says: /nic is that device already/ },
      { says: /"zz" is no device/ },
      { says: /nic is attached to one already/ },
    );
  });

  it('has a domain and a device', () => {
    const text = scenarioText().replace('{ one: { devices: [nic] } }', '{}').replace('domains', '«domains»');
    expectProblems(text, { says: /one domain at least/ });
    expectProblems(
      'version: 2\ntitle: x\nmachine: { vendor: riscv, memory: 1G }\n«devices»: {}\ndomains: { a: {} }\n',
      {
        says: /1 to 64 devices, not 0/,
      },
    );
  });
});

describe('examples of scenarios', () => {
  it('show a step of each kind', () => {
    assert.deepEqual(Object.keys(STEP_EXAMPLES).sort(), [...ACTIONS].sort());
  });

  for (const [action, example] of Object.entries(STEP_EXAMPLES)) {
    it(`have a step ${action} that is right`, () => {
      const before = [
        'createDomain: { name: empty }',
        'guest: { name: os }',
        'viommu: { name: virtual }',
      ].filter((made) => !example.startsWith(`${action}: { name`) || !made.startsWith(action));
      const text = `version: 2
title: ${action}
machine: { vendor: smmuv3, memory: 1G, cpu: {}, type1: {} }
devices:
  nic: { requester: 00:02.0, traffic: { kind: rx-ring, rate: 1Gbps } }
  acc: { requester: 00:03.0, vfio: { model: hisi-acc }, log: {} }
domains: { one: { nestParent: true, dirtyTracking: off, devices: [nic, acc] } }
steps:
${[...before, example].map((step) => `  - ${step}`).join('\n')}
`;
      assert.deepEqual(readScenario(text).problems, []);
    });
  }

  for (const { id, title, about, text } of TEMPLATES) {
    it(`have a template ${id} that is right`, () => {
      assert.deepEqual(readScenario(text).problems, []);
      assert.ok(title.length > 0 && about.length > 0);
    });
  }
});

describe('the outline of a scenario', () => {
  it('says what it needs, and whether it migrates', () => {
    const text = scenarioText({
      devices: ', b: { requester: 00:03.0, traffic: { kind: trace, file: b.jsonl, rate: 1Gbps } }',
      steps: '{ repeat: { times: 2, steps: [{ replay: { file: a.jsonl.gz } }] } }',
      rest: 'variants: { plain: {}, moved: { migrate: { link: 1Gbps } } }',
    }).replace('devices: [nic]', 'devices: [nic], dirtyTracking: on');
    const { outline, problems } = readScenario(text);
    assert.deepEqual(problems, []);
    assert.deepEqual([...(outline?.files ?? [])].sort(), ['a.jsonl.gz', 'b.jsonl']);
    assert.equal(outline?.migrates, true);
    assert.equal(text.slice(outline.start, outline.end), 'A test');
  });

  it('counts more memory for a larger guest', () => {
    const memory = (size: string) => readScenario(scenarioText().replace('1G', size)).outline?.memory ?? 0;
    assert.ok(memory('1T') > memory('64G') && memory('64G') > memory('1G'));
    assert.ok(memory('1T') < 2 ** 32);
  });
});
