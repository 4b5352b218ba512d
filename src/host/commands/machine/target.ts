import * as vscode from 'vscode';
import {
  formatSize,
  hex,
  parseInteger,
  RequestError,
  sameDomain,
  type MachineDomain,
  type MachineOperation,
  type MachineState,
  type OperationReport,
  type TreeNode,
} from '../../../inspection/protocol';
import type { App } from '../../app';
import type { Inspection } from '../../inspections';
import { requestOptions, withProgressIfLong } from '../../progress';
import { askPick } from '../../prompts/pick';
import { askInSteps, type Step } from '../../prompts/steps';
import { askText } from '../../prompts/text';
import { isElement, type Element } from '../../views/elements';
import { givenText, givenValues, targetDomain, targetInspection } from '../targets';

/** The emulated machine that a command is about. */
export function targetMachine(app: App, arg: unknown): Inspection {
  const inspection = targetInspection(app, arg);
  if (inspection.machine) return inspection;
  const emulated = app.inspections.all.filter(({ machine }) => machine);
  const [only] = emulated;
  if (!isElement(arg) && only && emulated.length === 1) return only;
  throw new RequestError({
    code: 'host/no-machine',
    message: vscode.l10n.t(
      '{0} is a memory image, and only emulated machines can be changed.',
      inspection.title,
    ),
    hint: vscode.l10n.t('Make one with "IOPTE: New Emulated Machine", or select one in Domains.'),
  });
}

/** What a question about a machine's domain knows so far. */
export interface DomainAnswers {
  readonly domain?: MachineDomain;
  readonly iova?: string;
  readonly length?: string;
}

/** What an element of Domains or the values of a command say of domain and range. */
export function givenRange(
  app: App,
  inspection: Inspection,
  state: MachineState,
  arg: unknown,
): DomainAnswers {
  const given = givenValues(arg);
  const id = givenText(given, 'domain');
  const key = targetDomain(app, inspection, arg);
  const named = state.domains.find((domain) => id !== undefined && String(domain.id) === id);
  const selected = key && state.domains.find(({ keys }) => keys.some((each) => sameDomain(each, key)));
  const [only, ...others] = state.domains;
  const domain = named ?? selected ?? (others.length === 0 ? only : undefined);
  const range = isElement(arg) ? rangeOf(arg) : undefined;
  const iova = givenText(given, 'iova') ?? (range && hex(range.start));
  const length = givenText(given, 'length') ?? (range && hex(range.end - range.start));
  return {
    ...(domain && { domain }),
    ...(iova !== undefined && { iova }),
    ...(length !== undefined && { length }),
  };
}

/** The IOVAs of a row of Domains. */
function rangeOf(element: Element): { readonly start: bigint; readonly end: bigint } | undefined {
  const node: TreeNode | undefined = element.kind === 'node' ? element.node : undefined;
  if (node?.kind === 'run') return { start: node.run.iova, end: node.run.iova + node.run.length };
  return node?.kind === 'table' || node?.kind === 'entry' ? node.range : undefined;
}

export const askDomain =
  <State extends DomainAnswers>({ domains }: MachineState): Step<State> =>
  async (state, place) => {
    if (state.domain) return 'skip';
    const choices = domains.map((domain) => ({
      label: vscode.l10n.t('Domain {0}', domain.id),
      description: domain.format,
      detail: vscode.l10n.t('{0} mapped', formatSize(domain.mappedBytes)),
      value: domain,
    }));
    const answer = await askPick({ placeholder: vscode.l10n.t('Domain'), choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, domain: answer.value } } : answer;
  };

/** Asks for a number as text that `parseInteger` reads. */
export const askNumber =
  <State>(name: keyof State & string, prompt: string, placeholder: string, optional = false): Step<State> =>
  async (state, place) => {
    if (state[name] !== undefined) return 'skip';
    const check = (text: string): string | undefined =>
      parseInteger(text) !== undefined || (optional && text === '')
        ? undefined
        : vscode.l10n.t('A number of at most 64 bits, with a unit or without: 0x100000, 4096, 2M.');
    const answer = await askText({ prompt, placeholder, check }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, [name]: answer.value } } : answer;
  };

export const askIova = <State extends DomainAnswers>(): Step<State> =>
  askNumber<State>('iova', vscode.l10n.t('First IOVA'), '0x100000000');

export const askLength = <State extends DomainAnswers>(): Step<State> =>
  askNumber<State>('length', vscode.l10n.t('Length in bytes, with a unit or without'), '2M');

/** Asks what is missing, in a row of questions with a way back; undefined when the user gave up. */
export const askMissing = <State>(
  title: string,
  first: State,
  steps: readonly Step<State>[],
): Promise<State | undefined> => askInSteps(title, first, steps);

/** Does an operation, shows that it goes on when it takes long, and says what it did. */
export async function operate(
  app: App,
  inspection: Inspection,
  title: string,
  operation: MachineOperation,
): Promise<OperationReport> {
  const report = await withProgressIfLong(title, (task) =>
    app.inspections.operate(inspection, operation, requestOptions(task)),
  );
  app.log.info(`${inspection.title}: ${report.summary}`);
  return report;
}

/** Says what an operation did; a refusal is a warning. Does not wait for the message to be read. */
export function tell({ summary, errno }: OperationReport, ...actions: readonly Action[]): void {
  const show = errno === undefined ? vscode.window.showInformationMessage : vscode.window.showWarningMessage;
  const text = errno === undefined ? summary : `${errno}: ${summary}`;
  void show(text, ...actions.map(({ title }) => title)).then((chosen) =>
    actions.find(({ title }) => title === chosen)?.run(),
  );
}

interface Action {
  readonly title: string;
  readonly run: () => unknown;
}

export const showFaults = (): Action => ({
  title: vscode.l10n.t('Show Faults'),
  run: () => vscode.commands.executeCommand('iopte.faults.focus'),
});
