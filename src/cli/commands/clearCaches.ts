import { bytesText } from '../figures';
import { type CliCommand, type CommonOptions } from '../command';

export const clearCaches: CliCommand<CommonOptions> = {
  name: 'clear-caches',
  summary: 'throw out unpacked files and indexes of traces that were kept on disk',
  examples: ['', '--json'],
  opensNothing: true,
  takesNoFile: true,
  about: `
Both are made again when they are needed. IOPTE_CACHE says where they are; docs/cli.md.`,
  configure: () => undefined,
  async run({ session, output, options }) {
    const { files, bytes } = await session.request('clearCaches', {});
    if (options.json === true) await output.json([{ files, bytes }]);
    else
      await output.lines([
        files === 0 ? 'nothing was kept' : `threw out ${files} files, ${bytesText(bytes)}`,
      ]);
  },
};
