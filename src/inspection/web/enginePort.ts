import { type FromEngine, type ToEngine } from '../protocol';

/** What the engine's bundle talks through: a worker's own scope, or what stands for one in this thread. */
export interface EnginePort {
  postMessage(message: FromEngine): void;
  onmessage: ((event: { readonly data: ToEngine }) => void) | null;
  /** Ends the engine; a worker is ended from outside instead. */
  onclose?: () => void;
}
