import * as vscode from 'vscode';
import { parseDevice, parseInteger } from '../../inspection/protocol';

/** What is wrong with an IOVA; undefined when it is one. */
export const checkIova = (text: string): string | undefined =>
  parseInteger(text) === undefined
    ? vscode.l10n.t('An IOVA is a number of at most 64 bits: 0xffee0000, 4096, 2M.')
    : undefined;

/** What is wrong with a register's value. */
export function checkRegister(text: string, bits = 64): string | undefined {
  const value = parseInteger(text);
  return value === undefined || value >= 1n << BigInt(bits)
    ? vscode.l10n.t('This register is a number of at most {0} bits: 0x14ab1e000.', bits)
    : undefined;
}

/** What is wrong with a requester. */
export const checkRequester = (text: string): string | undefined =>
  parseDevice(text) === undefined
    ? vscode.l10n.t(
        'A device is bus:device.function (00:02.0, 0001:00:02.0) or an id of at most 32 bits (0x10).',
      )
    : undefined;
