import * as vscode from 'vscode';
import { type EntryDetails } from '../../inspection/protocol';
import { type EntryStrings } from '../../webview/messages/entryMessages';

/** The Entry view's own words in the user's language, for an entry or for none. */
export function entryStrings(entry: EntryDetails | undefined): EntryStrings {
  return {
    empty: vscode.l10n.t('No entry selected.'),
    emptyHint: vscode.l10n.t(
      'Select a device, a table or an IOPTE in Domains, or a step in Walk, to see its bits here.',
    ),
    problems: vscode.l10n.t('Problems'),
    noProblems: vscode.l10n.t('No problems'),
    error: vscode.l10n.t('Error'),
    warning: vscode.l10n.t('Warning'),
    showBits: vscode.l10n.t('Show {0}'),
    // The tables of a nested stage 1 stand in guest memory.
    physicalAddress: entry?.ref.domain?.below
      ? vscode.l10n.t('At guest physical address')
      : vscode.l10n.t('At physical address'),
    iova: vscode.l10n.t('IOVA'),
    specification: vscode.l10n.t('Specification'),
    word: vscode.l10n.t('Word {0}'),
    bit: vscode.l10n.t('bit {0}'),
    bits: vscode.l10n.t('bits {0}'),
    bitsHeading: vscode.l10n.t('Bits'),
    name: vscode.l10n.t('Name'),
    value: vscode.l10n.t('Value'),
    meaning: vscode.l10n.t('Meaning'),
    section: vscode.l10n.t('Section'),
    diagram: vscode.l10n.t('Bits of word {0}'),
    table: vscode.l10n.t('Fields of word {0}, highest bit first'),
    copy: vscode.l10n.t('Copy {0} as {1}'),
    hexadecimal: vscode.l10n.t('Hex'),
    decimal: vscode.l10n.t('Decimal'),
    binary: vscode.l10n.t('Binary'),
    keys: vscode.l10n.t('Arrow keys move between fields, Enter pins a field, C copies its value.'),
    kinds: {
      address: vscode.l10n.t('address'),
      permission: vscode.l10n.t('permission'),
      status: vscode.l10n.t('status'),
      attribute: vscode.l10n.t('attribute'),
      control: vscode.l10n.t('control'),
      software: vscode.l10n.t('software'),
      ignored: vscode.l10n.t('ignored'),
      reserved: vscode.l10n.t('reserved'),
    },
  };
}
