import * as vscode from 'vscode';
import {
  hex,
  IOMMU_KINDS,
  KIND_TITLES,
  parseInteger,
  REGISTERS,
  type IommuKind,
  type RegisterSpec,
  type ResultOf,
} from '../../inspection/protocol';
import type { App } from '../app';
import { defaultDescriptionUri, writeDescription, type Segment } from '../description';
import { withProgress, requestOptions } from '../progress';
import { baseName, sizeOf } from '../source';
import { askPick, type Choice } from './pick';
import { askInSteps, type Step } from './steps';
import { askText } from './text';
import { checkRegister } from './values';

/** What a register is, where it stands, and what leaving it out means. */
function promptOf({ name, bits, offset, required, what }: RegisterSpec): string {
  const where =
    offset === null
      ? vscode.l10n.t('{0}, {1} bits', name, bits)
      : vscode.l10n.t('{0}, {1} bits at offset {2} of the IOMMU’s registers', name, bits, hex(offset));
  const without = required
    ? ''
    : vscode.l10n.t('Empty when not known: it is taken to allow what the tables use.');
  return [`${what} (${where}).`, without].join(' ').trim();
}

interface Answers {
  readonly segments?: readonly Segment[];
  readonly kind?: IommuKind;
  /** The registers are not known: what they point to shall be looked for. */
  readonly findRoots?: boolean;
  readonly registers: Readonly<Record<string, string>>;
  readonly write?: boolean;
}

/** A description made of answers, or that the registers shall be looked for. */
export type AskedDescription =
  | { readonly kind: 'described'; readonly text: string; readonly write: boolean }
  /** `where`: a description that says where the bytes of the image belong, when that was asked for. */
  | { readonly kind: 'find-roots'; readonly where: string | undefined };

/** Asks for what an image does not say itself. Undefined when the user gave up. */
export async function askForDescription(app: App, image: vscode.Uri): Promise<AskedDescription | undefined> {
  const name = baseName(image);
  const found = await recogniseImage(app, image);
  const title = vscode.l10n.t('Open {0} ({1})', name, found.format);
  const beginning: readonly Step<Answers>[] = [...(found.needsSegments ? [askSegments] : []), askKind];
  const steps = ({ kind, findRoots }: Answers): readonly Step<Answers>[] => [
    ...beginning,
    ...(findRoots === true ? [] : REGISTERS[kind ?? 'vt-d'].map((register) => askRegister(register))),
    ...(findRoots !== true && mayWriteBeside(app.context.extensionUri, image)
      ? [askWrite<Answers>(image)]
      : []),
  ];
  const answers = await askInSteps<Answers>(title, { registers: {} }, steps);
  if (!answers) return undefined;
  const { segments, kind, registers, write } = answers;
  if (answers.findRoots === true) return { kind: 'find-roots', where: segments && whereOnly(name, segments) };
  if (!kind) return undefined;
  const text = writeDescription({ image: name, segments, kind, registers });
  return { kind: 'described', text, write: write ?? false };
}

/** A description needs an IOMMU: its registers are not read by a search. */
const whereOnly = (image: string, segments: readonly Segment[]): string =>
  writeDescription({ image, segments, kind: 'vt-d', registers: { RTADDR: '0x0' } });

/** What a file is, by its first bytes. */
export function recogniseImage(app: App, image: vscode.Uri): Thenable<ResultOf<'recognise'>> {
  return withProgress(vscode.l10n.t('Reading {0}', baseName(image)), async (task) => {
    const file = await app.inspections.readImage(image);
    return app.engine.ask('recognise', { image: file }, requestOptions(task));
  });
}

/** Nothing of the user's belongs into the extension's own folder, where the samples stand. */
export const mayWriteBeside = (extension: vscode.Uri, image: vscode.Uri): boolean =>
  !image.toString().startsWith(`${extension.toString().replace(/\/$/, '')}/`);

const askKind: Step<Answers> = async (state, place) => {
  const kinds = IOMMU_KINDS.map((kind) => ({
    label: KIND_TITLES[kind],
    description: REGISTERS[kind]
      .filter(({ required }) => required)
      .map(({ name }) => name)
      .join(', '),
    value: kind,
  }));
  const unknown = {
    label: vscode.l10n.t('Find IOMMU Roots'),
    description: vscode.l10n.t('when the registers are not known'),
    value: 'find-roots' as const,
  };
  const choices: readonly Choice<IommuKind | 'find-roots'>[] = [...kinds, unknown];
  const placeholder = vscode.l10n.t(
    'Kind of IOMMU, and the registers that its tables cannot be found without',
  );
  const answer = await askPick({ placeholder, choices }, place);
  if (answer.kind !== 'value') return answer;
  const { kind: _kind, findRoots: _findRoots, ...others } = state;
  if (answer.value === 'find-roots') return { kind: 'value', value: { ...others, findRoots: true } };
  // Registers of another kind, asked for before a step back, do not belong to this one.
  const registers = answer.value === state.kind ? state.registers : {};
  return { kind: 'value', value: { ...others, kind: answer.value, registers } };
};

const askRegister =
  (register: RegisterSpec): Step<Answers> =>
  async (state, place) => {
    const { name, required } = register;
    const answer = await askText(
      {
        prompt: promptOf(register),
        placeholder: required ? vscode.l10n.t('{0}: 0x…', name) : vscode.l10n.t('{0}: 0x…, or empty', name),
        value: state.registers[name],
        check: (text) => (text === '' && !required ? undefined : checkRegister(text, register.bits)),
      },
      place,
    );
    if (answer.kind !== 'value') return answer;
    const value = parseInteger(answer.value);
    const { [name]: _before, ...others } = state.registers;
    const registers = value === undefined ? others : { ...others, [name]: hex(value) };
    return { kind: 'value', value: { ...state, registers } };
  };

/** Asks whether to write a description beside the image. */
export const askWrite =
  <State extends { readonly write?: boolean }>(image: vscode.Uri): Step<State> =>
  async (state, place) => {
    const uri = defaultDescriptionUri(image);
    const file = baseName(uri);
    const exists = (await sizeOf(uri)).ok;
    const choices = [
      {
        label: exists
          ? vscode.l10n.t('Open and replace {0}', file)
          : vscode.l10n.t('Open and write {0}', file),
        detail: vscode.l10n.t('The next time the image opens without a question.'),
        value: true,
      },
      { label: vscode.l10n.t('Open only'), value: false },
    ];
    const placeholder = vscode.l10n.t('Keep these answers beside the image?');
    const answer = await askPick({ placeholder, choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, write: answer.value } } : answer;
  };

const askSegments: Step<Answers> = async (state, place) => {
  const answer = await askText(
    {
      prompt: vscode.l10n.t(
        'Which physical addresses do the bytes of the file stand at? Separate parts by commas.',
      ),
      placeholder: vscode.l10n.t(
        '0x0 for the whole file, or PADDR=OFFSET+LENGTH: 0x0=0x0+640K, 0x100000=640K+2G',
      ),
      value: state.segments?.map(segmentText).join(', '),
      check: (text) =>
        readSegments(text)
          ? undefined
          : vscode.l10n.t('Each part is PADDR, PADDR=OFFSET or PADDR=OFFSET+LENGTH, as in 0x100000=0x0+64M.'),
    },
    place,
  );
  if (answer.kind !== 'value') return answer;
  const segments = readSegments(answer.value);
  return { kind: 'value', value: segments ? { ...state, segments } : state };
};

const segmentText = ({ paddr, offset, length }: Segment): string =>
  `${paddr}=${hex(offset)}${length === undefined ? '' : `+${hex(length)}`}`;

/** Parts `PADDR[=OFFSET[+LENGTH]]`, separated by commas; without a length a part goes to the end of the file. */
export function readSegments(text: string): readonly Segment[] | undefined {
  const segments: Segment[] = [];
  for (const part of text.split(',')) {
    const match = /^([^=+]+)(?:=([^=+]+)(?:\+([^=+]+))?)?$/.exec(part.trim());
    const [, at = '', from = '0', many] = match ?? [];
    const [paddr, offset] = [parseInteger(at), parseInteger(from)];
    const length = many === undefined ? undefined : parseInteger(many);
    if (paddr === undefined || offset === undefined || (many !== undefined && !length)) return undefined;
    const where = { paddr: hex(paddr), offset: Number(offset) };
    segments.push(length === undefined ? where : { ...where, length: Number(length) });
  }
  return segments;
}
