import {
  type Axis,
  type FromResultsView,
  type ResultsModel,
  readResultsState,
  readToResultsView,
  RESULTS_VERSION,
  type ResultsState,
  type ShowResults,
} from '../messages/resultsMessages';
import { element } from '../shared/dom';
import { onThemeChange } from '../shared/theme';
import { vscodeApi } from '../shared/vscodeApi';
import { type ChartView } from './chart/chartView';
import { suitingAxis } from './chart/domain';
import { readPalette } from './chart/palette';
import { picture } from './picture';
import { resultsPage, shownOf } from './resultsPage';

const v = RESULTS_VERSION;
const api = vscodeApi();
const main = element('main', {});
document.body.append(main);

let state: ResultsState | undefined = readResultsState(api.getState());
/** Of what is shown; until the host has said so nothing leads back to it. */
let generation: number | undefined;
let charts: readonly ChartView[] = [];

const send = (message: FromResultsView): void => api.postMessage(message);

function change(part: Partial<ResultsState>): void {
  if (!state) return;
  state = { ...state, ...part };
  api.setState(state);
}

/** Roughly, before anything is laid out; at 300 pixels less is seen on an axis of time. */
const PLOT_MARGINS = 90;

function axisOf({ axis, results, picked }: ResultsState): Axis {
  if (axis) return axis;
  const shown = results
    ? shownOf(results, picked).flatMap((index) => results.runs[index]?.migration ?? [])
    : [];
  return suitingAxis(shown, main.clientWidth - PLOT_MARGINS);
}

function paint(): void {
  if (!state) return;
  const { results, notice, strings } = state;
  if (!results) {
    charts = [];
    main.replaceChildren(
      element('h1', { text: strings.heading }),
      element('p', { class: 'notice', text: notice ?? '' }),
    );
    return;
  }
  const axis = axisOf(state);
  const page = resultsPage(results, strings, { ...state, axis }, readPalette(), {
    pick: (picked) => {
      change({ picked });
      paint();
      main.querySelector<HTMLElement>('[aria-pressed="true"].link')?.focus();
    },
    useAxis: (chosen) => {
      change({ axis: chosen });
      paint();
      main.querySelector<HTMLElement>('.toggle[aria-pressed="true"]')?.focus();
    },
    moved: (run, cursor) => change({ cursors: { ...state?.cursors, [run]: cursor } }),
    reveal: (run, failure) => {
      if (generation !== undefined) send({ v, type: 'reveal', generation, run, failure });
    },
    export: (format) => send({ v, type: 'export', format }),
  });
  main.replaceChildren(...page.elements);
  charts = page.charts;
  repaint();
}

const repaint = (): void => charts.forEach((chart) => chart.paint());

function show({ results, notice, strings, generation: of }: ShowResults): void {
  if (generation !== undefined && of < generation) return;
  generation = of;
  // A page that comes back from hiding has painted what it saved, and is told the same once more.
  const again =
    state && JSON.stringify([state.results, state.strings]) === JSON.stringify([results, strings]);
  const kept = isSameRuns(state?.results, results) ? state : undefined;
  state = {
    ...{ v, results, notice, strings },
    ...{ picked: kept?.picked ?? 0, axis: state?.axis ?? null, cursors: again ? (state?.cursors ?? {}) : {} },
  };
  api.setState(state);
  if (!again) paint();
}

/** Whether it is the same scenario, variant and settings, place by place. */
function isSameRuns(one: ResultsModel | null | undefined, other: ResultsModel | null): boolean {
  const keys = (of: ResultsModel | null | undefined): string =>
    JSON.stringify(of?.runs.map(({ uri, variant, set }) => [uri, variant, set]));
  return keys(one) === keys(other);
}

async function sendPicture(request: number): Promise<void> {
  const png = state?.results ? await picture(state.results, axisOf(state), state.strings) : null;
  send({ v, type: 'picture', request, png });
}

window.addEventListener('message', (event) => {
  const message = readToResultsView(event.data);
  if (message?.type === 'show') show(message);
  else if (message?.type === 'paint') void sendPicture(message.request);
});

onThemeChange(() => {
  const palette = readPalette();
  for (const chart of charts) chart.usePalette(palette);
});
new ResizeObserver(repaint).observe(main);

paint();
send({ v, type: 'ready' });
