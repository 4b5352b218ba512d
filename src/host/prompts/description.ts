import * as vscode from 'vscode';
import { hex, parseInteger, type ResultOf } from '../../inspection/protocol';
import type { App } from '../app';
import { defaultDescriptionUri, writeDescription, type Segment } from '../description';
import { withProgress, requestOptions } from '../progress';
import { baseName, sizeOf } from '../source';
import { askPick } from './pick';
import { askInSteps, type Step } from './steps';
import { askText } from './text';
import { checkRegister } from './values';

/** The registers a kind of IOMMU is described by, by specification name. */
interface IommuKind {
  readonly kind: string;
  readonly label: string;
  readonly registers: readonly {
    readonly name: string;
    readonly prompt: string;
    /** One that may be left out: what is assumed then is the prompt's business to say. */
    readonly optional: boolean;
  }[];
}

const kinds = (): readonly IommuKind[] => [
  {
    kind: 'vt-d',
    label: vscode.l10n.t('Intel VT-d'),
    registers: [
      {
        name: 'RTADDR',
        prompt: vscode.l10n.t('Root Table Address Register (RTADDR_REG, offset 0x20)'),
        optional: false,
      },
      {
        name: 'GSTS',
        prompt: vscode.l10n.t(
          'Global Status Register (GSTS_REG, offset 0x1c). Empty: translation is enabled.',
        ),
        optional: true,
      },
      {
        name: 'CAP',
        prompt: vscode.l10n.t(
          'Capability Register (CAP_REG, offset 0x8). Empty: nothing is checked against it.',
        ),
        optional: true,
      },
      {
        name: 'ECAP',
        prompt: vscode.l10n.t(
          'Extended Capability Register (ECAP_REG, offset 0x10). Empty: nothing is checked against it.',
        ),
        optional: true,
      },
    ],
  },
];

interface Answers {
  readonly segments?: readonly Segment[];
  readonly kind?: IommuKind;
  readonly registers: Readonly<Record<string, string>>;
  readonly write?: boolean;
}

/** Asks for what an image does not say itself. Undefined when the user gave up. */
export async function askForDescription(
  app: App,
  image: vscode.Uri,
): Promise<{ readonly text: string; readonly write: boolean } | undefined> {
  const name = baseName(image);
  const found = await recogniseImage(app, image);
  const title = vscode.l10n.t('Open {0} ({1})', name, found.format);
  const first = kinds()[0];
  const names = first?.registers ?? [];
  const steps: readonly Step<Answers>[] = [
    ...(found.needsSegments ? [askSegments] : []),
    askKind,
    ...names.map((_, index) => askRegister(index)),
    ...(mayWriteBeside(app.context.extensionUri, image) ? [askWrite(image)] : []),
  ];
  const answers = await askInSteps<Answers>(title, { registers: {} }, steps);
  if (!answers?.kind) return undefined;
  const { segments, kind, registers, write } = answers;
  const text = writeDescription({ image: name, segments, kind: kind.kind, registers });
  return { text, write: write ?? false };
}

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
  const choices = kinds().map((kind) => ({
    label: kind.label,
    description: kind.registers.map(({ name }) => name).join(', '),
    value: kind,
  }));
  const answer = await askPick({ placeholder: vscode.l10n.t('Kind of IOMMU'), choices }, place);
  return answer.kind === 'value' ? { kind: 'value', value: { ...state, kind: answer.value } } : answer;
};

const askRegister =
  (index: number): Step<Answers> =>
  async (state, place) => {
    const register = state.kind?.registers[index];
    if (!register) return 'skip';
    const { name, prompt, optional } = register;
    const answer = await askText(
      {
        prompt,
        placeholder: optional ? vscode.l10n.t('{0}: 0x…, or empty', name) : vscode.l10n.t('{0}: 0x…', name),
        value: state.registers[name],
        check: (text) => (text === '' && optional ? undefined : checkRegister(text)),
      },
      place,
    );
    if (answer.kind !== 'value') return answer;
    const value = parseInteger(answer.value);
    const registers = value === undefined ? state.registers : { ...state.registers, [name]: hex(value) };
    return { kind: 'value', value: { ...state, registers } };
  };

const askWrite =
  (image: vscode.Uri): Step<Answers> =>
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
