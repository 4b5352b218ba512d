import { type TraceCommand } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { button } from './controls';
import { Popup } from './popup';

/** What can be done with the trace as a whole. */
export function actionMenu(
  strings: TraceStrings,
  command: (command: TraceCommand) => void,
  act: (action: 'copy' | 'copyCell' | 'copyLine' | 'filterByValue') => void,
): Popup {
  const actions: readonly (readonly [string, () => void])[] = [
    [strings.findings, () => command('findings')],
    [strings.lifetimes, () => command('lifetimes')],
    [strings.bookmarks, () => command('bookmarks')],
    [strings.split, () => command('split')],
    [strings.copy, () => act('copy')],
    [strings.copyCell, () => act('copyCell')],
    [strings.copyLine, () => act('copyLine')],
    [strings.filterByValue, () => act('filterByValue')],
    [strings.export, () => command('export')],
  ];
  return new Popup({
    label: strings.actions,
    id: 'actions',
    content: (close) =>
      actions.map(([text, chosen]) =>
        button(text, {
          class: 'item',
          act: () => {
            close();
            chosen();
          },
        }),
      ),
  });
}
