import assert from 'node:assert/strict';
import { CliError } from '../../../../src/cli/errors';
import { EnginePool, limitsOf } from '../../../../src/cli/scenarios/pool';
import { type EngineClient, type Failure } from '../../../../src/inspection/protocol';

const GIB = 2 ** 30;

/** Engines that answer nothing: the pool only starts, lends and ends them. */
class Engines {
  readonly lose: ((why: Failure) => void)[] = [];
  started = 0;
  ended = 0;

  readonly start = (): Promise<EngineClient> => {
    this.started++;
    return Promise.resolve({
      where: 'worker',
      request: () => Promise.reject(new Error('nothing to ask')),
      onLost: (listener) => this.lose.push(listener),
      onLog: () => undefined,
      dispose: () => {
        this.ended++;
        return Promise.resolve();
      },
    });
  };
}

/** Tasks that say when they run, and end when they are told to. */
class Tasks {
  readonly running = new Set<string>();
  most = 0;
  readonly #ends = new Map<string, () => void>();

  readonly task = (name: string) => (): Promise<string> => {
    this.running.add(name);
    this.most = Math.max(this.most, this.running.size);
    return new Promise((resolve) => {
      this.#ends.set(name, () => {
        this.running.delete(name);
        resolve(name);
      });
    });
  };

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.();
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a pool of engines', () => {
  const never = new AbortController().signal;

  it('runs as many tasks at a time as there may be engines, in the order given', async () => {
    const engines = new Engines();
    const tasks = new Tasks();
    const pool = new EnginePool({ jobs: 2, bytes: GIB }, engines.start, never);
    const all = ['a', 'b', 'c', 'd'].map((name) => pool.run(0, tasks.task(name)));
    await settled();
    assert.deepEqual([...tasks.running], ['a', 'b']);
    await tasks.end('b');
    assert.deepEqual([...tasks.running], ['a', 'c']);
    for (const name of ['a', 'c', 'd']) await tasks.end(name);
    assert.deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd']);
    assert.deepEqual([tasks.most, engines.started], [2, 2]);
    await pool.dispose();
    assert.equal(engines.ended, 2);
  });

  it('keeps what runs together within the memory, but runs one that is larger alone', async () => {
    const tasks = new Tasks();
    const pool = new EnginePool({ jobs: 4, bytes: 2 * GIB }, new Engines().start, never);
    const all = [
      pool.run(GIB, tasks.task('one')),
      pool.run(8 * GIB, tasks.task('large')),
      pool.run(0, tasks.task('small')),
    ];
    await settled();
    assert.deepEqual([...tasks.running], ['one']);
    await tasks.end('one');
    assert.deepEqual([...tasks.running], ['large']);
    await tasks.end('large');
    assert.deepEqual([...tasks.running], ['small']);
    await tasks.end('small');
    await Promise.all(all);
    await pool.dispose();
  });

  it('replaces an engine that is lost, and one that has held much', async () => {
    const engines = new Engines();
    const pool = new EnginePool({ jobs: 1, bytes: GIB }, engines.start, never);
    await pool.run(0, () => Promise.resolve());
    await pool.run(0, () => Promise.resolve());
    assert.equal(engines.started, 1);
    engines.lose[0]?.({ code: 'engine/lost', message: 'gone' });
    await pool.run(GIB, () => Promise.resolve());
    assert.equal(engines.started, 2);
    await pool.run(0, () => Promise.resolve());
    assert.equal(engines.started, 3);
    await pool.dispose();
  });

  it('ends an engine that was still starting when the pool was ended, and runs nothing on it', async () => {
    for (const fails of [false, true]) {
      const engines = new Engines();
      let go = (): void => undefined;
      const told = new Promise<void>((resolve) => (go = resolve));
      const slow = async (): Promise<EngineClient> => {
        await told;
        if (fails) throw new Error('no worker');
        return engines.start();
      };
      const pool = new EnginePool({ jobs: 1, bytes: GIB }, slow, never);
      let ran = false;
      const task = pool.run(0, () => Promise.resolve((ran = true)));
      const refused = assert.rejects(task, fails ? /no worker/ : CliError);
      await settled();
      let ended = false;
      const ending = pool.dispose().then(() => (ended = true));
      await settled();
      assert.equal(ended, false);
      go();
      await Promise.all([ending, refused]);
      assert.equal(ran, false);
      assert.equal(engines.ended, engines.started);
    }
  });

  it('starts nothing after a cancel', async () => {
    const cancel = new AbortController();
    const engines = new Engines();
    const tasks = new Tasks();
    const pool = new EnginePool({ jobs: 1, bytes: GIB }, engines.start, cancel.signal);
    const first = pool.run(0, tasks.task('first'));
    const second = pool.run(0, tasks.task('second')).catch((error: unknown) => error);
    await settled();
    cancel.abort();
    await tasks.end('first');
    assert.equal(await first, 'first');
    const why = await second;
    assert.ok(why instanceof CliError && why.exitCode === 130);
    await pool.dispose();
  });

  it('takes the cores and a share of the free memory when nothing is asked for', () => {
    const { jobs, bytes } = limitsOf({});
    assert.ok(jobs >= 1);
    assert.ok(bytes > 0 && bytes < 2 ** 50);
    assert.deepEqual(limitsOf({ jobs: 3, memory: 4096n }), { jobs: 3, bytes: 4096 });
  });
});
