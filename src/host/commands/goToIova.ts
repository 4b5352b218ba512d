import * as vscode from 'vscode';
import { hex, parseInteger, type DomainKey } from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { askPick } from '../prompts/pick';
import { askInSteps, type Step } from '../prompts/steps';
import { iovaStep } from '../prompts/iova';
import {
  domainChoices,
  domainName,
  givenText,
  givenValues,
  namedDomain,
  tagOfDomain,
  targetDomain,
  targetInspection,
} from './targets';

interface Answers {
  readonly domain: DomainKey | undefined;
  readonly iova: bigint | undefined;
}

/** Shows where an IOVA stands in the tree of a domain. Takes `{inspection, domain: 'iommu/4/0x..', iova}`. */
export const goToIova: Command = {
  id: 'iopte.goToIova',
  async run(app, arg) {
    const inspection = targetInspection(app, arg);
    const given = givenValues(arg);
    const iova = parseInteger(givenText(given, 'iova') ?? '');
    const domain =
      (await namedDomain(app, inspection, givenText(given, 'domain'))) ?? targetDomain(app, inspection, arg);
    const steps = [
      domainStep(app, inspection),
      iovaStep<Answers>(
        app,
        vscode.l10n.t('IO virtual address: hexadecimal, decimal, or with a unit of 1024'),
      ),
    ];
    const answers = await askInSteps<Answers>(vscode.l10n.t('Go to IOVA'), { domain, iova }, steps);
    if (answers?.domain === undefined || answers.iova === undefined) return;
    await app.memory.remember({ iova: hex(answers.iova), domain: domainName(answers.domain) });
    await revealIova(app, inspection, answers.domain, answers.iova);
  },
};

async function revealIova(app: App, inspection: Inspection, domain: DomainKey, iova: bigint): Promise<void> {
  const where = app.inspections.find(inspection.id)?.where ?? '';
  const path = await app.inspections.ask(inspection, 'locate', {
    domain,
    iova,
    ...(where !== '' && { where }),
  });
  const last = path.at(-1);
  await app.domains.reveal(inspection, path);
  if (!last || !['run', 'entry'].includes(last.kind)) {
    const tag = await tagOfDomain(app, inspection, domain);
    const message = vscode.l10n.t('Nothing maps IOVA {0} in {1}.', hex(iova), tag);
    const filtered = vscode.l10n.t('A filter is active; what it hides is not shown.');
    void vscode.window.showInformationMessage(where === '' ? message : `${message} ${filtered}`);
  }
}

const domainStep =
  (app: App, inspection: Inspection): Step<Answers> =>
  async (state, place) => {
    if (state.domain) return 'skip';
    const placeholder = vscode.l10n.t('Domain');
    const isLast = (choice: { value: DomainKey }): boolean =>
      domainName(choice.value) === app.memory.last.domain;
    const answer = await askPick({ placeholder, choices: domainChoices(app, inspection), isLast }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, domain: answer.value } } : answer;
  };
