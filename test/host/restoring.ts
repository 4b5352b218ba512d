/** The suite of restoring, run in both hosts with the engines that they really have. */
import * as vscode from 'vscode';
import { DomainsProvider } from '../../src/host/views/domainsProvider';
import { readDescription } from '../../src/host/description';
import {
  CANCELLED,
  RequestError,
  type CancelSignal,
  type Progress,
  type RequestOptions,
} from '../../src/inspection/protocol';
import { deepEqual, equal, ok, rejects } from './assert';
import { EXTENSION, inFolder, writeText } from './support';
import { describeRestoringMachines } from './restoringMachines';
import { log, openWindow, State, type EngineUnderTest, type Window } from './windows';

class Signal implements CancelSignal {
  aborted = false;
  private readonly listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(): void {
    this.aborted = true;
    for (const listener of this.listeners) listener();
  }
}

/** Inflates to far more than one slice. */
function largeImage(): vscode.Uri {
  const extension = vscode.extensions.getExtension(EXTENSION);
  ok(extension);
  const fixture = 'test/fixtures/corpus/large/vtd-small-share.fullsize-zeroed.elf.gz';
  return vscode.Uri.joinPath(extension.extensionUri, fixture);
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

export function describeRestoring(host: EngineUnderTest): void {
  describe('restoring', () => {
    const opened: Window[] = [];
    const window = (state: State, start = () => host.start(), watching: RequestOptions = {}): Window => {
      const made = openWindow(state, host.canReadPaths, start, watching);
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
      const { inspection } = await before.inspections.add(
        await sourceOf(inFolder('vtd-3level-1g.iopte.json')),
      );
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
      const steady = window(new State());
      const source = await sourceOf(inFolder('vtd-3level-1g.iopte.json'));
      await steady.inspections.add(source);
      let lives = 0;
      const crashing = window(new State(), () =>
        host.start(++lives === 1 ? { method: 'children', nth: 2 } : undefined),
      );
      await crashing.inspections.add(source);
      deepEqual(await tree(crashing), await tree(steady));
      equal(crashing.starts(), 2);
    });

    it('asks once more what was pending when the engine was ended', async () => {
      const { engine, inspections, starts } = window(new State());
      const { inspection, summary } = await inspections.add(
        await sourceOf(inFolder('vtd-4level.iopte.json')),
      );
      const pending = inspections.ask(inspection, 'domains', { page: { limit: 1000 } });
      await engine.end();
      equal((await pending).rows.length, 9);
      deepEqual(await inspections.summary(inspection), summary);
      equal(starts(), 2);
    });

    it('tells the caller when the engine is lost again and again', async () => {
      const dying = window(new State(), () => host.start({ nth: 1 }));
      const why = await rejects(dying.engine.ask('checkFilter', { where: '' }));
      ok(why instanceof RequestError && why.code === 'engine/lost');
      equal(dying.starts(), 2);
    });

    it('leaves nothing behind when an opening is cancelled, and the host is free meanwhile', async () => {
      const large = window(new State());
      const source = await sourceOf(inFolder('vtd-4level.iopte.json'));
      const signal = new Signal();
      let turns = 0;
      const ticking = setInterval(() => turns++, 1);
      const reported: Progress[] = [];
      let shown = 0;
      const onProgress = (progress: Progress): void => {
        reported.push(progress);
        shown += large.inspections.all.length;
        if (reported.length < 3) return;
        signal.abort();
      };
      const opening = large.inspections.add({ ...source, imageUri: largeImage() }, { signal, onProgress });
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

    it('lets a reading that nobody asked for be cancelled, and says how it is read after all', async () => {
      const state = new State();
      const { inspections } = window(state);
      const source = await sourceOf(inFolder('vtd-4level.iopte.json'));
      const { inspection } = await inspections.add(source);
      await inspections.refresh(inspection, { ...source, imageUri: largeImage() });
      const signal = new Signal();
      const onProgress = (): void => {
        signal.abort();
      };
      const after = window(state, () => host.start(), { signal, onProgress });
      const failed: unknown[] = [];
      const provider = new DomainsProvider(after.inspections, {
        read: () => undefined,
        fail: (_inspection, error) => failed.push(error),
      });
      const [image] = await provider.getChildren();
      const [row, ...more] = await provider.getChildren(image);
      ok(row?.kind === 'failure' && more.length === 0);
      equal(row.failure.hint, '"IOPTE: Read Image Again" reads it.');
      deepEqual(failed, [], 'a cancelled reading is no error');
      provider.dispose();
    });

    it('ends what the tree asked when the answer is out of date', async () => {
      const { inspections } = window(new State());
      await inspections.add(await sourceOf(inFolder('vtd-4level.iopte.json')));
      const provider = new DomainsProvider(inspections, { read: () => undefined, fail: () => undefined });
      const [image] = await provider.getChildren();
      const pending = provider.getChildren(image);
      provider.cancel();
      deepEqual(await pending, []);
      equal((await provider.getChildren(image)).length, 1);
      provider.dispose();
    });

    describeRestoringMachines(host, window);
  });
}
