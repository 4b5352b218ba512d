import type { Command } from '../../app';
import { listTraceBookmarks, toggleTraceBookmark } from './bookmarks';
import { exportTrace } from './exportTrace';
import { openTrace } from './openTrace';
import {
  copyTraceRows,
  filterTrace,
  findInTrace,
  findNextInTrace,
  findPreviousInTrace,
  focusTraceRows,
  goToNextTraceBookmark,
  goToPreviousTraceBookmark,
  goToTracePlace,
  groupTrace,
  readTraceOn,
  stopReadingTrace,
} from './page';
import { showIovaHistory, showTraceFindings, showTraceLifetimes } from './questions';
import { replayTrace, revealTraceRow } from './replay';
import { splitTraceBySpaces } from './split';

/** What can be done with traces. */
export const traceCommands: readonly Command[] = [
  openTrace,
  goToTracePlace,
  findInTrace,
  findNextInTrace,
  findPreviousInTrace,
  filterTrace,
  groupTrace,
  focusTraceRows,
  toggleTraceBookmark,
  goToNextTraceBookmark,
  goToPreviousTraceBookmark,
  listTraceBookmarks,
  exportTrace,
  copyTraceRows,
  replayTrace,
  revealTraceRow,
  showIovaHistory,
  showTraceLifetimes,
  showTraceFindings,
  splitTraceBySpaces,
  stopReadingTrace,
  readTraceOn,
];
