import * as vscode from 'vscode';
import { parseDevice, RequestError, type MachineState } from '../../../inspection/protocol';
import type { Command } from '../../app';
import { askPick, type Choice } from '../../prompts/pick';
import { askInSteps, type Step } from '../../prompts/steps';
import { checkRequester } from '../../prompts/values';
import { isElement } from '../../views/elements';
import { requesterName } from '../../views/wording';
import { givenText, givenValues } from '../targets';
import { operate, tell } from './operate';
import { domainChoice, readTarget, type Target } from './target';

type Place = number | 'pass-through' | 'blocked' | 'new';

interface Answers {
  readonly requester?: string;
  readonly pasid?: number | null;
  readonly to?: Place;
}

/**
 * Attaches a device to a domain, to a new one, or to what takes a domain's place. Takes `{requester, pasid, to}`, a device of
 * Domains, or asks.
 */
export const attachDevice: Command = {
  id: 'iopte.attachDevice',
  async run(app, arg) {
    const target = await readTarget(app, arg);
    const { inspection, state } = target;
    const title = vscode.l10n.t('Attach Device');
    const answers = await askInSteps(title, given(arg), [askDevice(state), askPlace(target)]);
    if (answers?.requester === undefined || answers.to === undefined) return;
    let { to } = answers;
    if (to === 'new') {
      const made = await operate(app, inspection, title, { kind: 'createDomain', dirtyTracking: true });
      const now = await app.inspections.ask(inspection, 'machine', {});
      const fresh = now.domains.find(({ id }) => !state.domains.some((each) => each.id === id));
      if (!fresh) {
        tell(app, made);
        return;
      }
      to = fresh.id;
    }
    const { requester, pasid } = answers;
    const outcome = await operate(app, inspection, title, {
      ...{ kind: 'attach', requester, to },
      ...(pasid !== undefined && { pasid }),
    });
    tell(app, outcome);
  },
};

function given(arg: unknown): Answers {
  if (isElement(arg)) {
    const device = arg.kind === 'node' && arg.node.kind === 'device' ? arg.node.device : undefined;
    return device ? { requester: requesterName(device.requester), pasid: device.pasid } : {};
  }
  const values = givenValues(arg);
  const requester = givenText(values, 'requester');
  const wrong = requester === undefined ? undefined : checkRequester(requester);
  if (wrong !== undefined)
    throw new RequestError({ code: 'host/device', message: `${requester ?? ''}: ${wrong}` });
  const { pasid, to } = values;
  return {
    ...(requester !== undefined && { requester }),
    ...((pasid === null || typeof pasid === 'number') && { pasid }),
    ...((typeof to === 'number' || to === 'pass-through' || to === 'blocked' || to === 'new') && { to }),
  };
}

/** The machine's devices, or another that is typed. */
const askDevice =
  ({ devices }: MachineState): Step<Answers> =>
  async (state, place) => {
    if (state.requester !== undefined) return 'skip';
    const known = new Map(devices.map((device) => [requesterName(device.requester), device]));
    const choices = [...known].map(([label, { iommu, ats }]) => ({
      label,
      description: ats ? vscode.l10n.t('{0}, device TLB', iommu) : iommu,
      value: label,
    }));
    const other = (text: string): Choice<string> | string =>
      parseDevice(text) === undefined
        ? (checkRequester(text) ?? text)
        : { label: text, description: vscode.l10n.t('a new device'), value: text };
    const placeholder = vscode.l10n.t('Device, or the bus:device.function of a new one');
    const answer = await askPick({ placeholder, choices, other }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, requester: answer.value } } : answer;
  };

const askPlace =
  (target: Target): Step<Answers> =>
  async (state, place) => {
    if (state.to !== undefined) return 'skip';
    const choices: Choice<Place>[] = [
      ...target.state.domains.map((domain) => ({ ...domainChoice(target, domain), value: domain.id })),
      {
        label: vscode.l10n.t('A new domain'),
        detail: vscode.l10n.t('Nothing is mapped in it'),
        value: 'new',
      },
      {
        label: vscode.l10n.t('Pass-through'),
        detail: vscode.l10n.t('Requests go to physical memory as they are'),
        value: 'pass-through',
      },
      {
        label: vscode.l10n.t('Blocked'),
        detail: vscode.l10n.t('Detached: every request faults'),
        value: 'blocked',
      },
    ];
    const { requester = '' } = state;
    const placeholder = vscode.l10n.t('Attach {0} to', requester);
    const answer = await askPick({ placeholder, choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, to: answer.value } } : answer;
  };
