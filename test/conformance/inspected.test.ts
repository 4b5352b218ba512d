/** The independently built images, saved as files and opened as a user would: the inspection answers as the engine does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type EngineClient,
  type TranslateRequest,
  type Translation,
  type TreeNode,
  type WalkStep,
} from '../../src/inspection/protocol';
import { builtAmd } from '../builders/independent/amd';
import { riscvImages, smmuv3Images } from '../builders/independent/armRiscvImages';
import { eptImages } from '../builders/independent/ept';
import { builtVtd } from '../builders/independent/vtd';
import { type BuiltImage, type Expectation } from '../builders/built';
import { buildElf } from '../builders/elf';
import { inProcessEngine } from '../unit/inspection/inProcess';

const folder = mkdtempSync(path.join(tmpdir(), 'iopte-inspected-'));
const { client } = inProcessEngine();
after(async () => {
  await client.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const FRAME = 4096;
const images = [...builtVtd(), ...builtAmd(), ...smmuv3Images(), ...riscvImages(), ...eptImages()];

/** Physical addresses beyond 2^52 cannot stand in a file's headers; no machine's memory reaches there. */
const framesOf = ({ frames }: BuiltImage) => [...frames].filter(([frame]) => frame < 2 ** 40);

function description(image: BuiltImage, file: string, segments?: readonly object[]): string {
  const registers = Object.fromEntries(
    Object.entries(image.registers).map(([name, value]) => [name, `0x${value.toString(16)}`]),
  );
  return JSON.stringify({
    version: 1,
    image: segments ? { file, segments } : file,
    iommus: [{ name: 'iommu0', kind: image.kind, segment: 0, registers }],
  });
}

async function openElf(image: BuiltImage, inspection: string): Promise<void> {
  const loads = framesOf(image).map(([frame, words]) => ({
    paddr: frame * FRAME,
    bytes: new Uint8Array(words.buffer, words.byteOffset, words.byteLength),
  }));
  const file = path.join(folder, `${inspection}.elf`);
  writeFileSync(file, buildElf({ loads, alignment: FRAME, extendedCount: loads.length >= 0xffff }));
  await open(inspection, description(image, `${inspection}.elf`), file);
}

async function openRaw(image: BuiltImage, inspection: string): Promise<void> {
  const frames = framesOf(image);
  const file = path.join(folder, `${inspection}.raw`);
  writeFileSync(file, Buffer.concat(frames.map(([, words]) => new Uint8Array(words.buffer.slice(0)))));
  const segments = frames.map(([frame], index) => ({
    paddr: `0x${(frame * FRAME).toString(16)}`,
    offset: index * FRAME,
    length: FRAME,
  }));
  await open(inspection, description(image, `${inspection}.raw`, segments), file);
}

async function open(inspection: string, text: string, file: string): Promise<void> {
  const problems = await client.request('checkDescription', { text });
  assert.deepEqual(
    problems.filter(({ severity }) => severity === 'error'),
    [],
  );
  await client.request('open', {
    inspection,
    description: text,
    image: { kind: 'path', path: file },
  });
}

const requestOf = ({ requester, pasid, iova, access }: Expectation): TranslateRequest => ({
  requester,
  pasid,
  iova,
  access,
});

async function translateAll(
  inspection: string,
  requests: readonly TranslateRequest[],
): Promise<Translation[]> {
  const answers: Translation[] = [];
  for (let first = 0; first < requests.length; first += 4096) {
    const part = requests.slice(first, first + 4096);
    answers.push(...(await client.request('translate', { inspection, requests: part })));
  }
  return answers;
}

/** What an expectation leaves out is not compared. */
function assertAnswer(found: Translation, { answer, why, iova }: Expectation): void {
  const rule = `0x${iova.toString(16)}: ${why}`;
  if (!answer.ok) {
    assert.ok(!found.ok, rule);
    assert.equal(found.fault, answer.fault, rule);
    if (answer.level !== undefined) assert.equal(found.level, answer.level, rule);
    return;
  }
  assert.ok(found.ok, rule);
  const { ok, paddr, size, perm, level } = found;
  assert.deepEqual({ ok, paddr, size, perm, level }, answer, rule);
}

/** Steps of stage 2, wherever they hang. */
function stage2Steps(steps: readonly WalkStep[]): number {
  return steps.reduce((sum, { stage, under }) => sum + (stage === 2 ? 1 : 0) + stage2Steps(under ?? []), 0);
}

describe('independently built images, inspected', function () {
  this.timeout(120_000);
  images.forEach((image, index) => {
    it(`${image.name}: translate and walk give all ${image.expectations.length} answers`, async () => {
      const inspection = `built${index}`;
      await openElf(image, inspection);
      const requests = image.expectations.map(requestOf);
      const answers = await translateAll(inspection, requests);
      for (const [row, expectation] of image.expectations.entries()) {
        const answer = answers[row];
        assert.ok(answer);
        assertAnswer(answer, expectation);
        if (row % 29 !== 0) continue;
        const walked = await client.request('walk', { inspection, request: requestOf(expectation) });
        assert.deepEqual(walked.translation, answer, expectation.why);
      }
      await client.request('close', { inspection });
    });
  });
});

describe('nested tables, inspected', function () {
  this.timeout(60_000);
  const nested = images.filter(
    ({ name }) => /nest|two.stage/i.test(name) && !/without NEST|faults of walks/.test(name),
  );

  it('stand in the builders of every vendor', () => {
    assert.deepEqual([...new Set(nested.map(({ kind }) => kind))].sort(), [
      'amd-vi',
      'riscv',
      'smmuv3',
      'vt-d',
    ]);
  });

  for (const image of nested) {
    it(`${image.name}: a walk shows the stage-2 walk of every stage-1 access and of the result`, async () => {
      await openElf(image, 'nested');
      let shown = 0;
      for (const expectation of image.expectations) {
        if (!expectation.answer.ok || expectation.answer.level === null) continue;
        const { steps } = await client.request('walk', {
          inspection: 'nested',
          request: requestOf(expectation),
        });
        const first = steps.filter(({ stage }) => stage === 1);
        if (first.length === 0) continue;
        assert.ok(
          first.every(({ under }) => under !== undefined && under.length > 0),
          expectation.why,
        );
        assert.equal(steps.at(-1)?.stage, 2);
        assert.ok(stage2Steps(steps) > first.length);
        shown++;
      }
      assert.ok(shown > 0);
      await requireTree(client, 'nested');
      await client.request('close', { inspection: 'nested' });
    });
  }
});

/** Every node of the tree opens, and shows each domain with its stage. */
async function requireTree(engine: EngineClient, inspection: string): Promise<void> {
  const stages = new Set<number>();
  const open = async (node: TreeNode | undefined, depth: number): Promise<void> => {
    if (depth > 9) return;
    const { rows } = await engine.request('children', {
      inspection,
      ...(node ? { node: node.id } : {}),
      page: { limit: 40 },
    });
    for (const row of rows) {
      if (row.kind === 'domain') stages.add(row.domain.stage);
      if (row.kind === 'table') {
        const details = await engine.request('entry', { inspection, entry: row.entry });
        assert.deepEqual(details.words, [row.word]);
      }
      if (row.kind !== 'message' && row.kind !== 'run' && row.kind !== 'entry') await open(row, depth + 1);
    }
  };
  await open(undefined, 0);
  assert.deepEqual([...stages].sort(), [1, 2]);
}

describe('images saved and opened again', function () {
  this.timeout(120_000);
  const REQUESTS = 100_000;
  for (const kind of ['vt-d', 'amd-vi', 'smmuv3', 'riscv'] as const) {
    it(`${kind}: ${REQUESTS} random requests are answered as before`, async () => {
      const [image] = images
        .filter((each) => each.kind === kind)
        .sort((one, other) => translated(other) - translated(one));
      assert.ok(image);
      const random = generator(kind.length * 7919);
      const requests = Array.from({ length: REQUESTS }, (): TranslateRequest => {
        const { requester, pasid, iova } = image.expectations[random(image.expectations.length)] ?? {
          requester: 0,
          pasid: null,
          iova: 0n,
        };
        const near = iova ^ BigInt(random(4) === 0 ? random(2 ** 31) : random(8192));
        return { requester, pasid, iova: near, access: random(2) === 0 ? 'read' : 'write' };
      });
      await openElf(image, 'saved');
      const before = await translateAll('saved', requests);
      await client.request('close', { inspection: 'saved' });
      await openRaw(image, 'reopened');
      const after = await translateAll('reopened', requests);
      await client.request('close', { inspection: 'reopened' });
      assert.deepEqual(after, before);
      const ok = before.filter((answer) => answer.ok).length;
      assert.ok(ok > REQUESTS / 100 && ok < REQUESTS, `${ok} are translated`);
    });
  }
});

const translated = ({ expectations }: BuiltImage): number =>
  expectations.filter(({ answer }) => answer.ok).length;

/** Pseudo-random integers below a bound, by seed. */
function generator(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}
