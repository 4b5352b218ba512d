import { open, rename, rm } from 'node:fs/promises';
import type { FileWriter } from '../platform';

/** Begins a file beside its place; it goes there when it is whole. */
export async function createFile(path: string): Promise<FileWriter> {
  const part = `${path}.part`;
  const file = await open(part, 'w');
  return {
    write: (bytes) => file.writeFile(bytes),
    close: async () => {
      await file.close();
      await rename(part, path);
    },
    discard: async () => {
      await file.close();
      await rm(part, { force: true });
    },
  };
}
