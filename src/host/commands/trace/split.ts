import * as vscode from 'vscode';
import { type TraceSpaces } from '../../../inspection/protocol';
import type { Command } from '../../app';
import { plainText, shortened } from '../../plainText';
import { requestOptions, withProgress } from '../../progress';
import { askPick, type Choice } from '../../prompts/pick';
import type { TraceDocument } from '../../traces/traceDocument';
import { readSpaces } from '../../traces/traceMemory';
import { givenValues } from '../targets';
import { replayOf, showReplay } from './replay';
import { targetTrace } from './target';

/** Address spaces that a message names. */
const MOST_NAMES = 8;
/** Rules that a trace may have. */
const MOST_RULES = 50;

/**
 * Tells the address spaces of a trace apart: by what rows say of devices or domains, or by rules, each a name and a filter. Takes
 * `{trace, spaces}`. They are kept with the workspace, and tables that are shown are built anew.
 */
export const splitTraceBySpaces: Command = {
  id: 'iopte.splitTraceBySpaces',
  async run(app, arg) {
    const document = targetTrace(app, arg);
    const spaces = readSpaces(givenValues(arg)['spaces']) ?? (await askSpaces(document));
    if (!spaces) return;
    const told = await withProgress(
      vscode.l10n.t('Telling address spaces of {0} apart', document.name),
      (task) => document.ask('traceSpaces', { spaces }, requestOptions(task)),
    );
    document.spaces = spaces;
    await app.traces.memory.keepSpaces(document.id, spaces);
    document.renew();
    const [worst] = told.notes;
    if (worst) app.reporter.warn(worst, []);
    else void vscode.window.showInformationMessage(plainText(spacesText(told.spaces)));
    const replay = replayOf(app, document)?.replay;
    if (replay) await showReplay(app, document, { ...replay, spaces });
  },
};

function spacesText(spaces: readonly { readonly name: string; readonly rows: number }[]): string {
  const first = spaces.slice(0, MOST_NAMES);
  const names = first.map(({ name, rows }) => vscode.l10n.t('{0} ({1} rows)', shortened(name), rows));
  const left = spaces.length - first.length;
  const list = names.join(', ') || vscode.l10n.t('none');
  return left === 0
    ? vscode.l10n.t('Address spaces: {0}.', list)
    : vscode.l10n.t('Address spaces: {0}, and {1} more.', list, left);
}

async function askSpaces(document: TraceDocument): Promise<TraceSpaces | undefined> {
  const title = vscode.l10n.t('Split {0} by Address Spaces', document.name);
  const choices: readonly Choice<TraceSpaces['by']>[] = [
    {
      label: vscode.l10n.t('As far as the trace tells'),
      detail: vscode.l10n.t('By device or domain where rows name them, else by mappings that overlap'),
      value: 'auto',
    },
    {
      label: vscode.l10n.t('By device'),
      detail: vscode.l10n.t('Rows of one device together'),
      value: 'device',
    },
    {
      label: vscode.l10n.t('By domain'),
      detail: vscode.l10n.t('Rows of one domain number together'),
      value: 'domain',
    },
    {
      label: vscode.l10n.t('By rules…'),
      detail: vscode.l10n.t('A name and a filter for each address space; the first that matches counts'),
      value: 'rules',
    },
  ];
  const isLast = ({ value }: Choice<TraceSpaces['by']>): boolean => value === document.spaces.by;
  const placeholder = vscode.l10n.t('How are address spaces told apart?');
  const answer = await askPick({ placeholder, choices, isLast }, { title, step: 1, of: 1 });
  if (answer.kind !== 'value') return undefined;
  if (answer.value !== 'rules') return { by: answer.value };
  const rules = await askRules(document, title);
  return rules && { by: 'rules', rules };
}

type Rules = NonNullable<TraceSpaces['rules']>;

/** Asks for one rule after the other; an empty one ends. Those of last time are offered. */
async function askRules(document: TraceDocument, title: string): Promise<Rules | undefined> {
  const before = document.spaces.rules ?? [];
  const rules: Rules[number][] = [];
  while (rules.length < MOST_RULES) {
    const known = before[rules.length];
    const text = await vscode.window.showInputBox({
      title,
      prompt:
        rules.length === 0
          ? vscode.l10n.t('First rule, NAME: FILTER')
          : vscode.l10n.t('Rule {0}, NAME: FILTER; nothing ends', rules.length + 1),
      placeHolder: 'nic: task = "irq/42-eth0" or cpu = 1',
      value: known ? `${known.name}: ${known.where}` : '',
      ignoreFocusOut: true,
      validateInput: (typed) => checkRule(document, typed, rules),
    });
    if (text === undefined) return undefined;
    const rule = readRule(text);
    if (!rule) break;
    rules.push(rule);
  }
  return rules.length > 0 ? rules : undefined;
}

/** `nic: device = 00:02.0` */
export function readRule(text: string): Rules[number] | undefined {
  const [, name, where] = /^\s*([^:]+?)\s*:\s*(\S.*?)\s*$/.exec(text) ?? [];
  return name !== undefined && where !== undefined ? { name, where } : undefined;
}

async function checkRule(document: TraceDocument, text: string, known: Rules): Promise<string | undefined> {
  if (text.trim() === '')
    return known.length === 0 ? vscode.l10n.t('A rule is NAME: FILTER, as in nic: cpu = 1.') : undefined;
  const rule = readRule(text);
  if (!rule) return vscode.l10n.t('A rule is NAME: FILTER, as in nic: cpu = 1.');
  if (known.some(({ name }) => name === rule.name))
    return vscode.l10n.t('There is a rule {0} already.', rule.name);
  const problems = await document.ask('checkTraceFilter', { where: rule.where });
  const error = problems.find(({ severity }) => severity === 'error');
  return error && [error.message, error.hint].filter(Boolean).join(' ');
}
