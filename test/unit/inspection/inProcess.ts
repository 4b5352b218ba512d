import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { connect } from '../../../src/inspection/client';
import { nodeImagePlatform } from '../../../src/inspection/node/inflate';
import { type EngineClient, type FromEngine } from '../../../src/inspection/protocol';
import { InspectionServer, type ServerPlatform } from '../../../src/inspection/server';

const samples = path.join(__dirname, '../../../samples');

export interface InProcessEngine {
  readonly client: EngineClient;
  /** Times the engine gave way in the middle of work. */
  readonly pauses: () => number;
}

/**
 * An engine in this thread, with the same server as the workers. `millisecondsPerLook` moves its clock on at each look, so
 * that a test can say how much work fits in a slice without measuring time. `platform`: what is not as in Node
 * without a cache.
 */
export function inProcessEngine(
  millisecondsPerLook = 0,
  platform: Partial<Pick<ServerPlatform, 'images' | 'indexes' | 'keptFrom'>> = {},
): InProcessEngine {
  let now = 0;
  let pauses = 0;
  const images = nodeImagePlatform();
  let deliver: (message: FromEngine) => void = () => undefined;
  const server = new InspectionServer({
    images,
    ...platform,
    clock: () => (now += millisecondsPerLook),
    pause: () => {
      pauses++;
      return images.pause();
    },
    post: (message) => {
      setImmediate(() => {
        deliver(message);
      });
    },
  });
  const client = connect({
    where: 'in-process',
    post: (message) => {
      server.receive(structuredClone(message));
    },
    listen(onMessage) {
      deliver = onMessage;
    },
    close() {
      server.dispose();
      return Promise.resolve();
    },
  });
  return { client, pauses: () => pauses };
}

/** Opens a sample by its name. */
export async function openSample(client: EngineClient, name: string, inspection = name) {
  const description = await readFile(path.join(samples, `${name}.iopte.json`), 'utf8');
  const { image } = JSON.parse(description) as { image: string | { file: string } };
  const file = path.join(samples, typeof image === 'string' ? image : image.file);
  return client.request('open', { inspection, description, image: { kind: 'path', path: file } });
}

/** Opens raw bytes as memory from physical address 0, with one VT-d IOMMU. */
export function openBytes(
  client: EngineClient,
  bytes: Uint8Array,
  registers: Readonly<Record<string, string>>,
) {
  const description = JSON.stringify({
    version: 1,
    image: { file: 'memory.raw', segments: [{ paddr: '0x0', offset: 0, length: bytes.length }] },
    iommus: [{ name: 'dmar0', kind: 'vt-d', segment: 0, registers }],
  });
  return client.request('open', {
    inspection: 'bytes',
    description,
    image: { kind: 'bytes', name: 'memory.raw', bytes },
  });
}
