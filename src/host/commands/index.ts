import * as vscode from 'vscode';
import type { App, Command } from '../app';
import { clearResults, copyResult, revealResult } from './answers';
import {
  addBookmark,
  copyBookmark,
  deleteBookmark,
  editBookmark,
  revealBookmark,
  saveBookmarks,
} from './bookmarks';
import { compareWith } from './compareWith';
import { copyAddress, copyAs } from './copyAs';
import { clearCaches, restartEngine, showLog } from './engine';
import { exportList } from './exportList';
import { findPhysical } from './findPhysical';
import { clearFilter, setFilter } from './filter';
import { findRoots } from './findRoots';
import { goToIova } from './goToIova';
import { closeInspection, openDescription, openRecent, refreshInspection } from './images';
import { describeImage, openInInspector, openMemoryImage } from './openMemoryImage';
import { openSample } from './openSample';
import { revealStep } from './reveal';
import { showAliases } from './showAliases';
import { machineCommands } from './machine';
import { scenarioCommands } from './scenario';
import { traceCommands } from './trace';
import { walkIova } from './walkIova';

/** Every command of package.json. */
export const commands: readonly Command[] = [
  openMemoryImage,
  openInInspector,
  openSample,
  openRecent,
  describeImage,
  findRoots,
  openDescription,
  closeInspection,
  refreshInspection,
  goToIova,
  walkIova,
  revealStep,
  setFilter,
  clearFilter,
  copyAs,
  copyAddress,
  exportList,
  findPhysical,
  showAliases,
  compareWith,
  revealResult,
  copyResult,
  clearResults,
  addBookmark,
  revealBookmark,
  editBookmark,
  deleteBookmark,
  copyBookmark,
  saveBookmarks,
  showLog,
  restartEngine,
  clearCaches,
  ...machineCommands,
  ...scenarioCommands,
  ...traceCommands,
];

/** Registers the commands. What one throws is shown with what to do next, and is the command's result. */
export function registerCommands(app: App): vscode.Disposable {
  const registered = commands.map((command) =>
    vscode.commands.registerCommand(command.id, async (...args: unknown[]) => {
      try {
        await command.run(app, ...args);
        return undefined;
      } catch (error) {
        return app.reporter.report(error);
      }
    }),
  );
  return vscode.Disposable.from(...registered);
}
