/** The Scenario Results panel's own page, shown outcomes as the host shows them. */
import { runModel, forPage } from '../../../src/webview/messages/resultsModel';
import { type openBrowser } from '../harness';
import { openViewPage, type PageOptions, type ViewPage } from '../viewPage';
import { type Outcome } from './outcomes';
import { strings } from './strings';

export interface ResultsPage extends ViewPage {
  show(outcomes: readonly Outcome[], generation?: number): Promise<void>;
  /** That there is nothing to show. */
  notice(text: string): Promise<void>;
}

export async function openResultsPage(
  browser: Awaited<ReturnType<typeof openBrowser>>,
  options: PageOptions = {},
): Promise<ResultsPage> {
  const view = await openViewPage(browser, 'results', { width: 1100, ...options });
  const show = { v: 1, type: 'show', strings };
  return {
    ...view,
    show: (outcomes, generation = 1) => {
      const runs = outcomes.map(({ file, set, outcome }) =>
        runModel(`file:///${file}.iopte.yaml`, file, set, outcome),
      );
      return view.post({ ...show, generation, results: forPage({ runs }), notice: null });
    },
    notice: (notice) => view.post({ ...show, generation: 1, results: null, notice }),
  };
}
