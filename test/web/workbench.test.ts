import assert from 'node:assert/strict';
import { openContainer, openWorkbench, screenshot, type Workbench } from './harness';

describe('workbench', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await openWorkbench({ folder: 'samples' });
  });
  after(() => workbench.close());

  it('shows the IOPTE container with its views', async () => {
    const { page } = workbench;
    await openContainer(page);
    await page.locator('.pane-header[aria-label^="Domains"]').waitFor({ timeout: 30_000 });
    await screenshot(page, 'container');
  });

  it('fetches nothing from outside this machine', () => {
    assert.deepEqual(workbench.blocked, []);
  });
});
