import * as vscode from 'vscode';
import { formatSize, parseInteger, RequestError, type MachineOperation } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { askPick, type Choice } from '../../prompts/pick';
import { askInSteps, type Step } from '../../prompts/steps';
import { givenText, givenValues, type Given } from '../targets';
import { operate, tell } from './operate';
import { askDomain, askNumber, askRange, givenRange, readTarget, type DomainAnswers } from './target';

interface Answers extends DomainAnswers {
  readonly size?: string;
  readonly protocol?: string;
  readonly paddr?: string;
  readonly permission?: 'R' | 'W' | 'RW';
}

/** One change of a domain's tables. */
interface TableCommand {
  readonly id: string;
  readonly title: () => string;
  readonly given?: (given: Given) => Partial<Answers>;
  readonly questions: (app: App) => readonly Step<Answers>[];
  readonly operation: (
    answers: Answers & Required<Pick<DomainAnswers, 'domain' | 'iova' | 'length'>>,
  ) => MachineOperation;
}

const tableCommand = ({ id, title, given, questions, operation }: TableCommand): Command => ({
  id,
  async run(app, arg) {
    const target = await readTarget(app, arg);
    const { inspection } = target;
    const first: Answers = {
      ...givenRange(app, target, arg),
      ...given?.(givenValues(arg)),
    };
    const answers = await askInSteps(title(), first, [
      askDomain(target),
      ...askRange<Answers>(app, target),
      ...questions(app),
    ]);
    const { domain, iova, length } = answers ?? {};
    if (!answers || !domain || iova === undefined || length === undefined) return;
    const done = { ...answers, domain, iova, length };
    tell(app, await operate(app, inspection, title(), operation(done)));
  },
});

/**
 * A page size of the domain: smaller than the pages that are split, larger than those that are collapsed, as far as a row says
 * what is there; of the others only those that the range can hold.
 */
const askSize =
  (change: 'split' | 'collapse'): Step<Answers> =>
  async (state, place) => {
    if (state.size !== undefined) return 'skip';
    const { domain, pageSize } = state;
    const length = parseInteger(state.length ?? '');
    const sizes = (domain?.pageSizes ?? []).filter(
      (size) =>
        (length === undefined || size <= length) &&
        (pageSize === undefined || (change === 'split' ? size < pageSize : size > pageSize)),
    );
    if (sizes.length === 0) throw noSize(change, state);
    const choices = sizes.map((size) => ({ label: formatSize(size), value: formatSize(size) }));
    // Collapsing is mostly into one page of the whole table.
    const isLast = ({ value }: Choice<string>): boolean => parseInteger(value) === length;
    const placeholder = vscode.l10n.t('Size of the pages afterwards');
    const answer = await askPick({ placeholder, choices, isLast }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, size: answer.value } } : answer;
  };

function noSize(change: 'split' | 'collapse', { domain, length = '', pageSize }: Answers): RequestError {
  const sizes = (domain?.pageSizes ?? []).map(formatSize).join(', ');
  const size = pageSize === undefined ? length : formatSize(pageSize);
  return new RequestError({
    code: 'host/no-size',
    message:
      change === 'split'
        ? vscode.l10n.t('There is no smaller page size than {0} to split into.', size)
        : vscode.l10n.t('{0} have no room for a page of a larger size.', length),
    hint: vscode.l10n.t('Page sizes of this format: {0}.', sizes),
  });
}

const SAFE = '';

const askProtocol =
  (app: App, which: 'splits' | 'collapses'): Step<Answers> =>
  async (state, place) => {
    if (state.protocol !== undefined) return 'skip';
    const choices = async (): Promise<readonly Choice<string>[]> => {
      const known = await app.engine.ask('machineChoices', {});
      const safe: Choice<string> = {
        label: vscode.l10n.t('The safe one'),
        detail: vscode.l10n.t('What keeps every dirty bit on this hardware'),
        value: SAFE,
      };
      return [safe, ...known[which].map(({ id, title }) => ({ label: id, detail: title, value: id }))];
    };
    const answer = await askPick({ placeholder: vscode.l10n.t('Protocol'), choices: choices() }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, protocol: answer.value } } : answer;
  };

const sizeAndProtocol = (given: Given): Partial<Answers> => {
  const size = givenText(given, 'size');
  const protocol = givenText(given, 'protocol') ?? (size === undefined ? undefined : SAFE);
  return { ...(size !== undefined && { size }), ...(protocol !== undefined && { protocol }) };
};

const named = (protocol: string | undefined) =>
  protocol === undefined || protocol === SAFE ? {} : { protocol };

/** Takes `{domain, iova, length, size, protocol}`, an element of Domains, or asks. */
export const splitIopte = tableCommand({
  id: 'iopte.splitIopte',
  title: () => vscode.l10n.t('Split IOPTE'),
  given: sizeAndProtocol,
  questions: (app) => [askSize('split'), askProtocol(app, 'splits')],
  operation: ({ domain, iova, length, size = '', protocol }) => ({
    ...{ kind: 'split', domain: domain.id, iova, length, size },
    ...named(protocol),
  }),
});

export const collapseTable = tableCommand({
  id: 'iopte.collapseTable',
  title: () => vscode.l10n.t('Collapse Table'),
  given: sizeAndProtocol,
  questions: (app) => [askSize('collapse'), askProtocol(app, 'collapses')],
  operation: ({ domain, iova, length, size = '', protocol }) => ({
    ...{ kind: 'collapse', domain: domain.id, iova, length, size },
    ...named(protocol),
  }),
});

const askPermission: Step<Answers> = async (state, place) => {
  if (state.permission !== undefined) return 'skip';
  const choices = (['RW', 'R', 'W'] as const).map((value) => ({ label: value, value }));
  const answer = await askPick({ placeholder: vscode.l10n.t('Permission'), choices }, place);
  return answer.kind === 'value' ? { kind: 'value', value: { ...state, permission: answer.value } } : answer;
};

const SAME_ADDRESS = '';

/** Takes `{domain, iova, length, paddr, permission}`. */
export const mapRange = tableCommand({
  id: 'iopte.mapRange',
  title: () => vscode.l10n.t('Map'),
  given(given) {
    const permission = givenText(given, 'permission');
    const iova = givenText(given, 'iova');
    const paddr = givenText(given, 'paddr') ?? (iova === undefined ? undefined : SAME_ADDRESS);
    return {
      ...(paddr !== undefined && { paddr }),
      ...((permission === 'R' || permission === 'W' || permission === 'RW') && { permission }),
    };
  },
  questions: () => [
    askNumber<Answers>('paddr', {
      prompt: vscode.l10n.t('Guest physical address; empty: the same as the IOVA'),
      placeholder: '0x100000000',
      optional: true,
    }),
    askPermission,
  ],
  operation: ({ domain, iova, length, paddr, permission = 'RW' }) => ({
    ...{ kind: 'map', domain: domain.id, iova, length, permission },
    ...(paddr !== undefined && paddr !== SAME_ADDRESS && { paddr }),
  }),
});

/** Takes `{domain, iova, length}`. */
export const unmapRange = tableCommand({
  id: 'iopte.unmapRange',
  title: () => vscode.l10n.t('Unmap'),
  questions: () => [],
  operation: ({ domain, iova, length }) => ({ kind: 'unmap', domain: domain.id, iova, length }),
});

/** Takes `{domain, iova, length}`, an element of Domains, or asks. */
export const invalidateRange = tableCommand({
  id: 'iopte.invalidateRange',
  title: () => vscode.l10n.t('Invalidate'),
  questions: () => [],
  operation: ({ domain, iova, length }) => ({ kind: 'invalidate', domain: domain.id, iova, length }),
});
