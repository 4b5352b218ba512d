import * as vscode from 'vscode';
import { parseInteger, parseRequester } from '../../inspection/protocol';

/** What is wrong with an IOVA; undefined when it is one. */
export const checkIova = (text: string): string | undefined =>
  parseInteger(text) === undefined
    ? vscode.l10n.t('An IOVA is a number of at most 64 bits: 0xffee0000, 4096, 2M.')
    : undefined;

/** What is wrong with a register's value. */
export const checkRegister = (text: string): string | undefined =>
  parseInteger(text) === undefined
    ? vscode.l10n.t('A register is a number of at most 64 bits: 0x14ab1e000.')
    : undefined;

/** What is wrong with a requester. */
export const checkRequester = (text: string): string | undefined =>
  parseRequester(text) === undefined
    ? vscode.l10n.t('A device is bus:device.function (00:02.0) or a requester id (0x10).')
    : undefined;
