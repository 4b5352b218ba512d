import * as vscode from 'vscode';
import {
  parseInteger,
  RequestError,
  type MachineChoices,
  type MachineSpec,
} from '../../../inspection/protocol';
import type { App, Command } from '../../app';
import { MACHINE_SCHEME } from '../../inspections';
import { requestOptions, withProgressIfLong } from '../../progress';
import { askPick, type Choice } from '../../prompts/pick';
import { askInSteps, type Step } from '../../prompts/steps';
import { askText } from '../../prompts/text';
import { givenText, givenValues } from '../targets';

interface Answers {
  readonly vendor?: MachineChoices['vendors'][number];
  readonly tables?: string;
  readonly memory?: string;
  readonly pages?: readonly string[];
  readonly tracking?: MachineSpec['dirtyTracking'];
}

/** Every page size that fits. */
const BEST: readonly string[] = [];

/**
 * Builds a machine: asks for vendor, table format, size, page sizes and dirty tracking. Takes `{vendor, tables, memory, pages,
 * dirtyTracking}`, or a whole `{spec}`, and asks for the rest.
 */
export const newMachine: Command = {
  id: 'iopte.newMachine',
  async run(app, arg) {
    const given = givenValues(arg);
    const spec = isSpec(given['spec']) ? given['spec'] : await askSpec(app, given);
    if (!spec) return;
    const wrong = await app.engine.ask('checkMachine', { spec });
    if (wrong) throw new RequestError({ code: 'machine/refused', ...wrong });
    const choices = await app.engine.ask('machineChoices', {});
    const title = titleOf(app, spec, choices);
    const { inspection } = await withProgressIfLong(vscode.l10n.t('Building {0}', title), (task) =>
      app.inspections.add(
        {
          title,
          description: '',
          descriptionUri: undefined,
          imageUri: vscode.Uri.from({ scheme: MACHINE_SCHEME, path: `/${title}` }),
          machine: { version: 1, spec, operations: [] },
        },
        requestOptions(task),
      ),
    );
    await app.domains.reveal(inspection, []);
  },
};

/** What the engine does not accept in it `checkMachine` says. */
const isSpec = (value: unknown): value is MachineSpec =>
  typeof value === 'object' && value !== null && 'vendor' in value && 'memory' in value;

const isTracking = (value: unknown): value is MachineSpec['dirtyTracking'] =>
  value === 'none' || value === 'off' || value === 'on';

/** `VT-d 64G`, with a number when there is one already. */
function titleOf(app: App, { vendor, memory }: MachineSpec, { vendors }: MachineChoices): string {
  const name = `${vendors.find((each) => each.vendor === vendor)?.title ?? vendor} ${memory}`;
  const taken = new Set(app.inspections.all.map(({ title }) => title));
  if (!taken.has(name)) return name;
  for (let number = 2; ; number++) if (!taken.has(`${name} (${number})`)) return `${name} (${number})`;
}

async function askSpec(app: App, given: Readonly<Record<string, unknown>>): Promise<MachineSpec | undefined> {
  const choices = await app.engine.ask('machineChoices', {});
  const vendor = choices.vendors.find((each) => each.vendor === given['vendor']);
  const tables = givenText(given, 'tables');
  const memory = givenText(given, 'memory');
  const pages = given['pages'];
  const tracking = given['dirtyTracking'];
  const first: Answers = {
    ...(vendor && { vendor }),
    ...(tables !== undefined && { tables }),
    ...(memory !== undefined && { memory }),
    ...(Array.isArray(pages) && { pages: pages.map(String) }),
    ...(isTracking(tracking) && { tracking }),
  };
  const title = vscode.l10n.t('New Emulated Machine');
  const answers = await askInSteps(title, first, [
    askVendor(choices),
    askTables,
    askMemory,
    askPages,
    askTracking(app),
  ]);
  return answers && specOf(answers);
}

/** Undefined while an answer is missing. */
function specOf({ vendor, tables, memory, pages, tracking }: Answers): MachineSpec | undefined {
  if (!vendor || tables === undefined || memory === undefined) return undefined;
  return {
    version: 1,
    vendor: vendor.vendor,
    tables,
    memory,
    mapping: { what: 'guest', pages: pages ?? BEST },
    devices: [{ requester: '00:02.0' }, { requester: '00:03.0', ats: true }],
    dirtyTracking: tracking ?? 'none',
    iommus: 1,
    seed: 1,
  };
}

const askVendor =
  ({ vendors }: MachineChoices): Step<Answers> =>
  async (state, place) => {
    if (state.vendor) return 'skip';
    const choices = vendors.map((vendor) => ({ label: vendor.title, value: vendor }));
    const answer = await askPick({ placeholder: vscode.l10n.t('IOMMU'), choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, vendor: answer.value } } : answer;
  };

const askTables: Step<Answers> = async (state, place) => {
  if (state.tables !== undefined) return 'skip';
  const choices = (state.vendor?.tables ?? []).map(({ id, title, pageSizes }) => ({
    label: title,
    detail: pageSizes.join(', '),
    value: id,
  }));
  const answer = await askPick({ placeholder: vscode.l10n.t('Page-table format'), choices }, place);
  return answer.kind === 'value' ? { kind: 'value', value: { ...state, tables: answer.value } } : answer;
};

const askMemory: Step<Answers> = async (state, place) => {
  if (state.memory !== undefined) return 'skip';
  const question = {
    prompt: vscode.l10n.t('Guest memory, in bytes with a unit'),
    placeholder: '64G',
    value: '64G',
    check: (text: string): string | undefined => {
      const bytes = parseInteger(text);
      return bytes === undefined || bytes === 0n ? vscode.l10n.t('A size: 512M, 64G, 2T.') : undefined;
    },
  };
  const answer = await askText(question, place);
  return answer.kind === 'value' ? { kind: 'value', value: { ...state, memory: answer.value } } : answer;
};

const askPages: Step<Answers> = async (state, place) => {
  if (state.pages) return 'skip';
  const table = state.vendor?.tables.find(({ id }) => id === state.tables);
  const choices = [
    {
      label: vscode.l10n.t('Every size that fits'),
      detail: vscode.l10n.t('As large as addresses and what is left allow'),
      value: BEST,
    },
    ...(table?.pageSizes ?? []).map((size) => ({
      label: vscode.l10n.t('At most {0}', size),
      value: table?.pageSizes.slice(0, table.pageSizes.indexOf(size) + 1) ?? BEST,
    })),
  ];
  const answer = await askPick({ placeholder: vscode.l10n.t('Page sizes'), choices }, place);
  return answer.kind === 'value' ? { kind: 'value', value: { ...state, pages: answer.value } } : answer;
};

/** What this hardware does not track with these tables is not asked. */
const askTracking =
  (app: App): Step<Answers> =>
  async (state, place) => {
    if (state.tracking !== undefined) return 'skip';
    const tracked = specOf({ ...state, tracking: 'on' });
    if (tracked && (await app.engine.ask('checkMachine', { spec: tracked }))) return 'skip';
    const choices: readonly Choice<MachineSpec['dirtyTracking']>[] = [
      {
        label: vscode.l10n.t('On'),
        detail: vscode.l10n.t('Hardware sets A and D from the first request on'),
        value: 'on',
      },
      {
        label: vscode.l10n.t('Off'),
        detail: vscode.l10n.t('It can be switched on later'),
        value: 'off',
      },
      {
        label: vscode.l10n.t('Not possible'),
        detail: vscode.l10n.t('A domain that was not made for dirty tracking'),
        value: 'none',
      },
    ];
    const answer = await askPick({ placeholder: vscode.l10n.t('Dirty tracking'), choices }, place);
    return answer.kind === 'value' ? { kind: 'value', value: { ...state, tracking: answer.value } } : answer;
  };
