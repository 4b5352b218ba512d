import * as vscode from 'vscode';

/** The images that come with the extension. Listed here because not every host can list the extension's folder. */
export interface Sample {
  /** `samples/NAME.iopte.json` */
  readonly name: string;
  readonly detail: string;
}

export const samples = (): readonly Sample[] => [
  {
    name: 'vtd-4level',
    detail: vscode.l10n.t('Intel VT-d, 48-bit domains through 4 levels, 4K and 2M pages'),
  },
  {
    name: 'vtd-3level-1g',
    detail: vscode.l10n.t('Intel VT-d, 39-bit domains through 3 levels, pages of 4K, 2M and 1G'),
  },
  {
    name: 'vtd-passthrough',
    detail: vscode.l10n.t('Intel VT-d, ten devices in pass-through and one with a domain'),
  },
  {
    name: 'vtd-incomplete',
    detail: vscode.l10n.t('Intel VT-d, a dump that lost three of its table pages'),
  },
];
