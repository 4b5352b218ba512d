import * as vscode from 'vscode';
import {
  hex,
  parseInteger,
  parseRequester,
  RequestError,
  type Access,
  type DeviceRow,
} from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { askPick, type Choice } from '../prompts/pick';
import { askInSteps, type Step } from '../prompts/steps';
import { iovaStep } from '../prompts/iova';
import { checkIova, checkRequester } from '../prompts/values';
import { isElement, lineage, type Element } from '../views/elements';
import { requesterName } from '../views/wording';
import { allPages, givenText, givenValues, targetInspection } from './targets';

/** Which device asks: what a context entry is looked up by. */
interface Requester {
  readonly iommu?: string;
  readonly requester: number;
  readonly pasid: number | null;
}

interface Answers {
  readonly device: Requester | undefined;
  readonly iova: bigint | undefined;
  readonly access: Access | undefined;
}

/**
 * Walks one request through the tables and shows every step. Takes `{inspection, iommu, device: '00:02.0', pasid, iova,
 * access}`, or an element of the tree, whose device and IOVA are then meant.
 */
export const walkIova: Command = {
  id: 'iopte.walkIova',
  async run(app, arg) {
    const inspection = targetInspection(app, arg);
    const answers = await askInSteps<Answers>(vscode.l10n.t('Walk IOVA'), given(arg), [
      deviceStep(app, inspection),
      iovaStep<Answers>(app, vscode.l10n.t('IO virtual address of the request')),
      accessStep(app),
    ]);
    if (!answers) return;
    const { device, iova, access } = answers;
    if (!device || iova === undefined || !access) return;
    await app.memory.remember({ device: requesterName(device.requester), iova: hex(iova), access });
    const request = { requester: device.requester, pasid: device.pasid, iova, access };
    // A walk is short; only an image that has to be read again first makes it long, and then the view shows it.
    await vscode.window.withProgress({ location: { viewId: 'iopte.walk' } }, () =>
      app.inspections.walk(inspection, device.iommu, request),
    );
    app.inspections.makeCurrent(inspection);
    await app.walk.show();
  },
};

/** What is known before anything is asked. Values that came as text are checked like typed ones. */
function given(arg: unknown): Answers {
  if (isElement(arg)) return fromElement(arg);
  const values = givenValues(arg);
  const read = <T>(
    name: string,
    parse: (text: string) => T | undefined,
    check: (text: string) => string | undefined,
  ) => {
    const text = givenText(values, name);
    const value = text === undefined ? undefined : parse(text);
    if (text !== undefined && value === undefined) {
      throw new RequestError({ code: `host/bad-${name}`, message: check(text) ?? text });
    }
    return value;
  };
  const requester = read('device', parseRequester, checkRequester);
  const pasid = parseInteger(givenText(values, 'pasid') ?? '');
  const iommu = givenText(values, 'iommu');
  const access = givenText(values, 'access');
  return {
    iova: read('iova', parseInteger, checkIova),
    access: access === 'read' || access === 'write' ? access : undefined,
    device:
      requester === undefined
        ? undefined
        : {
            requester,
            pasid: pasid === undefined ? null : Number(pasid),
            ...(iommu !== undefined && { iommu }),
          },
  };
}

function fromElement(element: Element): Answers {
  let device: Requester | undefined;
  for (const each of lineage(element)) {
    if (each.kind === 'node' && each.node.kind === 'device') device = requesterOf(each.node.device);
  }
  const node = element.kind === 'node' ? element.node : undefined;
  const iova = node?.kind === 'run' ? node.run.iova : node?.kind === 'entry' ? node.range.start : undefined;
  return { device, iova, access: undefined };
}

const requesterOf = ({ iommu, requester, pasid }: DeviceRow): Requester => ({ iommu, requester, pasid });

async function deviceChoices(app: App, inspection: Inspection): Promise<readonly Choice<Requester>[]> {
  const devices = await allPages((page) => app.inspections.ask(inspection, 'devices', { page }));
  const ways = {
    table: (domain: number | undefined) => vscode.l10n.t('domain {0}', domain ?? '?'),
    'pass-through': () => vscode.l10n.t('pass-through'),
    blocked: () => vscode.l10n.t('blocked'),
  };
  return devices.map((device) => ({
    label: requesterName(device.requester),
    description: ways[device.translation](device.domains[0]?.domainId),
    detail: device.pasid === null ? device.iommu : `${device.iommu}, PASID ${hex(device.pasid)}`,
    value: requesterOf(device),
  }));
}

const deviceStep =
  (app: App, inspection: Inspection): Step<Answers> =>
  async (state, place) => {
    if (state.device) return 'skip';
    const answer = await askPick<Requester>(
      {
        placeholder: vscode.l10n.t('Device: choose one, or type bus:device.function or a requester id'),
        choices: deviceChoices(app, inspection),
        isLast: ({ label }) => label === app.memory.last.device,
        other: (text) => {
          const requester = parseRequester(text);
          if (requester === undefined) return checkRequester(text) ?? text;
          return {
            label: text,
            description: vscode.l10n.t('requester id {0}', hex(requester)),
            alwaysShow: true,
            value: { requester, pasid: null },
          };
        },
      },
      place,
    );
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, device: answer.value } } : answer;
  };

const accessStep =
  (app: App): Step<Answers> =>
  async (state, place) => {
    if (state.access) return 'skip';
    const choices: readonly Choice<Access>[] = [
      { label: vscode.l10n.t('Read'), detail: vscode.l10n.t('The device reads memory'), value: 'read' },
      { label: vscode.l10n.t('Write'), detail: vscode.l10n.t('The device writes memory'), value: 'write' },
    ];
    const placeholder = vscode.l10n.t('Access');
    const answer = await askPick(
      { placeholder, choices, isLast: ({ value }) => value === app.memory.last.access },
      place,
    );
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, access: answer.value } } : answer;
  };
