import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import {
  DESCRIPTION_SUFFIX,
  formatSize,
  hex,
  type RootCandidate,
  type RootsResult,
} from '../../inspection/protocol';
import { parseRank } from '../arguments';
import { type CliCommand, type CommonOptions } from '../command';
import { badInput, badUsage } from '../errors';
import { type Output } from '../output';
import { resolveSource } from '../source';

interface RootsOptions extends CommonOptions {
  readonly write?: string;
  readonly candidate?: number;
}

export const roots: CliCommand<RootsOptions> = {
  name: 'roots',
  summary: 'find where the IOMMU structures begin in an image of which nothing is known',
  examples: ['vmcore', 'guest.elf.gz --json', 'guest.elf.gz --write guest.iopte.json'],
  opensNothing: true,
  configure(command) {
    command
      .option(
        '--write <NAME.iopte.json>',
        'write a description of the image with the first candidate',
        parseName,
      )
      .option('--candidate <N>', 'with --write: describe this candidate instead of the first', parseRank);
  },
  async run({ session, file, output, options, note }) {
    if (options.candidate !== undefined && options.write === undefined) {
      throw badUsage('--candidate needs --write', 'iopte roots FILE --write NAME.iopte.json --candidate N');
    }
    const described = file.endsWith(DESCRIPTION_SUFFIX) ? await resolveSource(file, {}) : undefined;
    const imagePath = path.resolve(described?.imagePath ?? file);
    const found = await session.request('roots', {
      image: { kind: 'path', path: imagePath },
      ...(described ? { description: described.description } : {}),
    });
    for (const text of found.notes) note(`note: ${text}`);
    if (found.image.fromZero) {
      note('note: the file does not say where its bytes stood: they are taken from physical address 0 on');
    }
    if (options.json === true) await writeJson(output, found);
    else await writeText(output, found);
    if (options.write !== undefined) {
      await writeDescription(options.write, imagePath, found, options.candidate ?? 1);
      note(`wrote ${options.write}`);
    }
  },
};

function parseName(text: string): string {
  if (text.endsWith(DESCRIPTION_SUFFIX)) return text;
  throw new InvalidArgumentError(`Descriptions end in ${DESCRIPTION_SUFFIX}.`);
}

async function writeJson(output: Output, { image, candidates, looked }: RootsResult): Promise<void> {
  await output.json([
    { type: 'image', ...image, candidates: candidates.length, looked },
    ...candidates.map((candidate, index) => {
      const { kind, mode, address, structure, registers, assumed, strength, evidence, findings } = candidate;
      return {
        type: 'candidate',
        rank: index + 1,
        ...{ kind, mode, address, structure, strength },
        registers: Object.fromEntries(registers.map(({ name, value }) => [name, value])),
        ...{ assumed, evidence, findings },
      };
    }),
  ]);
}

async function writeText(output: Output, { image, candidates, looked }: RootsResult): Promise<void> {
  await output.lines([`${image.name}: ${image.format}, ${formatSize(image.bytesRead)} read`]);
  if (candidates.length === 0) await output.lines(['', 'No root was found.', looked]);
  for (const [index, candidate] of candidates.entries()) {
    await output.lines(['']);
    await output.title(`${index + 1}. ${titleOf(candidate)}`);
    await output.lines([
      `   --kind ${candidate.kind} --registers ${registersOf(candidate)}`,
      ...(candidate.assumed.length > 0
        ? [
            `   assumed: ${candidate.assumed.join(', ')}; the image does not tell, give the real value if you have it`,
          ]
        : []),
      ...candidate.findings.map((finding) => `   ${finding}`),
    ]);
  }
}

const titleOf = ({ mode, structure, address, strength }: RootCandidate): string =>
  `${mode}: ${structure} at ${hex(address)} (${strength} evidence)`;

const registersOf = ({ registers }: RootCandidate): string =>
  registers.map(({ name, value }) => `${name}=${hex(value)}`).join(',');

/** Never over a file that is there: it may hold what someone knew. */
async function writeDescription(
  file: string,
  imagePath: string,
  { candidates, looked }: RootsResult,
  rank: number,
): Promise<void> {
  const candidate = candidates[rank - 1];
  if (!candidate) {
    if (candidates.length === 0) throw badInput(`${file} is not written: no root was found`, looked);
    throw badInput(
      `${file} is not written: there is no candidate ${rank}`,
      candidates.length === 1 ? 'there is one: --candidate 1' : `give --candidate 1 to ${candidates.length}`,
    );
  }
  const image = path
    .relative(path.dirname(path.resolve(file)), imagePath)
    .split(path.sep)
    .join('/');
  const text = candidate.description.replace(
    /("(?:image|file)": )"(?:[^"\\]|\\.)*"/,
    (_, name: string) => name + JSON.stringify(image),
  );
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw badInput(`${file} cannot be written: ${why}`, 'give the name of a file that is not there yet');
  }
}
