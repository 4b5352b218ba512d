import { readToTraceView, type ToTraceView, TRACE_VERSION } from '../messages/traceMessages';
import { readTraceState } from '../messages/traceState';
import { element } from '../shared/dom';
import { onThemeChange } from '../shared/theme';
import { vscodeApi } from '../shared/vscodeApi';
import { HostLink } from './hostLink';
import { TracePage } from './tracePage';

const api = vscodeApi();
const main = element('main', {});
document.body.append(main);

const link = new HostLink((message) => api.postMessage(message));
let page: TracePage | undefined;

function receive(message: ToTraceView): void {
  switch (message.type) {
    case 'opened':
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
      main.replaceChildren(
        element('h1', { class: 'refused', text: message.failure.message }),
        element('p', { class: 'refused', text: message.failure.hint ?? '' }),
      );
      break;
    case 'summary':
      page?.useSummary(message.summary);
      break;
    case 'bookmarks':
      page?.useBookmarks(message.rows);
      break;
    case 'goTo':
      page?.goTo(message.row, message.focus);
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
  if (message) receive(message);
});
onThemeChange(() => page?.repaint());
api.postMessage({ v: TRACE_VERSION, type: 'ready' });
