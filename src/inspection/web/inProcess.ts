import { type Port } from '../client';
import { type FromEngine, type ToEngine } from '../protocol';
import { type EnginePort } from './enginePort';

/**
 * The engine in this thread, from the text of the worker's bundle: same server, same slices, and no second copy of it in the
 * extension. Messages are delivered later, never inside `post`. Rejects when the text is no engine.
 */
export async function startInProcess(source: Uint8Array): Promise<Port> {
  let deliver: (message: FromEngine) => void = () => undefined;
  const engine: EnginePort = {
    postMessage(message) {
      queueMicrotask(() => {
        deliver(message);
      });
    },
    onmessage: null,
  };
  const ready = new Promise<void>((resolve) => {
    deliver = () => {
      resolve();
    };
  });
  // As the web extension host loads every extension, this one included: a host that forbids it would not have come here.
  const start = new Function('enginePort', new TextDecoder().decode(source)) as (port: EnginePort) => void;
  start(engine);
  await within(READY_MS, ready);
  const receive = (message: ToEngine): void => engine.onmessage?.({ data: message });
  return {
    where: 'in-process',
    post: (message) => {
      queueMicrotask(() => {
        receive(message);
      });
    },
    listen(onMessage) {
      deliver = onMessage;
    },
    close() {
      deliver = () => undefined;
      engine.onmessage = null;
      engine.onclose?.();
      return Promise.resolve();
    },
  };
}

/** It is ready a few turns of the event loop later, or never. */
const READY_MS = 10_000;

async function within(milliseconds: number, ready: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error('the engine does not answer'));
    }, milliseconds);
  });
  try {
    await Promise.race([ready, late]);
  } finally {
    clearTimeout(timer);
  }
}
