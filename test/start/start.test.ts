/** `npm start` as a person runs it: started, its address opened, a sample opened, ended with Ctrl-C. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { openBrowser, openContainer, pick, root, runCommand, screenshot, treeRow } from '../web/harness';
import { processesWith } from './processes';

/** Put into the environment of what is started, and so of everything that it starts. */
const MARK = `IOPTE_START_TEST=${randomUUID()}`;

describe('npm start', function () {
  this.timeout(180_000);
  let npm: ChildProcess;
  let output = '';

  const printed = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(output)?.[1];
      if (found !== undefined) return found;
      assert.equal(npm.exitCode, null, `npm start ended early:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  before(() => {
    const [name = '', value = ''] = MARK.split('=');
    npm = spawn('npm', ['start', '--', '--server', '--no-open'], {
      cwd: root,
      env: { ...process.env, [name]: value },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a group of its own, which gets the Ctrl-C
    });
    for (const stream of [npm.stdout, npm.stderr])
      stream?.on('data', (part: Buffer) => (output += part.toString()));
  });

  it('asks for the password it printed, and opens a sample', async () => {
    const url = await printed(/^ +(http:\/\/127\.0\.0\.1:\d+\/\S*)$/m);
    const password = await printed(/^password: (\S+)$/m);
    const browser = await openBrowser();
    try {
      const { page } = browser;
      await page.goto(url);
      await page.locator('input[type="password"]').fill('not the password');
      await page.locator('input[type="submit"]').click();
      await page.locator('.error').waitFor();
      await page.locator('input[type="password"]').fill(password);
      await page.locator('input[type="submit"]').click();
      await page
        .locator('.explorer-folders-view .monaco-list-row', { hasText: 'vtd-4level.elf.gz' })
        .waitFor();
      // A folder that VS Code does not know: what follows works in it all the same.
      await page.locator('.statusbar', { hasText: 'Restricted Mode' }).waitFor();
      await runCommand(page, 'IOPTE: Open Sample');
      await pick(page, 'vtd-4level');
      await openContainer(page);
      await treeRow(page, 'dmar').first().waitFor({ timeout: 30_000 });
      await screenshot(page, 'start');
      assert.deepEqual(browser.blocked, []);
    } finally {
      await browser.close();
    }
  });

  it('ends with everything it started on Ctrl-C', async () => {
    assert.ok(npm.pid !== undefined && npm.exitCode === null, `npm start is not running:\n${output}`);
    assert.ok(
      processesWith(MARK).length > 3,
      'npm, the script, code-server and its extension host should be running',
    );
    const ended = once(npm, 'exit');
    process.kill(-npm.pid, 'SIGINT');
    await ended;
    assert.deepEqual(processesWith(MARK), []);
  });

  after(() => {
    for (const { pid } of processesWith(MARK)) process.kill(pid, 'SIGKILL');
  });
});
