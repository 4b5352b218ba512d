/** What brings emulated machines back: part of the suite of restoring. */
import * as vscode from 'vscode';
import { MACHINE_SCHEME, type InspectionSource } from '../../src/host/inspections';
import { RequestError, type DmaLine, type EngineClient } from '../../src/inspection/protocol';
import { deepEqual, equal, match, ok, rejects } from './assert';
import { inFolder } from './support';
import { State, type EngineUnderTest, type Window } from './windows';

const JOURNAL = 'iopte.journal';

const source: InspectionSource = {
  title: 'machine',
  description: '',
  descriptionUri: undefined,
  imageUri: vscode.Uri.from({ scheme: MACHINE_SCHEME, path: '/machine' }),
  machine: {
    version: 1,
    spec: {
      version: 1,
      vendor: 'riscv',
      tables: 'sv48x4',
      memory: '64M',
      mapping: { what: 'guest', pages: ['4K'] },
      devices: [{ requester: '00:02.0' }],
      dirtyTracking: 'on',
      iommus: 1,
      seed: 1,
    },
    operations: [],
  },
};

/** Writes to so many pages, one after the other. */
const writes = (count: number): readonly DmaLine[] =>
  Array.from({ length: count }, (_each, page) => ({
    ...{ sid: '00:02.0', iova: `0x${(page * 4096).toString(16)}`, length: 8, access: 'write' },
  }));

/** Names of the files that operations are kept in. */
async function files(): Promise<readonly string[]> {
  const folder = inFolder('operations');
  const found = await vscode.workspace.fs.readDirectory(folder).then(undefined, () => []);
  return found.map(([name]) => name);
}

/** What a machine shows: its state, and its caches. */
async function shown({ inspections }: Window): Promise<unknown> {
  const [inspection] = inspections.all;
  ok(inspection);
  const page = { limit: 1000 };
  return [
    await inspections.ask(inspection, 'machine', {}),
    await inspections.ask(inspection, 'caches', { page }),
  ];
}

export function describeRestoringMachines(
  host: EngineUnderTest,
  window: (state: State, start?: () => Promise<EngineClient>) => Window,
): void {
  describe('of an emulated machine', () => {
    it('builds it again in a new window from what was done to it', async () => {
      const state = new State();
      const before = window(state);
      const { inspection } = await before.inspections.add(source);
      await before.inspections.operate(inspection, { kind: 'dma', requests: writes(20) });
      await before.inspections.operate(inspection, { kind: 'evict', iommu: 'iommu0', all: false });
      const wanted = await shown(before);
      await before.engine.dispose();

      const after = window(state);
      equal(after.starts(), 0, 'nothing was asked yet');
      deepEqual(await shown(after), wanted);
    });

    it('leaves the last consistent state when the engine is lost in an operation, and does it once', async () => {
      const reference = window(new State());
      const { inspection: same } = await reference.inspections.add(source);
      for (const count of [5, 6]) {
        await reference.inspections.operate(same, { kind: 'dma', requests: writes(count) });
      }
      let life = 0;
      const start = () => host.start(life++ === 0 ? { method: 'operate', nth: 2 } : undefined);
      const crashing = window(new State(), start);
      const { inspection } = await crashing.inspections.add(source);
      for (const count of [5, 6]) {
        await crashing.inspections.operate(inspection, { kind: 'dma', requests: writes(count) });
      }
      equal(crashing.starts(), 2);
      equal(crashing.inspections.find(inspection.id)?.machine?.operations.length, 2);
      deepEqual(await shown(crashing), await shown(reference));
    });

    it('keeps a long trace in a file, and only its name in the state', async () => {
      const state = new State();
      const before = window(state);
      const { inspection } = await before.inspections.add(source);
      await before.inspections.operate(inspection, { kind: 'dma', requests: writes(2000) });
      deepEqual(await files(), [], 'a short one is in the state itself');
      await before.inspections.undo(inspection);
      await before.inspections.operate(inspection, { kind: 'dma', requests: writes(2001) });
      equal((await files()).length, 1);
      const kept = JSON.stringify(state.get(JOURNAL));
      ok(kept.length < 2000, `${String(kept.length)} characters`);
      const wanted = await shown(before);
      await before.engine.dispose();

      const after = window(state);
      deepEqual(await shown(after), wanted);
      const [restored] = after.inspections.all;
      ok(restored);
      await after.inspections.undo(restored);
      deepEqual(await files(), [], 'what was taken back is kept no more');
    });

    it('keeps no file of a machine that is closed', async () => {
      const { inspections } = window(new State());
      const { inspection } = await inspections.add(source);
      await inspections.operate(inspection, { kind: 'dma', requests: writes(2500) });
      await inspections.operate(inspection, { kind: 'dma', requests: writes(2500) });
      equal((await files()).length, 2);
      await inspections.close(inspection);
      deepEqual(await files(), []);
    });

    it('says so when the file of a trace is gone, and what to do', async () => {
      const state = new State();
      const before = window(state);
      const { inspection } = await before.inspections.add(source);
      await before.inspections.operate(inspection, { kind: 'dma', requests: writes(3000) });
      await before.engine.dispose();
      for (const name of await files()) await vscode.workspace.fs.delete(inFolder(`operations/${name}`));

      const after = window(state);
      const failure = await rejects(shown(after));
      ok(failure instanceof RequestError);
      equal(failure.code, 'host/operation-lost');
      match(failure.message, /the trace of 3000 requests/);
      ok(failure.hint);
      const [restored] = after.inspections.all;
      ok(restored);
      await after.inspections.close(restored);
    });
  });
}
