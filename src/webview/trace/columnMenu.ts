import { TRACE_COLUMNS, type TraceColumn } from '../messages/traceColumns';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { Popup } from './popup';

export interface ColumnMenuOptions {
  readonly strings: TraceStrings;
  readonly isShown: (column: TraceColumn) => boolean;
  readonly show: (column: TraceColumn, isShown: boolean) => void;
}

/** The list of columns, each of which is shown or hidden. */
export const columnMenu = ({ strings, isShown, show }: ColumnMenuOptions): Popup =>
  new Popup({
    label: strings.showColumns,
    id: 'columns',
    content: () => [
      ...TRACE_COLUMNS.map((column) => {
        const box = element('input', { attributes: { type: 'checkbox' } });
        box.checked = isShown(column);
        box.addEventListener('change', () => {
          show(column, box.checked);
          // The last one stays.
          box.checked = isShown(column);
        });
        return element('label', {}, box, strings.columns[column]);
      }),
      element('p', { class: 'quiet', text: strings.resizeColumn }),
    ],
  });
