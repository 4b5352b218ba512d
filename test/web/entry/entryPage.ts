/** The Entry view's own page, shown entries as the host shows them. */
import { type EntryDetails } from '../../../src/inspection/protocol';
import { entryModel } from '../../../src/webview/messages/entryModel';
import { type openBrowser } from '../harness';
import { openViewPage, type PageOptions, type ViewPage } from '../viewPage';
import { strings } from './strings';

export type { PageOptions, Theme } from '../viewPage';

export interface EntryPage extends Omit<ViewPage, 'post'> {
  show(details: EntryDetails | undefined, generation?: number): Promise<void>;
}

export async function openEntryPage(
  browser: Awaited<ReturnType<typeof openBrowser>>,
  options: PageOptions = {},
): Promise<EntryPage> {
  const view = await openViewPage(browser, 'entry', options);
  return {
    ...view,
    show: (details, generation = 1) => {
      const entry = details ? entryModel(details) : null;
      return view.post({ v: 1, type: 'show', generation, entry, strings });
    },
  };
}
