import assert from 'node:assert/strict';
import { vsixFile } from '../../scripts/lib/packaging.mjs';
import {
  openContainer,
  openWorkbench,
  pick,
  runCommand,
  screenshot,
  treeRow,
  type Workbench,
} from '../web/harness';

describe('installed package', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await openWorkbench({ vsix: vsixFile(), folder: 'samples' });
  });
  after(() => workbench.close());

  it('opens a sample and shows its IOMMU', async () => {
    const { page } = workbench;
    await runCommand(page, 'IOPTE: Open Sample');
    await pick(page, 'vtd-4level');
    await openContainer(page);
    await treeRow(page, 'dmar').first().waitFor({ timeout: 30_000 });
    await screenshot(page, 'package');
  });

  it('fetches nothing from outside this machine', () => {
    assert.deepEqual(workbench.blocked, []);
  });
});
