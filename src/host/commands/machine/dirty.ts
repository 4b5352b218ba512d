import * as vscode from 'vscode';
import { formatSize, hex, type MachineDomain } from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { askPick } from '../../prompts/pick';
import { askInSteps } from '../../prompts/steps';
import type { AnswerElement } from '../../views/answerElements';
import { givenText, givenValues } from '../targets';
import { operate, tell, type Outcome } from './operate';
import {
  askDomain,
  domainLabel,
  givenRange,
  readTarget,
  trackingText,
  type DomainAnswers,
  type Target,
} from './target';

/** Switches dirty tracking of a domain. Takes `{domain, enable}`, a domain of Domains, or asks. */
export const setDirtyTracking: Command = {
  id: 'iopte.setDirtyTracking',
  async run(app, arg) {
    const target = await readTarget(app, arg);
    const { inspection } = target;
    const title = vscode.l10n.t('Set Dirty Tracking');
    const domain = await domainFor(app, target, arg, title);
    if (!domain) return;
    const given = givenValues(arg)['enable'];
    const enable = typeof given === 'boolean' ? given : await askEnable(title, domain);
    if (enable === undefined) return;
    const outcome = await operate(app, inspection, title, {
      kind: 'setDirtyTracking',
      domain: domain.id,
      enable,
    });
    tell(app, outcome);
  },
};

async function askEnable(title: string, { tracking }: MachineDomain): Promise<boolean | undefined> {
  const choices = [
    { label: vscode.l10n.t('On'), detail: vscode.l10n.t('Clears every dirty bit first'), value: true },
    { label: vscode.l10n.t('Off'), value: false },
  ];
  const isLast = ({ value }: { value: boolean }): boolean => value === (tracking !== 'on');
  const placeholder = vscode.l10n.t('Dirty tracking is {0}', trackingText(tracking));
  const answer = await askPick({ placeholder, choices, isLast }, { title, step: 1, of: 1 });
  return answer.kind === 'value' ? answer.value : undefined;
}

/** GET_DIRTY_BITMAP of a domain. Takes `{domain, iova, length, pageSize, clear}`, an element of Domains, or asks. */
const readDirtyCommand = (id: string, clear: boolean, title: () => string): Command => ({
  id,
  async run(app, arg) {
    const target = await readTarget(app, arg);
    const { inspection } = target;
    const domain = await domainFor(app, target, arg, title());
    if (!domain) return;
    const given = givenValues(arg);
    const [iova, length, pageSize] = ['iova', 'length', 'pageSize'].map((name) => givenText(given, name));
    const outcome = await operate(app, inspection, title(), {
      kind: 'readDirty',
      domain: domain.id,
      clear,
      ...(iova !== undefined && { iova }),
      ...(length !== undefined && { length }),
      ...(pageSize !== undefined && { pageSize }),
    });
    if (outcome.errno === undefined) await showDirty(app, target, domain, outcome);
    tell(app, outcome);
  },
});

export const readClearDirty = readDirtyCommand('iopte.readClearDirty', true, () =>
  vscode.l10n.t('Read and Clear Dirty'),
);
export const readDirty = readDirtyCommand('iopte.readDirty', false, () => vscode.l10n.t('Read Dirty'));

/** What was reported, as rows of Results that lead to Domains. */
async function showDirty(
  app: App,
  { inspection, summary: machine }: Target,
  domain: MachineDomain,
  { dirty, summary }: Outcome,
): Promise<void> {
  const [key] = domain.keys;
  const rows = (dirty?.ranges ?? []).map(({ start, end }): AnswerElement => {
    const size = formatSize(BigInt(end) - BigInt(start));
    const label = `${start}..${end}`;
    return {
      kind: 'answer',
      id: `dirty/${start}`,
      inspection,
      wording: {
        label,
        description: vscode.l10n.t('{0} dirty', size),
        icon: 'edit',
        spoken: vscode.l10n.t('{0}, {1} dirty', label, size),
        tooltip: [[vscode.l10n.t('IOVA'), hex(BigInt(start))]],
        opens: false,
      },
      ...(key && { place: { kind: 'iova', domain: key, iova: BigInt(start) } as const }),
    };
  });
  const more = dirty?.more === true ? vscode.l10n.t('Only the first ranges are shown.') : '';
  await app.answers.show({
    title: vscode.l10n.t('Dirty pages of {0}', domainLabel(machine, domain)),
    message: [summary, more].filter(Boolean).join(' '),
    inspections: [inspection],
    rows,
  });
}

async function domainFor(
  app: App,
  target: Target,
  arg: unknown,
  title: string,
): Promise<MachineDomain | undefined> {
  const first: DomainAnswers = givenRange(app, target, arg);
  return (await askInSteps(title, first, [askDomain(target)]))?.domain;
}
