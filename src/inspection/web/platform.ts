import { type ServerPlatform } from '../server';
import { webImagePlatform } from './inflate';

/** Lets the event loop run once. A message to oneself: unlike a timer it is not held back for 4 ms. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** What the engine needs, in a browser's worker or in the web extension host itself. */
export function webPlatform(post: ServerPlatform['post']): ServerPlatform {
  return { images: webImagePlatform({ pause }), clock: () => performance.now(), pause, post };
}
