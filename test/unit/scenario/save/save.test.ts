import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as fc from 'fast-check';
import { type Machine } from '../../../../src/engine/machine/machine';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { type MachineSpec } from '../../../../src/engine/machine/spec';
import { frameNumber } from '../../../../src/engine/values';
import { runSteps } from '../../../../src/engine/steps';
import { readScenario } from '../../../../src/scenario/language/read';
import { type SavedScenario, saveMachine } from '../../../../src/scenario/save/save';
import { type ScenarioRun } from '../../../../src/scenario/run/run';
import { failuresOf, passes, runText, withSteps } from '../run/bench';
import { randomScenario, textOf } from '../run/randomScenario';

function saved(
  spec: MachineSpec,
  operations: readonly MachineOperation[],
  title = 'A saved one',
): SavedScenario {
  const made = runSteps(saveMachine(spec, operations, title));
  assert.ok(made.ok);
  return made.value;
}

/** Runs what was saved: all of it comes true. */
function runSaved({ text, files }: SavedScenario): ScenarioRun {
  const { problems } = readScenario(text);
  assert.deepEqual(problems, [], text);
  const run = runText(text, { files: new Map(Object.entries(files)) });
  assert.deepEqual(failuresOf(run.outcome), [], text);
  return run;
}

/** What can be seen of a machine, but how many steps it took: traffic may be dealt out to more operations. */
function seen(machine: Machine | undefined) {
  assert.ok(machine);
  const frames = [...machine.memory.heldFrames()].sort((one, other) => one - other);
  return {
    frames,
    words: frames.map((frame) => machine.memory.readFrame(frameNumber(frame))),
    cached: [...machine.cached()],
    totals: machine.ledgerTotals,
    behind: machine.ledger.behind,
    counters: machine.units.map(({ iommu }) => ({ ...iommu.counters })),
    faults: machine.units.map(({ iommu }) => [...iommu.faults.entries()]),
    devices: machine.devices.map(({ requester, pasid, to }) => ({ requester, pasid, to })),
  };
}

const again = ({ spec, operations, machine }: ScenarioRun): ScenarioRun => {
  const run = runSaved(saved(spec, operations));
  assert.deepEqual(seen(run.machine), seen(machine));
  return run;
};

describe('machines saved as scenarios', () => {
  it('read as someone would have written them', () => {
    const { spec, operations } = passes(
      withSteps(
        'steps:\n- dma: { iova: 0x5000, count: 3, lands: 0x5000 }\n- dma: { iova: 0x2000000, refused: not-present }\n- { map: { iova: 0x0, length: 4K }, errno: EEXIST }\n- createDomain: { name: spare, pages: [4K] }\n- attach: { device: nic, to: spare }\n- readDirty: { pageSize: 8K }',
      ),
    );
    const { text, files } = saved(spec, operations, 'What was done');
    assert.deepEqual(files, {});
    assert.equal(
      text,
      `# Saved from a machine.

version: 2
title: What was done
machine: { vendor: vt-d, tables: second-stage, memory: 16M }
devices:
  nic0: { requester: 00:02.0 }
domains:
  domain0: { maps: guest, pages: [ 4K ], dirtyTracking: on, devices: [ nic0 ] }
steps:
  - dma: { device: nic0, iova: 0x5000, length: 64, access: write, count: 3 }
  - dma: { device: nic0, iova: 0x2000000, length: 64, access: write, refused: not-present }
  - map: { iova: 0x0, length: 4K }
    errno: EEXIST
  - createDomain: { name: domain1, pages: [ 4K ] }
  - attach: { device: nic0, to: domain1 }
  - readDirty: { pageSize: 8K }
`,
    );
  });

  it('make the same machine', () => {
    again(
      passes(
        withSteps(
          'steps:\n- traffic: { requests: 300, traffic: { kind: nvme, reads: 0.5 } }\n- split: { size: 4K }\n- traffic: { requests: 300, traffic: { kind: nvme, reads: 0.5 } }\n- readDirty: { clear: false }\n- collapse: { size: 2M, iova: 0x200000, length: 2M }',
          'pages: [4K, 2M], dirtyTracking: on',
        ),
      ),
    );
  });

  it('make the same guests, commands, CPUs and devices', () => {
    const run = passes(
      `version: 2
title: Much
machine: { vendor: smmuv3, tables: stage2-4k, memory: 16M, seed: 9, rules: { evictEvery: 3 }, cpu: { vcpus: 2, logsHostWriters: false } }
devices:
  nic: { requester: 00:02.0, vfio: { model: hisi-acc, writesBack: stop, writeBackTo: 0x7000 }, log: { mostRanges: 4 } }
  gpu: { requester: 00:03.0, ats: true }
domains:
  vm: { pages: [4K], nestParent: true, devices: [nic] }
steps:
  - viommu: { name: v }
  - vdevice: { viommu: v, device: gpu, id: 0x5 }
  - guest: { name: os, viommu: v }
  - guestMap: { guest: os, iova: 0x201000, length: 8K, to: 0x5000 }
  - attach: { device: gpu, to: os }
  - dma: [{ device: gpu, iova: 0x201000, lands: 0x5000 }, { device: nic, iova: 0x9000 }]
  - guestUnmap: { guest: os, iova: 0x201000, length: 4K, invalidate: false }
  - guestCommands: { viommu: v, commands: [{ name: CMD_TLBI_NH_ALL }] }
  - dma: { device: gpu, iova: 0x201000, access: read }
  - cpu: { vcpu: 1, address: 0x6000 }
  - hostWrite: { by: vhost, address: 0x8000, length: 8K }
  - zap: { address: 0x6000, length: 4K, reason: balloon }
  - harvestCpu: {}
  - copy: { address: 0x8000, length: 4K }
  - dmaLog: { device: nic, action: start, ranges: [{ iova: 0x0, length: 16M }] }
  - deviceState: { device: nic, state: STOP }
  - evict: { cache: walk }
  - writeWord: { address: 0x100000ff8, word: 0x0 }
`.replace('  - dma: { device: gpu, iova: 0x201000, access: read }\n', ''),
    );
    again(run);
  });

  it('tell what is done during an operation', () => {
    const steps =
      'steps:\n- dma: { iova: 0x200000, access: read }\n- during: { step: { split: { iova: 0x200000, length: 2M, size: 4K, protocol: split.snapshot-store } }, moments: [{ after: 5, steps: [{ dma: { iova: 0x203000 } }, { evict: { all: false } }] }, { every: poll, runsCommands: true, steps: [{ wait: { cycles: 1 } }, { dma: { iova: 0x204000, count: 60 } }] }], holdsCommands: true }';
    const { operations } = again(passes(withSteps(steps, 'pages: [4K, 2M], dirtyTracking: on')));
    assert.deepEqual(
      operations.map(({ kind }) => kind),
      ['dma', 'during'],
    );
  });

  it('put many requests into a file', () => {
    const lines = Array.from({ length: 80 }, (_, index) => ({
      sid: index % 3 === 0 ? '00:02.0' : '00:09.0',
      iova: `0x${(index * 0x1230).toString(16)}`,
      length: 1 + index,
      access: 'write' as const,
    }));
    const { spec } = passes(withSteps('steps: []'));
    const whole = saved(spec, [{ kind: 'dma', requests: lines }], 'Über: many, many requests!');
    const [name = '', ...others] = Object.keys(whole.files);
    assert.deepEqual(others, []);
    assert.match(name, /^ber-many-many-requests-[0-9a-f]{16}\.jsonl$/);
    assert.ok(whole.text.includes(`- replay: { file: ${name}, refused: 53 }`), whole.text);
    const { operations } = runSaved(whole);
    assert.deepEqual(operations, [{ kind: 'dma', requests: lines }]);
  });

  it('name a file by what is in it, so that two of one title never stand in for each other', () => {
    const { spec } = passes(withSteps('steps: []'));
    const filesOf = (start: number): Readonly<Record<string, Uint8Array>> => {
      const requests = Array.from({ length: 80 }, (_, index) => ({
        ...{ sid: '00:02.0', iova: `0x${(start + index * 0x1230).toString(16)}` },
        ...{ length: 1 + index, access: 'write' as const },
      }));
      return saved(spec, [{ kind: 'dma', requests }], 'One title').files;
    };
    const [one, other] = [filesOf(0), filesOf(1)];
    assert.equal(Object.keys({ ...one, ...other }).length, 2);
    assert.deepEqual(filesOf(0), one);
    const sum = (bytes: Uint8Array): string =>
      [...bytes]
        .reduce((hash, byte) => ((hash ^ BigInt(byte)) * 0x100000001b3n) % 2n ** 64n, 0xcbf29ce484222325n)
        .toString(16)
        .padStart(16, '0');
    for (const [name, bytes] of Object.entries(one)) assert.equal(name, `one-title-${sum(bytes)}.jsonl`);
  });

  it('write the requests of generators that no step makes', () => {
    const { spec } = passes(withSteps('steps: []'));
    const traffic = {
      kind: 'descriptor-ring',
      entries: 8,
      entry: 16,
      memory: { start: '0x1000', length: '64K' },
    } as const;
    const operation: MachineOperation = {
      ...{ kind: 'traffic', requests: 60, seed: 77, skip: 5 },
      sources: [{ requester: '00:02.0', traffic }],
    };
    const { operations, machine } = runSaved(saved(spec, [operation]));
    assert.deepEqual(
      operations.map(({ kind }) => kind),
      ['dma'],
    );
    assert.equal(machine?.units[0]?.iommu.counters.requests, 60);
  });

  it('write more than a thousand steps', () => {
    const { spec } = passes(withSteps('steps: []'));
    const many = Array.from({ length: 2500 }, (): MachineOperation => ({
      kind: 'evict',
      iommu: 'iommu0',
      all: true,
    }));
    assert.equal(runSaved(saved(spec, many)).operations.length, 2500);
  });

  it('leave out what named nothing, and say so', () => {
    const { spec } = passes(withSteps('steps: []'));
    const operations: MachineOperation[] = [
      { kind: 'invalidate', domain: 99 },
      { kind: 'attach', requester: '00:02.0', to: 98 },
    ];
    const { text } = saved(spec, operations);
    assert.match(text, /note: "?Left out: invalidate, which was refused: there is no domain 99/i);
    assert.deepEqual(readScenario(text).problems, []);
  });

  it('make the same where operations race, of the samples', () => {
    const folder = path.join(__dirname, '../../../../samples/bugs');
    const texts = readdirSync(folder)
      .filter((file) => file.endsWith('.iopte.yaml'))
      .map((file) => readFileSync(path.join(folder, file), 'utf8'))
      .filter((text) => text.includes('during:'));
    assert.ok(texts.length > 5);
    for (const text of texts.slice(0, 6)) {
      const variants = readScenario(text).outline?.variants ?? [];
      for (const { name } of variants) again(passes(text, { variant: name }));
    }
  });

  it('make the same of random machines', function () {
    this.timeout(120_000);
    let compared = 0;
    fc.assert(
      fc.property(randomScenario, (random) => {
        const text = textOf(random);
        if (!readScenario(text).variant(null).scenario) return;
        const run = runText(text);
        if (!run.machine) return;
        compared++;
        again(run);
      }),
      { numRuns: 8, seed: 11 },
    );
    assert.ok(compared > 4, `${compared} of 8`);
  });
});
