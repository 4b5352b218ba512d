import * as vscode from 'vscode';
import {
  domainTag,
  hex,
  parseDevice,
  parseInteger,
  RequestError,
  type Access,
  type DeviceRow,
  type VendorWords,
} from '../../inspection/protocol';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { askPick, type Choice } from '../prompts/pick';
import { askInSteps, type Step } from '../prompts/steps';
import { iovaStep } from '../prompts/iova';
import { checkIova, checkRequester } from '../prompts/values';
import { isElement, lineage, type Element } from '../views/elements';
import { pasidText, requesterName, requesterText } from '../views/wording';
import { allPages, givenText, givenValues, targetInspection } from './targets';

/** Which device asks: what its entries are looked up by. */
interface Requester {
  readonly iommu?: string;
  readonly requester: number;
  /** PCI segment, where one was typed. */
  readonly segment?: number;
  readonly pasid: number | null;
}

interface Answers {
  readonly device: Requester | undefined;
  readonly iova: bigint | undefined;
  readonly access: Access | undefined;
}

/**
 * Walks one request through the tables and shows every step. Takes `{inspection, iommu, device: '0000:00:02.0', pasid,
 * iova, access}`, or an element of the tree, whose device and IOVA are then meant.
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
    await app.memory.remember({ device: deviceLabel(device), iova: hex(iova), access });
    const { iommu, ...who } = device;
    const request = { ...who, iova, access };
    // A walk is short; only an image that has to be read again first makes it long, and then the view shows it.
    await vscode.window.withProgress({ location: { viewId: 'iopte.walk' } }, () =>
      app.inspections.walk(inspection, iommu, request),
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
  const device = read('device', parseAsked, checkRequester);
  const pasid = parseInteger(givenText(values, 'pasid') ?? '');
  const iommu = givenText(values, 'iommu');
  const access = givenText(values, 'access');
  return {
    iova: read('iova', parseInteger, checkIova),
    access: access === 'read' || access === 'write' ? access : undefined,
    device:
      device === undefined
        ? undefined
        : {
            ...device,
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

/** A device as it is typed: with its PCI segment, where that was given. */
function parseAsked(text: string): Pick<Requester, 'requester' | 'segment'> | undefined {
  const device = parseDevice(text);
  if (!device) return undefined;
  const { requester, segment } = device;
  return segment === undefined ? { requester } : { requester, segment };
}

/** What a device is remembered by: `00:02.0`, `00:02.0 0x1` of a process. */
const deviceLabel = ({ requester, pasid }: Requester): string =>
  pasid === null ? requesterName(requester) : `${requesterName(requester)} ${hex(pasid)}`;

async function deviceChoices(app: App, inspection: Inspection): Promise<readonly Choice<Requester>[]> {
  const devices = await allPages((page) => app.inspections.ask(inspection, 'devices', { page }));
  const { iommus } = await app.inspections.summary(inspection);
  const words = new Map(iommus.map((iommu) => [iommu.name, iommu.words]));
  const ways = {
    'pass-through': vscode.l10n.t('pass-through'),
    blocked: vscode.l10n.t('blocked'),
  };
  const way = ({ translation, domains: [first] }: DeviceRow, own: VendorWords): string => {
    if (translation !== 'table') return ways[translation];
    return first ? domainTag(first, own) : '';
  };
  return devices.flatMap((device) => {
    const own = words.get(device.iommu);
    if (!own) return [];
    const { requester, pasid } = device;
    return {
      label: `${requesterName(requester)} ${pasidText(pasid, own)}`.trim(),
      description: way(device, own),
      detail: `${device.iommu}, ${requesterText(requester, null, own)}`,
      value: requesterOf(device),
    };
  });
}

const deviceStep =
  (app: App, inspection: Inspection): Step<Answers> =>
  async (state, place) => {
    if (state.device) return 'skip';
    const answer = await askPick<Requester>(
      {
        placeholder: vscode.l10n.t(
          'Device: choose one, or type segment:bus:device.function, bus:device.function or its id',
        ),
        choices: deviceChoices(app, inspection),
        isLast: ({ value }) => deviceLabel(value) === app.memory.last.device,
        other: (text) => {
          const device = parseAsked(text);
          if (device === undefined) return checkRequester(text) ?? text;
          return {
            label: text,
            description: vscode.l10n.t('id {0}', hex(device.requester)),
            alwaysShow: true,
            value: { ...device, pasid: null },
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
