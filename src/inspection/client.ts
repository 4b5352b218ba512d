import {
  CANCELLED,
  ENGINE_LOST,
  type EngineClient,
  type Failure,
  type FromEngine,
  type Method,
  type Params,
  type RequestOptions,
  type ResultOf,
  type ToEngine,
} from './protocol';
import { RequestError } from './requestError';

/** Two-way messages to an engine: a worker, or the engine in this thread. */
export interface Port {
  readonly where: EngineClient['where'];
  post(message: ToEngine): void;
  /** Called once, before the first message is posted. */
  listen(onMessage: (message: FromEngine) => void, onLost: (why: Failure) => void): void;
  close(): Promise<void>;
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: RequestError) => void;
  readonly options: RequestOptions | undefined;
}

/** The caller's side of the protocol. Every request ends: with its result, its failure, or the loss of the engine. */
export function connect(port: Port): EngineClient {
  return new Client(port);
}

class Client implements EngineClient {
  readonly where: EngineClient['where'];
  readonly #port: Port;
  readonly #pending = new Map<number, Pending>();
  readonly #lostListeners = new Set<(why: Failure) => void>();
  readonly #logListeners = new Set<(message: string) => void>();
  #lost: Failure | undefined;
  #nextId = 1;

  constructor(port: Port) {
    this.where = port.where;
    this.#port = port;
    port.listen(
      (message) => {
        this.#receive(message);
      },
      (why) => {
        this.#lose(why);
      },
    );
  }

  request<M extends Method>(method: M, params: Params<M>, options?: RequestOptions): Promise<ResultOf<M>> {
    if (this.#lost) return Promise.reject(new RequestError(this.#lost));
    const signal = options?.signal;
    if (signal?.aborted === true) return Promise.reject(new RequestError(cancelled));
    const id = this.#nextId++;
    const cancel = (): void => {
      this.#port.post({ type: 'cancel', id });
    };
    signal?.addEventListener('abort', cancel);
    return new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, options });
      this.#port.post({ type: 'request', id, method, params });
    }).finally(() => {
      signal?.removeEventListener('abort', cancel);
    }) as Promise<ResultOf<M>>;
  }

  onLost(listener: (why: Failure) => void): void {
    if (this.#lost) listener(this.#lost);
    else this.#lostListeners.add(listener);
  }

  onLog(listener: (message: string) => void): void {
    this.#logListeners.add(listener);
  }

  async dispose(): Promise<void> {
    this.#lostListeners.clear();
    this.#lose({ code: ENGINE_LOST, message: 'The engine was stopped.' });
    await this.#port.close();
  }

  #receive(message: FromEngine): void {
    if (message.type === 'ready') return;
    if (message.type === 'log') {
      for (const listener of this.#logListeners) listener(message.message);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if (message.type === 'progress') {
      pending.options?.onProgress?.(message.progress);
      return;
    }
    this.#pending.delete(message.id);
    if (message.type === 'result') pending.resolve(message.result);
    else pending.reject(new RequestError(message.failure));
  }

  #lose(why: Failure): void {
    if (this.#lost) return;
    this.#lost = why;
    for (const { reject } of this.#pending.values()) reject(new RequestError(why));
    this.#pending.clear();
    for (const listener of this.#lostListeners) listener(why);
  }
}

const cancelled: Failure = { code: CANCELLED, message: 'Cancelled.' };
