import * as vscode from 'vscode';
import {
  domainTag,
  formatSize,
  hex,
  parseInteger,
  RequestError,
  sameDomain,
  type InspectionSummary,
  type MachineDomain,
  type MachineState,
  type TreeNode,
} from '../../../inspection/protocol';
import type { App } from '../../app';
import type { Inspection } from '../../inspections';
import { askPick, type Choice } from '../../prompts/pick';
import type { Step } from '../../prompts/steps';
import { askText } from '../../prompts/text';
import { isElement, type Element } from '../../views/elements';
import { domainName, givenText, givenValues, targetDomain, targetInspection } from '../targets';

/** The emulated machine that a command is about. */
export function targetMachine(app: App, arg: unknown): Inspection {
  const inspection = targetInspection(app, arg);
  if (inspection.machine) return inspection;
  const emulated = app.inspections.all.filter(({ machine }) => machine);
  const [only] = emulated;
  const isNamed = isElement(arg) || givenText(givenValues(arg), 'inspection') !== undefined;
  if (!isNamed && only && emulated.length === 1) return only;
  throw new RequestError({
    code: 'host/no-machine',
    message: vscode.l10n.t(
      '{0} is a memory image, and only emulated machines can be changed.',
      inspection.title,
    ),
    hint: vscode.l10n.t('Make one with "IOPTE: New Emulated Machine", or select one in Domains.'),
  });
}

/** What has memory that was made here: the emulated machine, or the tables replayed from a trace, that a command is about. */
export function targetMade(app: App, arg: unknown): Inspection {
  const inspection = targetInspection(app, arg);
  if (inspection.machine ?? inspection.replay) return inspection;
  const made = app.inspections.all.filter(({ machine, replay }) => machine ?? replay);
  const [only] = made;
  const isNamed = isElement(arg) || givenText(givenValues(arg), 'inspection') !== undefined;
  if (!isNamed && only && made.length === 1) return only;
  throw new RequestError({
    code: 'host/nothing-made',
    message: vscode.l10n.t('{0} is a memory image already.', inspection.title),
    hint: vscode.l10n.t('Select an emulated machine, or tables of a trace, in Domains.'),
  });
}

/** A machine that a command is about, as it stands. */
export interface Target {
  readonly inspection: Inspection;
  readonly state: MachineState;
  readonly summary: InspectionSummary;
}

export async function readTarget(app: App, arg: unknown): Promise<Target> {
  const inspection = targetMachine(app, arg);
  const state = await app.inspections.ask(inspection, 'machine', {});
  return { inspection, state, summary: await app.inspections.summary(inspection) };
}

/** `DID 1 (HWPT 4)`: as Domains shows a domain, and as operations name it. One without a device has only the latter. */
export function domainLabel({ iommus }: InspectionSummary, { id, keys: [key] }: MachineDomain): string {
  const words = iommus.find(({ name }) => name === key?.iommu)?.words;
  return key && words
    ? vscode.l10n.t('{0} (HWPT {1})', domainTag(key, words), id)
    : vscode.l10n.t('HWPT {0}, no device', id);
}

/** A domain as one of a list to choose from. */
export const domainChoice = (target: Target, domain: MachineDomain): Choice<MachineDomain> => ({
  label: domainLabel(target.summary, domain),
  description: domain.format,
  detail: vscode.l10n.t(
    '{0} mapped, dirty tracking {1}',
    formatSize(domain.mappedBytes),
    trackingText(domain.tracking),
  ),
  value: domain,
});

export function trackingText(tracking: MachineDomain['tracking']): string {
  if (tracking === 'none') return vscode.l10n.t('not possible');
  return tracking === 'on' ? vscode.l10n.t('on') : vscode.l10n.t('off');
}

/** What a question about a machine's domain knows so far. */
export interface DomainAnswers {
  readonly domain?: MachineDomain;
  readonly iova?: string;
  readonly length?: string;
  /** Bytes of the pages that are there, where a row of Domains says so. */
  readonly pageSize?: bigint;
}

/** What an element of Domains or the values of a command say of domain and range. */
export function givenRange(app: App, { inspection, state }: Target, arg: unknown): DomainAnswers {
  const given = givenValues(arg);
  const id = givenText(given, 'domain');
  const key = targetDomain(app, inspection, arg);
  const selected = key && state.domains.find(({ keys }) => keys.some((each) => sameDomain(each, key)));
  const [only, ...others] = state.domains;
  const domain =
    id === undefined ? (selected ?? (others.length === 0 ? only : undefined)) : namedDomain(state, id);
  const range = isElement(arg) ? rangeOf(arg) : undefined;
  const iova = givenText(given, 'iova') ?? (range && hex(range.start));
  const length = givenText(given, 'length') ?? (range && hex(range.end - range.start));
  return {
    ...(domain && { domain }),
    ...(iova !== undefined && { iova }),
    ...(length !== undefined && { length }),
    ...(range?.pageSize !== undefined && { pageSize: range.pageSize }),
  };
}

/** A domain by the id of its HWPT, or by the name that `domainName` gives. */
function namedDomain({ domains }: MachineState, name: string): MachineDomain {
  const named = domains.find(({ id, keys }) => String(id) === name || keys.map(domainName).includes(name));
  if (named) return named;
  throw new RequestError({
    code: 'host/no-domain',
    message: vscode.l10n.t('The machine has no domain {0}.', name),
    hint: vscode.l10n.t('Domains are named by their HWPT: {0}.', domains.map(({ id }) => id).join(', ')),
  });
}

interface Range {
  readonly start: bigint;
  readonly end: bigint;
  readonly pageSize?: bigint;
}

/** The IOVAs of a row of Domains. */
function rangeOf(element: Element): Range | undefined {
  const node: TreeNode | undefined = element.kind === 'node' ? element.node : undefined;
  if (node?.kind === 'run') {
    const { iova, length, pageSize } = node.run;
    return { start: iova, end: iova + length, pageSize };
  }
  return node?.kind === 'table' || node?.kind === 'entry' ? node.range : undefined;
}

export const askDomain =
  <State extends DomainAnswers>(target: Target): Step<State> =>
  async (state, place) => {
    if (state.domain) return 'skip';
    const choices = target.state.domains.map((domain) => domainChoice(target, domain));
    const answer = await askPick({ placeholder: vscode.l10n.t('Domain'), choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, domain: answer.value } } : answer;
  };

/** What is wrong with a text that `parseInteger` does not read. */
const checkNumber = (text: string): string | undefined =>
  parseInteger(text) === undefined
    ? vscode.l10n.t('A number of at most 64 bits, with a unit or without: 0x100000, 4096, 2M.')
    : undefined;

export interface NumberQuestion {
  readonly prompt: string;
  readonly placeholder: string;
  /** Stands there to begin with. */
  readonly value?: string | undefined;
  /** May stay empty. */
  readonly optional?: boolean;
}

/** Asks for a number as text that `parseInteger` reads. */
export const askNumber =
  <State>(
    name: keyof State & string,
    { prompt, placeholder, value, optional = false }: NumberQuestion,
  ): Step<State> =>
  async (state, place) => {
    if (state[name] !== undefined) return 'skip';
    const check = (text: string): string | undefined =>
      optional && text === '' ? undefined : checkNumber(text);
    const answer = await askText({ prompt, placeholder, value, check }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, [name]: answer.value } } : answer;
  };

/** Asks for a range; that of the row that is selected in Domains stands there to begin with. */
export function askRange<State extends DomainAnswers>(
  app: App,
  { inspection }: Target,
): readonly Step<State>[] {
  const { selected } = app.domains;
  const range = selected?.inspection.id === inspection.id ? rangeOf(selected) : undefined;
  return [
    askNumber<State>('iova', {
      prompt: vscode.l10n.t('First IOVA'),
      placeholder: '0x100000000',
      value: range && hex(range.start),
    }),
    askNumber<State>('length', {
      prompt: vscode.l10n.t('Length in bytes, with a unit or without'),
      placeholder: '2M',
      value: range && sizeText(range.end - range.start),
    }),
  ];
}

/** `2M` where that is the same number again. */
const sizeText = (bytes: bigint): string =>
  parseInteger(formatSize(bytes)) === bytes ? formatSize(bytes) : hex(bytes);
