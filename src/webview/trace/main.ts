import { readEnvelope, readToTraceView, type ToTraceView, TRACE_VERSION } from '../messages/traceMessages';
import { readTraceState } from '../messages/traceState';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { onThemeChange } from '../shared/theme';
import { vscodeApi } from '../shared/vscodeApi';
import { button } from './controls';
import { HostLink } from './hostLink';
import { TracePage } from './tracePage';

const api = vscodeApi();
const main = element('main', {});
document.body.append(main);

const link = new HostLink((message) => api.postMessage(message));
let page: TracePage | undefined;
let strings: TraceStrings | undefined;
const ready = (): void => api.postMessage({ v: TRACE_VERSION, type: 'ready' });

/** Why a trace does not show, and what else can be done with it. */
const refusal = (
  { message, hint = '' }: { readonly message: string; readonly hint?: string | undefined },
  words: TraceStrings,
): readonly HTMLElement[] => [
  element('h1', { class: 'sr-only', text: words.refused }),
  element(
    'div',
    { class: 'refused', attributes: { role: 'alert' } },
    element('p', { text: message }),
    element('p', { text: hint }),
  ),
  element(
    'div',
    { class: 'refused choices' },
    button(words.retry, { act: ready }),
    button(words.openText, {
      act: () => link.tell({ type: 'command', command: 'openText', row: null, iova: null }),
    }),
  ),
];

function receive(message: ToTraceView): void {
  switch (message.type) {
    case 'opening':
      ({ strings } = message);
      if (!page)
        main.replaceChildren(
          element('p', { class: 'refused', text: strings.opening, attributes: { role: 'status' } }),
        );
      break;
    case 'opened':
      ({ strings } = message);
      if (page) page.reopen(message);
      else {
        page = new TracePage(message, {
          link,
          saved: readTraceState(api.getState()),
          save: (state) => api.setState(state),
        });
        main.replaceChildren(...page.elements);
      }
      break;
    case 'refused':
      page = undefined;
      ({ strings } = message);
      main.replaceChildren(...refusal(message.failure, strings));
      break;
    case 'summary':
      page?.useSummary(message.summary);
      break;
    case 'bookmarks':
      page?.useBookmarks(message.rows);
      break;
    case 'goTo':
      page?.goTo(message.row, message.focus, message.token);
      break;
    case 'useFilter':
      page?.useFilter(message.text);
      break;
    case 'act':
      page?.act(message.action);
      break;
    default:
      link.receive(message);
  }
}

window.addEventListener('message', (event) => {
  const message = readToTraceView(event.data);
  const asked = message ? undefined : readEnvelope(event.data);
  if (message) receive(message);
  else if (asked) link.fail(asked, strings?.badAnswer ?? '');
});
onThemeChange(() => page?.repaint());
ready();
