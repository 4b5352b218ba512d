/** An engine in this thread whose work is counted: a test can tell how much a request did, and stop it when it is too much. */
import { setImmediate } from 'node:timers/promises';
import { connect, type Port } from '../../../src/inspection/client';
import { nodeImagePlatform } from '../../../src/inspection/node/inflate';
import { type EngineClient, type FromEngine } from '../../../src/inspection/protocol';
import { InspectionServer } from '../../../src/inspection/server';
import { SLICE_MS } from '../../../src/inspection/work';

export interface CountedEngine {
  readonly client: EngineClient;
  /** Slices of work done so far, of at most SLICE_MS steps each. */
  readonly slices: () => number;
}

export function startCountedEngine(): CountedEngine {
  let now = 0;
  let slices = 0;
  let deliver: (message: FromEngine) => void = () => undefined;
  const server = new InspectionServer({
    images: nodeImagePlatform({}),
    // Every look at the clock is a step of work, so that slices are counted in steps and not in time.
    clock: () => now++,
    pause: () => {
      slices++;
      now += SLICE_MS;
      return setImmediate();
    },
    post: (message) => {
      // Answers come after the request was sent, as from a worker.
      queueMicrotask(() => {
        deliver(message);
      });
    },
  });
  const port: Port = {
    where: 'in-process',
    post: (message) => {
      server.receive(message);
    },
    listen: (onMessage) => {
      deliver = onMessage;
    },
    close: () => {
      server.dispose();
      return Promise.resolve();
    },
  };
  return { client: connect(port), slices: () => slices };
}
