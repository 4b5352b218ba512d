import os from 'node:os';
import { type Command } from 'commander';
import { type EngineClient } from '../../inspection/protocol';
import { parseAddress, parseLimit } from '../arguments';
import { cancelled } from '../errors';

export interface PoolLimits {
  /** Engines at most. */
  readonly jobs: number;
  /** Bytes that tasks may want together; one task always runs, however much it wants. */
  readonly bytes: number;
}

/** Of the memory that is free: the rest is for what the estimates miss, and for others. */
const SHARE = 0.6;
/** After a task that wanted so much its engine is ended: what it holds on to would count against nobody's budget. */
const KEPT_BYTES = 2 ** 28;

/** The options of a command that has a pool: what `limitsOf` takes. */
export function addPoolOptions(command: Command): void {
  command
    .option('--jobs <n>', 'run so many at a time (default: the cores)', parseLimit)
    .option(
      '--memory <size>',
      'memory that they may take together (default: 60% of what is free)',
      parseAddress,
    );
}

/** What was asked for; left out: the cores, and a share of the memory that is free. */
export const limitsOf = ({
  jobs = os.availableParallelism(),
  memory,
}: {
  readonly jobs?: number;
  readonly memory?: bigint;
}): PoolLimits => ({
  jobs,
  bytes: memory === undefined ? SHARE * Math.min(os.freemem(), process.availableMemory()) : Number(memory),
});

interface Waiting {
  readonly memory: number;
  readonly start: () => void;
}

/** Engines in workers of their own, started when there is work for them. Tasks start in the order in which they were given. */
export class EnginePool {
  readonly #idle: EngineClient[] = [];
  /** Those that are neither lost nor ended. */
  readonly #all = new Set<EngineClient>();
  readonly #starting = new Set<Promise<EngineClient>>();
  /** From #first on; those before have started. */
  #waiting: Waiting[] = [];
  #first = 0;
  #running = 0;
  #bytes = 0;
  #closed = false;

  constructor(
    private readonly limits: PoolLimits,
    private readonly startEngine: () => Promise<EngineClient>,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Runs `task` when an engine and `memory` bytes are free. An engine that is lost is replaced; its task rejects. After a cancel no
   * task starts: all that wait reject.
   */
  async run<T>(memory: number, task: (engine: EngineClient) => Promise<T>): Promise<T> {
    await this.#turn(memory);
    let engine: EngineClient | undefined;
    try {
      if (this.signal.aborted || this.#closed) throw cancelled();
      engine = this.#takeIdle() ?? (await this.#start());
      return await task(engine);
    } finally {
      if (engine) {
        if (memory < KEPT_BYTES && this.#all.has(engine)) this.#idle.push(engine);
        else await this.#end(engine);
      }
      this.#running--;
      this.#bytes -= memory;
      this.#next();
    }
  }

  /** Ends all engines, also those that are starting: what runs rejects, and nothing starts any more. */
  async dispose(): Promise<void> {
    this.#closed = true;
    // Why one could not start is told to the task that it was for.
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#all].map((engine) => this.#end(engine)));
  }

  #takeIdle(): EngineClient | undefined {
    let engine = this.#idle.pop();
    while (engine && !this.#all.has(engine)) engine = this.#idle.pop();
    return engine;
  }

  async #start(): Promise<EngineClient> {
    const starting = this.startEngine();
    this.#starting.add(starting);
    try {
      const engine = await starting;
      this.#all.add(engine);
      engine.onLost(() => this.#all.delete(engine));
      // Its worker would keep the process alive for ever.
      if (this.#closed) await this.#end(engine);
      else return engine;
    } finally {
      this.#starting.delete(starting);
    }
    throw cancelled();
  }

  async #end(engine: EngineClient): Promise<void> {
    this.#all.delete(engine);
    await engine.dispose();
  }

  #turn(memory: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ memory, start: resolve });
      this.#next();
    });
  }

  #next(): void {
    for (;;) {
      const first = this.#waiting[this.#first];
      if (!first || this.#running >= this.limits.jobs) return;
      if (this.#running > 0 && this.#bytes + first.memory > this.limits.bytes) return;
      if (++this.#first === this.#waiting.length) {
        this.#waiting = [];
        this.#first = 0;
      }
      this.#running++;
      this.#bytes += first.memory;
      first.start();
    }
  }
}
