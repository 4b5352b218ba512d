import { connect, type Port } from '../client';
import { ENGINE_LOST, type EngineClient, type FromEngine } from '../protocol';
import { startInProcess } from './inProcess';

export interface EngineOptions {
  /** The worker's bundle, read by the caller: a worker from a remote URL is refused, one from a Blob is not. */
  readonly workerSource: Uint8Array;
  /** Told why there is no worker. */
  readonly log?: (message: string) => void;
}

/** How long a worker may take to say that it is there. */
const READY_MS = 10_000;

/** Starts an engine in a worker made from a Blob; where that is refused, in this thread. */
export async function startEngine({ workerSource, log }: EngineOptions): Promise<EngineClient> {
  try {
    return connect(await startWorker(workerSource));
  } catch (error) {
    log?.(`No worker, so the engine runs in the extension host: ${String(error)}`);
  }
  return connect(await startInProcess(workerSource));
}

function startWorker(source: Uint8Array): Promise<Port> {
  const url = URL.createObjectURL(new Blob([new Uint8Array(source)], { type: 'text/javascript' }));
  const worker = new Worker(url, { name: 'iopte-engine' });
  return new Promise<Port>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error('the worker does not answer'));
    }, READY_MS);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.onmessage = () => {
      clearTimeout(timer);
      resolve(workerPort(worker));
    };
  })
    .catch((error: unknown) => {
      worker.terminate();
      throw error;
    })
    .finally(() => {
      URL.revokeObjectURL(url);
    });
}

function workerPort(worker: Worker): Port {
  let lose: ((why: string) => void) | undefined;
  return {
    where: 'worker',
    post: (message) => {
      worker.postMessage(message);
    },
    listen(onMessage, onLost) {
      lose = (why) => {
        onLost({
          code: ENGINE_LOST,
          message: `The engine's worker stopped (${why}).`,
          hint: 'It is started again, and what was open is opened again.',
        });
      };
      worker.onmessage = (event: MessageEvent<FromEngine>) => {
        onMessage(event.data);
      };
      worker.onerror = (event) => {
        // Dealt with here: it must not go on to the host as an uncaught error of its own.
        event.preventDefault();
        worker.terminate();
        lose?.(event.message);
      };
    },
    close() {
      worker.terminate();
      return Promise.resolve();
    },
  };
}
