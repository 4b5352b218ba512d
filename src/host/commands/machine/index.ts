import type { Command } from '../../app';
import { attachDevice } from './attach';
import { collapseTable, invalidateRange, mapRange, splitIopte, unmapRange } from './changeTables';
import { readClearDirty, readDirty, setDirtyTracking } from './dirty';
import { injectDma } from './dma';
import { copyRow, evictCaches, revealRow, showCached, showStale, undoOperation, writeWord } from './hardware';
import { newMachine } from './newMachine';
import { saveMachine } from './save';

/** What can be done with emulated machines. */
export const machineCommands: readonly Command[] = [
  newMachine,
  injectDma,
  splitIopte,
  collapseTable,
  mapRange,
  unmapRange,
  setDirtyTracking,
  readClearDirty,
  readDirty,
  invalidateRange,
  attachDevice,
  evictCaches,
  writeWord,
  undoOperation,
  saveMachine,
  showStale,
  showCached,
  revealRow,
  copyRow,
];
