import * as vscode from 'vscode';
import { hex, RequestError, type EntryRef } from '../../inspection/protocol';
import { formatValue } from '../../webview/messages/entryModel';
import type { App, Command } from '../app';
import type { Inspection } from '../inspections';
import { addressText } from '../views/domainsDrag';
import { entryOf, isElement, wordsOf, type Element } from '../views/elements';
import { isWalkElement, rowsOf, type WalkElement } from '../views/walkElements';
import { stepText, walkText } from '../views/walkWording';
import { wordNode } from '../views/wording';
import { givenText, givenValues } from './targets';

const FORMS = ['hex', 'decimal', 'binary', 'address', 'row'] as const;
type Form = (typeof FORMS)[number];

const isForm = (text: string | undefined): text is Form => FORMS.some((form) => form === text);

/** What can be copied of an item of a tree. */
interface Copyable {
  readonly inspection: Inspection;
  readonly entry: EntryRef | undefined;
  readonly address: string;
  readonly row: string;
}

/** Copies the selected entry's words, its address, or the whole row. Takes an item of Domains or Walk, then `{form}`. */
export const copyAs: Command = {
  id: 'iopte.copyAs',
  async run(app, ...args) {
    const element = args.find(isElement) ?? args.find(isWalkElement) ?? app.selected();
    const item = element && copyable(element);
    if (!item) {
      throw new RequestError({
        code: 'host/no-selection',
        message: vscode.l10n.t('Nothing that can be copied is selected in Domains or Walk.'),
        hint: vscode.l10n.t('Select an entry or a step there first.'),
      });
    }
    const given = args.map((arg) => givenText(givenValues(arg), 'form')).find(isForm);
    const form = given ?? (await askForm(app, item));
    if (!form) return;
    await app.memory.remember({ copyForm: form });
    await vscode.env.clipboard.writeText(await textOf(app, item, form));
  },
};

/** The address alone, without a question: the item's own button. */
export const copyAddress: Command = {
  id: 'iopte.copyAddress',
  run: (app, ...args) => copyAs.run(app, ...args.slice(0, 1), { form: 'address' }),
};

async function askForm(app: App, item: Copyable): Promise<Form | undefined> {
  const labels: Readonly<Record<Form, string>> = {
    hex: vscode.l10n.t('Entry in hexadecimal'),
    decimal: vscode.l10n.t('Entry in decimal'),
    binary: vscode.l10n.t('Entry in binary'),
    address: vscode.l10n.t('Address'),
    row: item.row.includes('\n') ? vscode.l10n.t('Walk as text') : vscode.l10n.t('Row as text'),
  };
  const forms = FORMS.filter((form) => item.entry !== undefined || form === 'address' || form === 'row');
  const previews = await Promise.all(forms.map((form) => textOf(app, item, form)));
  const last = app.memory.last.copyForm;
  const items = forms
    .map((form, index) => ({ label: labels[form], description: previews[index]?.split('\n')[0] ?? '', form }))
    .sort((one, other) => Number(other.form === last) - Number(one.form === last));
  const placeHolder = vscode.l10n.t('Copy as');
  return (await vscode.window.showQuickPick(items, { placeHolder }))?.form;
}

async function textOf(app: App, item: Copyable, form: Form): Promise<string> {
  if (form === 'address' || form === 'row') return item[form];
  const { entry, inspection } = item;
  if (!entry) {
    throw new RequestError({
      code: 'host/no-entry',
      message: vscode.l10n.t('What is selected is not an entry of a table.'),
      hint: vscode.l10n.t('Select a device, a table or an IOPTE, or copy the row.'),
    });
  }
  const { words } = await app.inspections.ask(inspection, 'entry', { entry });
  return words.map((word) => formatValue(word, 64, form)).join(' ');
}

function copyable(element: Element | WalkElement): Copyable | undefined {
  switch (element.kind) {
    case 'line':
      return undefined;
    case 'result': {
      const { inspection, result, words } = element;
      const row = walkText(rowsOf(inspection, result, words));
      return { inspection, entry: undefined, address: hex(result.request.iova), row };
    }
    case 'stage': {
      const { inspection, result, steps } = element;
      const address = hex(steps[0]?.input ?? result.request.iova);
      return { inspection, entry: undefined, address, row: walkText([element]) };
    }
    case 'step': {
      const { inspection, step } = element;
      return { inspection, entry: step.entry, address: hex(step.entry.address), row: stepText(step) };
    }
    default: {
      const { inspection } = element;
      return { inspection, entry: entryOf(element), address: addressText(element), row: rowText(element) };
    }
  }
}

function rowText(element: Element): string {
  if (element.kind === 'image') return element.inspection.title;
  if (element.kind !== 'node') return '';
  const { label, description } = wordNode(element.node, wordsOf(element));
  return `${label} ${description}`.trim();
}
