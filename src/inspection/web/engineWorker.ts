/** The engine in a worker of the browser. Bundled into one file, since it is started from a Blob. */
import { type FromEngine, type ToEngine } from '../protocol';
import { InspectionServer } from '../server';
import { webPlatform } from './platform';

declare const self: DedicatedWorkerGlobalScope;

const post = (message: FromEngine): void => {
  self.postMessage(message);
};
const server = new InspectionServer(webPlatform(post));
self.onmessage = (event: MessageEvent<ToEngine>) => {
  server.receive(event.data);
};
post({ type: 'ready' });
