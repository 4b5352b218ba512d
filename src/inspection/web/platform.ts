import { type ServerPlatform } from '../server';
import { webImagePlatform } from './inflate';

/** What the engine needs, in a browser's worker or in the web extension host itself. */
export function webPlatform(post: ServerPlatform['post'], log: ServerPlatform['log']): ServerPlatform {
  const images = webImagePlatform();
  return { images, clock: () => performance.now(), pause: () => images.pause(), post, log };
}
