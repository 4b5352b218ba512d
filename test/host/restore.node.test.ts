import * as path from 'node:path';
import * as vscode from 'vscode';
import { EngineHost } from '../../src/host/engineHost';
import { Inspections } from '../../src/host/inspections';
import { readDescription } from '../../src/host/description';
import { startEngine } from '../../src/inspection/node/startEngine';
import { CANCELLED, RequestError, type EngineClient, type Progress } from '../../src/inspection/protocol';
import { deepEqual, equal, ok, rejects } from './assert';
import { EXTENSION, inFolder, writeText } from './support';

/** A workspace's state, kept in memory as VS Code keeps it: as JSON. */
class State implements vscode.Memento {
  private readonly values = new Map<string, string>();

  keys(): readonly string[] {
    return [...this.values.keys()];
  }

  get<T>(key: string, otherwise?: T): T | undefined {
    const value = this.values.get(key);
    return value === undefined ? otherwise : (JSON.parse(value) as T);
  }

  update(key: string, value: unknown): Promise<void> {
    this.values.set(key, JSON.stringify(value));
    return Promise.resolve();
  }
}

interface Window {
  readonly engine: EngineHost;
  readonly inspections: Inspections;
  /** How many engines it has started. */
  readonly starts: () => number;
}

const log = vscode.window.createOutputChannel('IOPTE test', { log: true });
const root = (): string => vscode.extensions.getExtension(EXTENSION)?.extensionPath ?? '';
const engineWorker = (): string => path.join(root(), 'dist', 'engineWorker.js');

/** What activate wires for the engine, over a given state. */
function openWindow(state: State, start: () => Promise<EngineClient>): Window {
  let starts = 0;
  const engine: EngineHost = new EngineHost(
    () => {
      starts++;
      return start();
    },
    (id) => inspections.openParams(id),
    log,
  );
  const inspections: Inspections = new Inspections(state, engine, true);
  return { engine, inspections, starts: () => starts };
}

async function sourceOf(uri: vscode.Uri) {
  const description = await readDescription(uri);
  ok(description.ok);
  const { text, image } = description.value;
  return { title: 'test', description: text, descriptionUri: uri, imageUri: image };
}

/** Every node of the tree of the only inspection, in order. */
async function tree({ inspections }: Window): Promise<readonly unknown[]> {
  const [inspection] = inspections.all;
  ok(inspection);
  const nodes: unknown[] = [];
  const visit = async (node?: string): Promise<void> => {
    const where = inspection.where;
    const page = { limit: 1000 };
    const params = { ...(node !== undefined && { node }), ...(where !== '' && { where }), page };
    for (const child of (await inspections.ask(inspection, 'children', params)).rows) {
      nodes.push(child);
      const leaf = ['run', 'entry', 'message'].includes(child.kind) || ('failure' in child && child.failure);
      if (!leaf) await visit(child.id);
    }
  };
  await visit();
  return nodes;
}

describe('restoring', () => {
  const opened: Window[] = [];
  const start = (): Promise<EngineClient> => startEngine({ workerPath: engineWorker() });
  const window = (state: State, starter = start): Window => {
    const made = openWindow(state, starter);
    opened.push(made);
    return made;
  };
  after(async () => {
    for (const { engine, inspections } of opened) {
      inspections.dispose();
      await engine.dispose();
    }
    log.dispose();
  });

  it('brings back images, filter and walk in a new window, and only when they are asked for', async () => {
    const state = new State();
    const before = window(state);
    const { inspection } = await before.inspections.add(await sourceOf(inFolder('vtd-3level-1g.iopte.json')));
    await before.inspections.setFilter(inspection, 'size >= 2M');
    const request = { requester: 0x10, pasid: null, iova: 0xffee0000n, access: 'read' as const };
    const walk = await before.inspections.walk(inspection, undefined, request);
    const nodes = await tree(before);
    await before.engine.dispose();

    const after = window(state);
    const [restored] = after.inspections.all;
    ok(restored);
    equal(after.starts(), 0, 'nothing was asked yet');
    equal(restored.where, 'size >= 2M');
    deepEqual(await after.inspections.lastWalk(restored), walk);
    deepEqual(await tree(after), nodes);
    equal(after.starts(), 1);
  });

  it('brings back the description as it was opened, though the file has changed', async () => {
    const state = new State();
    const before = window(state);
    const source = await sourceOf(inFolder('vtd-4level.iopte.json'));
    await writeText('changing.iopte.json', source.description);
    const { summary } = await before.inspections.add(await sourceOf(inFolder('changing.iopte.json')));
    await before.engine.dispose();
    await writeText('changing.iopte.json', source.description.replace('dmar0', 'other'));

    const after = window(state);
    const [restored] = after.inspections.all;
    ok(restored);
    deepEqual(await after.inspections.summary(restored), summary);
  });

  it('rebuilds a worker that died while it was asked, bit for bit', async () => {
    // A worker that ends itself, as a crash would, at the second `children` question of its first life.
    const lives = 'crashing-worker-lives';
    await writeText(
      'crashingWorker.cjs',
      `const { parentPort } = require('node:worker_threads');
       const fs = require('node:fs');
       const file = ${JSON.stringify(path.join(inFolder('.').fsPath, lives))};
       let asked = 0;
       parentPort.on('message', ({ method }) => {
         if (method !== 'children' || ++asked < 2 || fs.existsSync(file)) return;
         fs.writeFileSync(file, '');
         process.exit(3);
       });
       require(${JSON.stringify(engineWorker())});`,
    );
    const worker = inFolder('crashingWorker.cjs').fsPath;
    const steady = window(new State());
    const source = await sourceOf(inFolder('vtd-3level-1g.iopte.json'));
    await steady.inspections.add(source);
    const crashing = window(new State(), () => startEngine({ workerPath: worker }));
    await crashing.inspections.add(source);
    deepEqual(await tree(crashing), await tree(steady));
    equal(crashing.starts(), 2);
  });

  it('asks once more what was pending when the engine was ended', async () => {
    const { engine, inspections, starts } = window(new State());
    const { inspection, summary } = await inspections.add(await sourceOf(inFolder('vtd-4level.iopte.json')));
    const pending = inspections.ask(inspection, 'domains', { page: { limit: 1000 } });
    await engine.end();
    equal((await pending).rows.length, 9);
    deepEqual(await inspections.summary(inspection), summary);
    equal(starts(), 2);
  });

  it('tells the caller when the engine is lost again and again', async () => {
    await writeText(
      'dyingWorker.cjs',
      `require('node:worker_threads').parentPort.on('message', () => process.exit(3));
       require(${JSON.stringify(engineWorker())});`,
    );
    const dying = window(new State(), () => startEngine({ workerPath: inFolder('dyingWorker.cjs').fsPath }));
    const why = await rejects(dying.engine.ask('checkFilter', { where: '' }));
    ok(why instanceof RequestError && why.code === 'engine/lost');
    equal(dying.starts(), 2);
  });

  it('leaves nothing behind when an opening is cancelled, and the host is free meanwhile', async () => {
    const large = window(new State());
    const fixture = path.join(root(), 'test/fixtures/corpus/large/vtd-small-share.fullsize-zeroed.elf.gz');
    const source = await sourceOf(inFolder('vtd-4level.iopte.json'));
    const listeners = new Set<() => void>();
    const signal = {
      aborted: false,
      addEventListener: (_: 'abort', listener: () => void) => listeners.add(listener),
      removeEventListener: (_: 'abort', listener: () => void) => listeners.delete(listener),
    };
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    const reported: Progress[] = [];
    let shown = 0;
    const onProgress = (progress: Progress): void => {
      reported.push(progress);
      shown += large.inspections.all.length;
      if (reported.length < 3) return;
      signal.aborted = true;
      for (const listener of listeners) listener();
    };
    const opening = large.inspections.add(
      { ...source, imageUri: vscode.Uri.file(fixture) },
      { signal, onProgress },
    );
    const why = await rejects(opening);
    clearInterval(ticking);
    ok(why instanceof RequestError && why.code === CANCELLED, String(why));
    ok(turns > 3, `the extension host ran ${String(turns)} times meanwhile`);
    deepEqual(large.inspections.all, []);
    equal(shown, 0, 'no view shows an image before it is open');
    const [first] = reported;
    ok(first !== undefined && first.message !== '');
    // The engine is as good as before.
    const { summary } = await large.inspections.add(source);
    equal(summary.iommus.length, 1);
  });
});
