import * as vscode from 'vscode';
import { formatSize, type MachineState } from '../../../inspection/protocol';
import type { Command } from '../../app';
import { askPick, type Choice } from '../../prompts/pick';
import type { Step } from '../../prompts/steps';
import { askText } from '../../prompts/text';
import { checkRequester } from '../../prompts/values';
import { isElement } from '../../views/elements';
import { requesterName } from '../../views/wording';
import { givenText, givenValues } from '../targets';
import { askMissing, operate, targetMachine, tell } from './target';

type Target = number | 'pass-through' | 'blocked' | 'new';

interface Answers {
  readonly requester?: string;
  readonly pasid?: number | null;
  readonly to?: Target;
}

/**
 * Attaches a device to a domain, to a new one, or to what takes a domain's place. Takes `{requester, pasid, to}`, a device of
 * Domains, or asks.
 */
export const attachDevice: Command = {
  id: 'iopte.attachDevice',
  async run(app, arg) {
    const inspection = targetMachine(app, arg);
    const title = vscode.l10n.t('Attach Device');
    const state = await app.inspections.ask(inspection, 'machine', {});
    const answers = await askMissing(title, given(arg), [askDevice(state), askTarget(state)]);
    if (answers?.requester === undefined || answers.to === undefined) return;
    let { to } = answers;
    if (to === 'new') {
      await operate(app, inspection, title, { kind: 'createDomain', dirtyTracking: true });
      const { domains } = await app.inspections.ask(inspection, 'machine', {});
      to = Math.max(...domains.map(({ id }) => id));
    }
    const { requester, pasid } = answers;
    const report = await operate(app, inspection, title, {
      ...{ kind: 'attach', requester, to },
      ...(pasid !== undefined && { pasid }),
    });
    tell(report);
  },
};

function given(arg: unknown): Answers {
  if (isElement(arg)) {
    const device = arg.kind === 'node' && arg.node.kind === 'device' ? arg.node.device : undefined;
    return device ? { requester: requesterName(device.requester), pasid: device.pasid } : {};
  }
  const values = givenValues(arg);
  const requester = givenText(values, 'requester');
  const { pasid, to } = values;
  return {
    ...(requester !== undefined && { requester }),
    ...((pasid === null || typeof pasid === 'number') && { pasid }),
    ...((typeof to === 'number' || to === 'pass-through' || to === 'blocked' || to === 'new') && { to }),
  };
}

const askDevice =
  ({ devices }: MachineState): Step<Answers> =>
  async (state, place) => {
    if (state.requester !== undefined) return 'skip';
    const known = [...new Set(devices.map(({ requester }) => requesterName(requester)))].join(', ');
    const prompt = vscode.l10n.t('A device of the machine, or a new one. There are: {0}', known);
    const check = checkRequester;
    const answer = await askText({ prompt, placeholder: '00:04.0', check }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, requester: answer.value } } : answer;
  };

const askTarget =
  ({ domains }: MachineState): Step<Answers> =>
  async (state, place) => {
    if (state.to !== undefined) return 'skip';
    const choices: Choice<Target>[] = [
      ...domains.map(({ id, format, mappedBytes }) => ({
        label: vscode.l10n.t('Domain {0}', id),
        description: format,
        detail: vscode.l10n.t('{0} mapped', formatSize(mappedBytes)),
        value: id,
      })),
      {
        label: vscode.l10n.t('A new domain'),
        detail: vscode.l10n.t('Nothing is mapped in it'),
        value: 'new',
      },
      { label: vscode.l10n.t('Pass-through'), value: 'pass-through' },
      { label: vscode.l10n.t('Blocked'), detail: vscode.l10n.t('Every request faults'), value: 'blocked' },
    ];
    const answer = await askPick({ placeholder: vscode.l10n.t('Attach to'), choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, to: answer.value } } : answer;
  };
