/**
 * The engine in a browser: in a worker, or in the thread that evaluates this bundle as a function of `enginePort`. One file, since
 * it is started from its text.
 */
import { InspectionServer } from '../server';
import { type EnginePort } from './enginePort';
import { webPlatform } from './platform';

declare const self: EnginePort;
declare const enginePort: EnginePort | undefined;

const port: EnginePort = typeof enginePort === 'undefined' ? self : enginePort;
const server = new InspectionServer(
  webPlatform((message) => {
    port.postMessage(message);
  }),
);
port.onmessage = ({ data }) => {
  server.receive(data);
};
port.onclose = () => {
  server.dispose();
};
port.postMessage({ type: 'ready' });
