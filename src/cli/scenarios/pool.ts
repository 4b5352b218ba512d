import os from 'node:os';
import { ENGINE_LOST, RequestError, type EngineClient } from '../../inspection/protocol';
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

export const defaultLimits = (): PoolLimits => ({
  jobs: os.availableParallelism(),
  bytes: SHARE * Math.min(os.freemem(), process.availableMemory()),
});

interface Waiting {
  readonly memory: number;
  readonly start: () => void;
}

/** Engines in workers of their own, started when there is work for them. Tasks start in the order in which they were given. */
export class EnginePool {
  readonly #idle: EngineClient[] = [];
  readonly #all = new Set<EngineClient>();
  /** From #first on; those before have started. */
  #waiting: Waiting[] = [];
  #first = 0;
  #running = 0;
  #bytes = 0;

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
    let keep = memory < KEPT_BYTES;
    try {
      if (this.signal.aborted) throw cancelled();
      engine = this.#idle.pop() ?? (await this.#start());
      return await task(engine);
    } catch (error) {
      if (error instanceof RequestError && error.code === ENGINE_LOST) keep = false;
      throw error;
    } finally {
      if (engine) {
        if (keep) this.#idle.push(engine);
        else await this.#end(engine);
      }
      this.#running--;
      this.#bytes -= memory;
      this.#next();
    }
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#all].map((engine) => this.#end(engine)));
  }

  async #start(): Promise<EngineClient> {
    const engine = await this.startEngine();
    this.#all.add(engine);
    return engine;
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
