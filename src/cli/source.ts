/** From FILE on the command line to what the inspection opens: a description and its image. */
import { readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { findNodeAtLocation, getNodeValue, parseTree } from 'jsonc-parser';
import { DESCRIPTION_SUFFIX, hex, IOMMU_KINDS, REGISTERS } from '../inspection/protocol';
import { type Registers } from './arguments';
import { badInput, badUsage } from './errors';

/** A description with the segments of a big machine stays far below this; anything larger is not one. */
const LONGEST_DESCRIPTION = 16 * 1024 * 1024;

export interface SourceOptions {
  readonly registers?: Registers;
  readonly kind?: string;
}

export interface Source {
  /** Empty for an image that says itself which IOMMUs there are. */
  readonly description: string;
  /** The description's file; absent when it was made from --registers, and when the image needs none. */
  readonly descriptionPath?: string;
  readonly imagePath: string;
}

/** Whether an image opens without a description: the engine knows. */
export type DescribesItself = (image: string) => Promise<boolean>;

/**
 * FILE is an image (with a description beside it or --registers, unless it describes itself) or a description. The engine is
 * asked only about an image that has no description.
 */
export async function resolveSource(
  file: string,
  options: SourceOptions,
  describesItself: DescribesItself = () => Promise.resolve(false),
): Promise<Source> {
  await mustBeFile(file);
  const isDescription = file.endsWith(DESCRIPTION_SUFFIX);
  if (options.registers !== undefined) {
    if (isDescription) {
      throw badUsage(
        `--registers is for an image, and ${file} is a description`,
        'name the image itself, or edit the registers in the description',
      );
    }
    const kind = options.kind ?? 'vt-d';
    return { description: describe(path.basename(file), kind, options.registers), imagePath: file };
  }
  if (options.kind !== undefined) throw badUsage('--kind needs --registers');
  const descriptionPath = isDescription ? file : await descriptionBeside(file);
  if (descriptionPath === undefined) {
    if (await describesItself(file)) return { description: '', imagePath: file };
    throw badInput(`${file} has no description beside it`, howToDescribe(file));
  }
  const description = await readDescription(descriptionPath);
  const image = imageOf(description);
  if (image === undefined) {
    throw badInput(
      `${descriptionPath} does not name its image`,
      'add "image": "NAME.elf.gz" with the name of the image in the same folder',
    );
  }
  const imagePath = path.resolve(path.dirname(descriptionPath), image);
  await mustBeFile(imagePath, descriptionPath);
  return { description, descriptionPath, imagePath };
}

/** Text of a description with one IOMMU. */
export function describe(image: string, kind: string, registers: Registers): string {
  const name = kind === 'vt-d' ? 'dmar0' : 'iommu0';
  const values = Object.fromEntries([...registers].map(([register, value]) => [register, hex(value)]));
  const description = { version: 1, image, iommus: [{ name, kind, segment: 0, registers: values }] };
  return `${JSON.stringify(description, null, 2)}\n`;
}

/** The image's file as the description names it; undefined when it names none. */
export function imageOf(description: string): string | undefined {
  const root = parseTree(description, [], { allowTrailingComma: true });
  if (root === undefined) return undefined;
  for (const place of [['image'], ['image', 'file']]) {
    const node = findNodeAtLocation(root, place);
    const value: unknown = node && getNodeValue(node);
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}

async function descriptionBeside(image: string): Promise<string | undefined> {
  const folder = path.dirname(image);
  const names = (await readdir(folder)).filter((name) => name.endsWith(DESCRIPTION_SUFFIX)).sort();
  const found: string[] = [];
  for (const name of names) {
    const candidate = path.join(folder, name);
    const named = imageOf(await readDescription(candidate).catch(() => ''));
    if (named !== undefined && path.resolve(folder, named) === path.resolve(image)) found.push(candidate);
  }
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.length > 1) {
    throw badInput(
      `${image} has more than one description: ${found.join(', ')}`,
      'name the description itself instead of the image',
    );
  }
  return undefined;
}

/** How to find the registers, to give them, or to write them down: an example that only lacks their values. */
function howToDescribe(image: string): string {
  const stem = path.basename(image).replace(/(\.(elf|raw|bin|img|dump|core|vmcore))?(\.gz)?$/i, '');
  const example = describe(path.basename(image), 'vt-d', new Map());
  return [
    `find where its IOMMU's tables begin: iopte roots ${image}`,
    `or give the registers: --registers RTADDR=0x...,GSTS=0x...`,
    `with --kind for another IOMMU than VT-d: ${otherKinds()}`,
    `or write ${path.join(path.dirname(image), stem + DESCRIPTION_SUFFIX)}:`,
    ...example
      .replace('"registers": {}', '"registers": { "RTADDR": "0x...", "GSTS": "0x..." }')
      .trimEnd()
      .split('\n'),
  ].join('\n');
}

/** `amd-vi (DevTabBase), …`: with the registers that cannot be left out. */
const otherKinds = (): string =>
  IOMMU_KINDS.filter((kind) => kind !== 'vt-d')
    .map((kind) => {
      const names = REGISTERS[kind].filter(({ required }) => required).map(({ name }) => name);
      return `${kind} (${names.join(', ')})`;
    })
    .join(', ');

async function readDescription(file: string): Promise<string> {
  await mustBeFile(file);
  const { size } = await stat(file);
  if (size > LONGEST_DESCRIPTION) {
    throw badInput(
      `${file} is too long for a description: ${String(size)} bytes`,
      `descriptions end in ${DESCRIPTION_SUFFIX}; an image must not`,
    );
  }
  // Editors of Windows begin UTF-8 files with a byte order mark, which JSON does not know.
  return (await readFile(file, 'utf8')).replace(/^\u{feff}/u, '');
}

async function mustBeFile(file: string, namedIn?: string): Promise<void> {
  const where = namedIn === undefined ? '' : `, named in ${namedIn}`;
  try {
    const found = await stat(file);
    if (found.isDirectory())
      throw badInput(`${file} is a folder${where}`, 'name an image or a description in it');
    if (!found.isFile()) {
      throw badInput(`${file} is a pipe or a device${where}`, 'copy what it gives into a file and name that');
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error) {
      throw badInput(
        error.code === 'ENOENT'
          ? `${file} does not exist${where}`
          : `${file} cannot be read${where}: ${error.message}`,
        namedIn === undefined ? undefined : 'correct "image" in the description, or move the image there',
      );
    }
    throw error;
  }
}
