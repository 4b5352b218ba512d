import { access, constants, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { badInput, badUsage } from '../errors';
import { reason } from './files';

/** Writes a file that comes into being whole, by a rename. Several may write the same one at once: each has a name of its own. */
export async function writeWhole(file: string, contents: string | Uint8Array): Promise<void> {
  const temporary = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(contents);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Undefined for a file that is not there; throws what else was wrong. */
export function missing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}

/** A file that is written at the end of a run. Until then there is none: yesterday's would be taken for today's. */
export class ReportFile {
  private constructor(
    private readonly named: string,
    private readonly place: string,
    /** False: a pipe or a device, which is written as it is. */
    private readonly whole: boolean,
  ) {}

  /** Takes away what is there. Throws a CliError when it could not be written: an hour's results must not be lost to that. */
  static async at(file: string): Promise<ReportFile> {
    try {
      const found = await stat(file).catch(missing);
      if (found && !found.isFile() && !found.isDirectory()) return new ReportFile(file, file, false);
      if (found) await access(file, constants.W_OK);
      // Where a link leads: the link stays.
      const place = found ? await realpath(file) : file;
      await writeWhole(place, '');
      await rm(place);
      return new ReportFile(file, place, true);
    } catch (error) {
      throw badUsage(`${file} cannot be written: ${reason(error)}`);
    }
  }

  async write(text: string): Promise<void> {
    try {
      await (this.whole ? writeWhole(this.place, text) : writeFile(this.place, text));
    } catch (error) {
      throw badInput(`${this.named} cannot be written: ${reason(error)}`);
    }
  }
}
