import assert from 'node:assert/strict';
import { type Failure, type Result } from '../../../src/engine/result';
import { frameNumber } from '../../../src/engine/values';
import { type ByteSource, bytesSource } from '../../../src/bytes/byteSource';
import { type MemoryImage } from '../../../src/image/memoryImage';
import { openImage, type OpenedImage, type OpenImageOptions } from '../../../src/image/openImage';
import { nodeImagePlatform } from '../../../src/inspection/node/inflate';

export const platform = nodeImagePlatform();
export const task = { pause: () => platform.pause() };

export function value<T>(result: Result<T>): T {
  if (!result.ok) assert.fail(`${result.failure.code}: ${result.failure.message}`);
  return result.value;
}

export function refusal<T>(result: Result<T>): Failure {
  if (result.ok) assert.fail('it was expected to be refused');
  return result.failure;
}

/** Opens bytes as a file called `name`. */
export const openBytes = (
  bytes: Uint8Array,
  options: Partial<OpenImageOptions> = {},
  name = 'test.elf',
): Promise<Result<OpenedImage>> => openImage({ kind: 'bytes', name, bytes }, { platform, ...options });

/** The first word of the frame at a physical address. */
export const wordAt = (memory: MemoryImage, address: number): number | undefined =>
  memory.readFrame(frameNumber(Math.floor(address / 4096)))?.[(address % 4096) / 4];

/** Why the frame at an address is not there. */
export const whyMissing = (memory: MemoryImage, address: number): string =>
  memory.explainMissing(frameNumber(Math.floor(address / 4096)));

/** A source that is not in memory (no `words`) and counts what is read from it. */
export function countingSource(
  bytes: Uint8Array,
  name = 'counted',
): ByteSource & { reads: number; bytesRead: number } {
  const inner = bytesSource(name, bytes);
  return {
    name,
    size: inner.size,
    reads: 0,
    bytesRead: 0,
    read(offset, target) {
      const got = inner.read(offset, target);
      this.reads++;
      this.bytesRead += got;
      return got;
    },
    close() {
      inner.close();
    },
  };
}
