/** The engine in a worker thread of Node: the extension host's and the command line's. */
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { type ToEngine } from '../protocol';
import { InspectionServer } from '../server';
import { NodeIndexCache } from './indexCache';
import { CACHE_BYTES, nodeImagePlatform } from './inflate';
import { type WorkerSettings } from './startEngine';

const port = parentPort;
if (!port) throw new Error('engineWorker.js is started as a worker thread');

const { cacheDirectory } = workerData as WorkerSettings;
const server = new InspectionServer({
  images: nodeImagePlatform(cacheDirectory === undefined ? {} : { cacheDirectory }),
  ...(cacheDirectory === undefined ? {} : { indexes: new NodeIndexCache(cacheDirectory, CACHE_BYTES) }),
  clock: () => performance.now(),
  pause: () => setImmediate(),
  post: (message) => {
    port.postMessage(message);
  },
});
port.on('message', (message: ToEngine) => {
  server.receive(message);
});
port.postMessage({ type: 'ready' });
