import { bytesSource } from '../../bytes/byteSource';
import { isGzip } from '../../image/gzip';
import { type ImagePlatform } from '../../image/platform';
import { RequestError, refuse } from '../requestError';
import { type CallContext } from '../work';

/** Of one file of requests, unpacked: a million of them take less. */
const MOST_BYTES = 2 ** 28;

/** The files that a scenario names, those that are packed by gzip unpacked. */
export async function unpackedFiles(
  files: Readonly<Record<string, Uint8Array>>,
  platform: ImagePlatform,
  { signal, onProgress }: CallContext,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const unpacked = new Map<string, Uint8Array>();
  for (const [name, bytes] of Object.entries(files)) {
    if (!isGzip(bytes)) {
      unpacked.set(name, bytes);
      continue;
    }
    const packed = bytesSource(name, bytes);
    const inflated = await platform.inflate(packed, { signal, onProgress, pause: () => platform.pause() });
    packed.close();
    if (!inflated.ok) throw new RequestError(inflated.failure);
    const { source, problem } = inflated.value;
    try {
      if (problem) refuse('scenario/file', `${name}: ${problem.message}`, 'Pack it again.');
      if (source.size > MOST_BYTES)
        refuse('scenario/file', `${name} holds more than 256M.`, 'Give it fewer requests.');
      const whole = new Uint8Array(source.size);
      source.read(0, whole);
      unpacked.set(name, whole);
    } finally {
      source.close();
    }
  }
  return unpacked;
}
