import {
  type CopyFormat,
  ENTRY_VERSION,
  type FromEntryView,
  readEntryState,
  readShowMessage,
  type ShowMessage,
} from '../messages/entryMessages';
import { element } from '../shared/dom';
import { vscodeApi } from '../shared/vscodeApi';
import { columnsFor } from './bitRows';
import { entryPage } from './entryPage';
import { type FieldKey } from './fieldChoice';

const api = vscodeApi();
const main = element('main', {});
/** Says what is shown now, once, to screen readers. */
const status = element('p', { class: 'sr-only', attributes: { role: 'status' } });
document.body.append(main, status);

const saved = readEntryState(api.getState());
let shown: ShowMessage | undefined = saved?.shown;
let pinned: FieldKey | undefined = saved?.pinned ?? undefined;
let columns = 0;

const send = (message: FromEntryView): void => api.postMessage(message);

function save(): void {
  if (shown) api.setState({ v: ENTRY_VERSION, shown, pinned: pinned ?? null });
}

function copy(word: number, field: number | null, format: CopyFormat): void {
  if (shown) send({ v: ENTRY_VERSION, type: 'copy', generation: shown.generation, word, field, format });
}

function paint(): void {
  if (!shown) return;
  const width = main.clientWidth;
  columns = columnsFor(width);
  main.replaceChildren(
    ...entryPage(shown, width, pinned, {
      copy,
      pinned: (key) => {
        if (key === pinned) return;
        pinned = key;
        save();
      },
    }),
  );
}

window.addEventListener('message', (event) => {
  const message = readShowMessage(event.data);
  if (!message) return;
  // A page that comes back from hiding has painted what it saved, and is told the same once more.
  const again = JSON.stringify({ ...message, generation: 0 }) === JSON.stringify({ ...shown, generation: 0 });
  if (!again) pinned = undefined;
  shown = message;
  save();
  if (again) return;
  paint();
  window.scrollTo(0, 0);
  if (message.entry) status.textContent = `${message.entry.title}. ${problemCount(message)}`;
});

function problemCount({ entry, strings }: ShowMessage): string {
  const count = entry?.problems.length ?? 0;
  return count === 0 ? strings.noProblems : `${strings.problems}: ${count}`;
}

new ResizeObserver(() => {
  if (columnsFor(main.clientWidth) !== columns) paint();
}).observe(main);

paint();
send({ v: ENTRY_VERSION, type: 'ready' });
