/** The samples of each vendor as README shows them: tree and walk. */
import { type Page } from 'playwright-core';
import { openWorkbench, pick, runCommand, screenshot, treeRow, type Workbench } from './harness';
import { useTheme, walk, widenSideBar } from './person';

interface Shown {
  readonly sample: string;
  readonly iommu: string;
  readonly device: string;
  readonly iova: string;
  /** How rows of the tree and of the walk are spoken. */
  readonly rows: readonly string[];
}

const VENDORS: readonly Shown[] = [
  {
    sample: 'vtd-scalable',
    iommu: 'dmar0',
    device: '00:07.0',
    iova: '0x40001000',
    rows: [
      'DID 9, stage 1, VT-d first stage',
      'translates to 0x100001000: 1G page, RW',
      '1G page at 0x100000000',
    ],
  },
  {
    sample: 'amd-v1',
    iommu: 'iommu0',
    device: '00:08.0',
    iova: '0x20003f3000',
    rows: ['DomainID 11, stage 2, AMD', 'translates to 0x1497f3000: 32K page, RW', '32K page at 0x1497f0000'],
  },
  {
    sample: 'smmuv3-two-stages',
    iommu: 'smmu0',
    device: '00:07.0',
    iova: '0x31000',
    rows: [
      'VMID 1, stage 2, Armv8 stage 2',
      'Read of 0x31000 is refused',
      'Stream table entry',
      'F_PERMISSION',
    ],
  },
  {
    sample: 'riscv-sv57',
    iommu: 'iommu0',
    device: '00:06.0',
    iova: '0x2000200000',
    rows: [
      'PSCID 9, stage 1, RISC-V Sv57',
      'translates to 0x109600000: 64K page, RW',
      '64K page at 0x109600000',
    ],
  },
  {
    sample: 'smmuv3-nested',
    iommu: 'smmu0',
    device: '00:02.0 SubstreamID 0x1',
    iova: '0x123456000',
    rows: [
      'ASID 2 on VMID 7, stage 1, Armv8 stage 1',
      'translates to 0x89ab4d000: 4K page, RW',
      'Stage 1, ASID 2 on VMID 7',
      'Stage 2 of guest address 0x42080000, VMID 7',
    ],
  },
];

describe('the samples of each vendor', () => {
  let workbench: Workbench;
  let page: Page;
  before(async () => {
    workbench = await openWorkbench({
      width: 1000,
      height: 900,
      settings: {
        'workbench.colorTheme': 'Default Dark Modern',
        'window.commandCenter': false,
        'workbench.layoutControl.enabled': false,
      },
    });
    page = workbench.page;
  });
  after(() => workbench.close());

  afterEach(async function () {
    if (this.currentTest?.isFailed()) await screenshot(page, 'failed-vendor');
  });

  afterEach(async () => {
    await runCommand(page, 'IOPTE: Close');
    await page.locator('.pane-body', { hasText: 'Open Sample' }).first().waitFor();
  });

  const sideBar = () => page.locator('.part.sidebar');

  for (const { sample, iommu, device, iova, rows } of VENDORS) {
    it(`are read and walked: ${sample}`, async () => {
      await runCommand(page, 'IOPTE: Open Sample');
      await pick(page, sample);
      await treeRow(page, iommu).waitFor({ timeout: 30_000 });
      for (const view of ['Entry', 'Results', 'Bookmarks']) await collapse(page, view);
      await widenSideBar(page, 640);
      await walk(page, device, iova);
      const walkPane = page.locator('.pane', { has: page.locator('.pane-header[aria-label^="Walk"]') });
      await walkPane
        .locator('.monaco-list-row', { hasText: /→|Refused/ })
        .first()
        .click();
      await page.keyboard.press('Control+Enter');
      await page.locator('.monaco-list-row.selected').first().waitFor({ timeout: 20_000 });
      for (const row of rows) await spoken(page, row);
      // Away from the rows, whose tooltips would cover others.
      await page.mouse.move(960, 600);
      await page.locator('.monaco-hover:visible').waitFor({ state: 'detached' });
      await screenshot(page, `vendor-${sample}`, { docs: true, of: sideBar() });
      await widenSideBar(page, 348);
      await screenshot(page, `vendor-${sample}-narrow`, { of: sideBar() });
    });
  }

  it('are read in high contrast', async () => {
    await runCommand(page, 'IOPTE: Open Sample');
    await pick(page, 'smmuv3-nested');
    await treeRow(page, 'smmu0').waitFor({ timeout: 30_000 });
    await widenSideBar(page, 640);
    await walk(page, '00:02.0 SubstreamID 0x1', '0x123456000');
    await useTheme(page, 'Dark High Contrast', 'hc-black');
    await spoken(page, 'Stage 1, ASID 2 on VMID 7');
    await screenshot(page, 'vendor-high-contrast', { of: sideBar() });
  });
});

/** Waits for a row that a screen reader reads so, in part. */
const spoken = (page: Page, part: string): Promise<void> =>
  page.locator(`.pane-body .monaco-list-row[aria-label*="${part}"]`).first().waitFor({ timeout: 10_000 });

/** Folds a pane of the side bar, so that the others have its room. */
async function collapse(page: Page, view: string): Promise<void> {
  const header = page.locator(`.pane-header[aria-label^="${view}"]`);
  if ((await header.count()) === 0) return;
  if ((await header.getAttribute('aria-expanded')) === 'true') await header.locator('.title').click();
  await page.locator(`.pane-header[aria-label^="${view}"][aria-expanded="false"]`).waitFor();
}
