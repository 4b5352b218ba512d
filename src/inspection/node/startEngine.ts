import * as path from 'node:path';
import { Worker } from 'node:worker_threads';
import { connect, type Port } from '../client';
import { ENGINE_LOST, type EngineClient, type FromEngine } from '../protocol';

export interface EngineOptions {
  /** Where inflated images may be kept between runs; absent: in memory only. */
  readonly cacheDirectory?: string;
  /** The worker's bundle; by default engineWorker.js beside the bundle that calls. */
  readonly workerPath?: string;
}

/** What the worker is started with. */
export interface WorkerSettings {
  readonly cacheDirectory?: string;
}

/** Starts an engine in a worker thread. Rejects when the worker cannot be started. */
export function startEngine(options: EngineOptions = {}): Promise<EngineClient> {
  const { cacheDirectory, workerPath = path.join(__dirname, 'engineWorker.js') } = options;
  const workerData: WorkerSettings = cacheDirectory === undefined ? {} : { cacheDirectory };
  const worker = new Worker(workerPath, { workerData, name: 'iopte-engine' });
  return new Promise((resolve, reject) => {
    const ended = (code: number): void => {
      reject(new Error(`The engine's worker ended before it was ready (exit code ${code}).`));
    };
    worker.once('error', reject);
    worker.once('exit', ended);
    worker.once('message', () => {
      worker.removeListener('error', reject);
      worker.removeListener('exit', ended);
      resolve(connect(workerPort(worker)));
    });
  });
}

function workerPort(worker: Worker): Port {
  return {
    where: 'worker',
    post: (message) => {
      worker.postMessage(message);
    },
    listen(onMessage, onLost) {
      let why = 'it ended';
      worker.on('message', (message: FromEngine) => {
        onMessage(message);
      });
      worker.on('error', (error) => {
        why = error.message;
      });
      worker.on('exit', (code) => {
        onLost({
          code: ENGINE_LOST,
          message: `The engine's worker stopped (${why}, exit code ${code}).`,
          hint: 'It is started again, and what was open is opened again.',
        });
      });
    },
    async close() {
      await worker.terminate();
    },
  };
}
