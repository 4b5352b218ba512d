import * as fs from 'node:fs';
import { createGzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { startEngine } from '../src/inspection/node/startEngine';
import { type DomainKey, type EngineClient, type TreeNode } from '../src/inspection/protocol';
import { type DomainImage } from './domainImage';

/** A time that is shown and compared with nothing. */
export interface Figure {
  readonly bench: string;
  /** Median of wall-clock times, through the worker, as the editor has it. */
  readonly ours: number;
  readonly unit: 'ms';
}

const ROUNDS = 3;
const PAGE = { limit: 1000 };

/** Opening and first answers, through the engine's worker. `workerPath` is its bundle. */
export async function figures(image: DomainImage, workerPath: string): Promise<readonly Figure[]> {
  const packedPath = `${image.imagePath}.gz`;
  if (!fs.existsSync(packedPath)) {
    const partial = `${packedPath}.partial`;
    await pipeline(
      fs.createReadStream(image.imagePath),
      createGzip({ level: 1 }),
      fs.createWriteStream(partial),
    );
    fs.renameSync(partial, packedPath);
  }
  const times = new Map<string, number[]>();
  const note = (name: string, milliseconds: number): void => {
    times.set(name, [...(times.get(name) ?? []), milliseconds]);
  };
  for (let round = 0; round < ROUNDS; round++) {
    const engine = await startEngine({ workerPath });
    await open(engine, image, image.imagePath, (time) => note('open raw', time));
    await firstAnswers(engine, image.imagePath, note);
    await open(engine, image, packedPath, (time) => note('open gzip', time));
    await engine.dispose();
  }
  return [...times].map(([bench, each]) => {
    const middle = each.sort((a, b) => a - b)[each.length >> 1] ?? NaN;
    return { bench, ours: Number(middle.toPrecision(3)), unit: 'ms' };
  });
}

async function timed<T>(work: () => Promise<T>, took: (milliseconds: number) => void): Promise<T> {
  const start = performance.now();
  const result = await work();
  took(performance.now() - start);
  return result;
}

async function open(
  engine: EngineClient,
  image: DomainImage,
  file: string,
  took: (milliseconds: number) => void,
): Promise<void> {
  const description = fs.readFileSync(image.descriptionPath, 'utf8');
  const params = { inspection: file, description, image: { kind: 'path', path: file } } as const;
  await timed(() => engine.request('open', params), took);
}

/** Opens the tree from its top down to leaves, always at the first node, and lists the domain's first runs. */
async function firstAnswers(
  engine: EngineClient,
  inspection: string,
  note: (name: string, milliseconds: number) => void,
): Promise<void> {
  let domain: DomainKey | undefined;
  let parent: TreeNode | undefined;
  do {
    const params = { inspection, ...(parent && { node: parent.id }), page: PAGE };
    const page = await timed(
      () => engine.request('children', params),
      (time) => note(`children of ${parent?.kind ?? 'the image'}`, time),
    );
    parent = page.rows[0];
    if (parent?.kind === 'domain') domain = parent.domain;
  } while (parent && parent.kind !== 'run');
  if (!domain) throw new Error('The tree shows no domain.');
  const list = { inspection, domain, page: PAGE };
  for (const where of ['', 'perm = w and dirty', 'size > 4K']) {
    await timed(
      () => engine.request('list', { ...list, where }),
      (time) => note(where === '' ? 'list, 1000 runs' : `list where ${where}`, time),
    );
  }
}
