import assert from 'node:assert/strict';
import type { Memento } from 'vscode';
import * as fc from 'fast-check';
import { readSpaces, TraceMemory } from '../../../src/host/traces/traceMemory';

/** A workspace's state, kept as JSON. */
function state(): Memento & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  return {
    values,
    keys: () => [...values.keys()],
    get: (key: string) => {
      const value = values.get(key);
      return value === undefined ? undefined : (JSON.parse(value) as never);
    },
    update: (key: string, value: unknown) => {
      values.set(key, JSON.stringify(value));
      return Promise.resolve();
    },
  };
}

const RULES = { by: 'rules', rules: [{ name: 'nic', where: 'cpu = 1' }] } as const;

describe('what is kept of traces', () => {
  it('is how the spaces of each are told apart, the newest hundred', async () => {
    const kept = state();
    const memory = new TraceMemory(kept);
    assert.deepEqual(memory.spacesOf('a'), { by: 'auto' });
    await memory.keepSpaces('a', RULES);
    await memory.keepSpaces('b', { by: 'device' });
    assert.deepEqual(new TraceMemory(kept).spacesOf('a'), RULES);
    assert.deepEqual(memory.spacesOf('b'), { by: 'device' });
    for (let other = 0; other < 99; other++)
      await memory.keepSpaces(`other ${String(other)}`, { by: 'domain' });
    assert.deepEqual(memory.spacesOf('a'), { by: 'auto' });
    assert.deepEqual(memory.spacesOf('b'), { by: 'device' });
  });

  it('is that it was said once that a trace names no devices', async () => {
    const memory = new TraceMemory(state());
    assert.equal(await memory.firstTold('a'), true);
    assert.equal(await memory.firstTold('a'), false);
    assert.equal(await memory.firstTold('b'), true);
  });

  it('is not trusted when another program left it there', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const kept = state();
        await kept.update('iopte.traceSpaces', value);
        await kept.update('iopte.tracesWithoutDevices', value);
        const memory = new TraceMemory(kept);
        assert.ok(['auto', 'device', 'domain', 'rules'].includes(memory.spacesOf('a').by));
        await memory.keepSpaces('a', RULES);
        assert.deepEqual(memory.spacesOf('a'), RULES);
        await memory.firstTold('a');
      }),
    );
    for (const bad of [
      null,
      5,
      {},
      { by: 'x' },
      { by: 'rules' },
      { by: 'rules', rules: [] },
      { by: 'rules', rules: [{}] },
    ])
      assert.equal(readSpaces(bad), undefined, JSON.stringify(bad));
  });
});
