#!/usr/bin/env node
// Stands in for desktop VS Code where it cannot be downloaded: takes the command line that @vscode/test-electron gives
// it and runs the same tests with the same API through code-server and Chromium. Exit code: the test run's.
//   offlineCode.mjs [FOLDER] --extensionDevelopmentPath=DIR --extensionTestsPath=FILE.js
//     --extensionDevelopmentKind=web   the browser's web worker host instead of the Node host
//   HOST_VERBOSE=1                     the workbench's own log too
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { format } from 'node:util';
import { openBrowser } from './lib/browser.mjs';
import { remoteUri, startCodeServer, workbenchUrl } from './lib/codeServer.mjs';
import { root } from './lib/paths.mjs';

/** The suites put this before their lines, which arrive mixed with the workbench's own log. */
const PREFIX = '[test] ';
const START_SECONDS = 90;
const TOTAL_SECONDS = 600;

const option = (name) =>
  process.argv
    .filter((argument) => argument.startsWith(`--${name}=`))
    .map((argument) => argument.slice(name.length + 3))
    .at(-1);
const developed = option('extensionDevelopmentPath');
const tests = option('extensionTestsPath');
const folder = process.argv.slice(2).find((argument) => !argument.startsWith('-') && existsSync(argument));
if (!developed || !tests || !existsSync(tests)) {
  console.error(
    'offlineCode: --extensionDevelopmentPath=DIR and --extensionTestsPath=FILE are needed, and FILE must be built',
  );
  process.exit(2);
}

/** In a remote window VS Code runs an extension with both entries in Node; this setting moves it. */
function settings() {
  if (option('extensionDevelopmentKind') !== 'web') return {};
  const { publisher, name } = JSON.parse(readFileSync(path.join(developed, 'package.json'), 'utf8'));
  return { 'remote.extensionKind': { [`${publisher}.${name}`]: ['web'] } };
}

const verbose = (text) => process.env.HOST_VERBOSE && console.error(`[workbench] ${text}`);

let host;
let browser;
async function cleanUp() {
  await browser?.close();
  await host?.stop();
}
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));

/** Opens the workbench, which runs the tests; resolves to why it ended. */
async function runTests(log) {
  const { page, context } = browser;
  return new Promise((finish, fail) => {
    let printed = 0;
    const open = async () => {
      // The workbench itself calls these two when it runs extension tests.
      await page.exposeFunction('codeAutomationLog', (level, args) => {
        const line = format(...args.map((argument) => argument ?? ''));
        log.push(line);
        if (line.startsWith(PREFIX)) {
          printed++;
          console.log(line.slice(PREFIX.length));
        } else verbose(`${level}: ${line}`);
      });
      await page.exposeFunction('codeAutomationExit', (code) =>
        finish(printed > 0 ? { code } : { code: code || 1, why: 'no test ran' }),
      );
      page.on('pageerror', (error) => verbose(`pageerror: ${error.message}`));
      page.on('crash', () => finish({ code: 1, why: 'the page crashed' }));
      context.on('close', () => finish({ code: 1, why: 'the browser went away' }));
      const late = (seconds, test, why) =>
        setTimeout(() => test() && finish({ code: 1, why }), seconds * 1000).unref();
      late(
        START_SECONDS,
        () => printed === 0,
        `no test line within ${START_SECONDS} s: the extension host is dead`,
      );
      late(TOTAL_SECONDS, () => true, `still running after ${TOTAL_SECONDS} s`);
      const url = workbenchUrl(host, {
        folder: folder && path.resolve(folder),
        payload: [
          ['extensionDevelopmentPath', remoteUri(host, path.resolve(developed))],
          ['extensionTestsPath', remoteUri(host, path.resolve(tests))],
          ...(process.argv.includes('--disable-extensions') ? [['disableExtensions', 'true']] : []),
        ],
      });
      const answer = await page.goto(url, { timeout: START_SECONDS * 1000 });
      if (!answer?.ok()) throw new Error(`the workbench answered ${answer?.status()}\n${host.readLog()}`);
    };
    open().catch(fail);
  });
}

let code = 1;
try {
  host = await startCodeServer({ testDriver: true, settings: settings() });
  browser = await openBrowser();
  const log = [];
  const end = await runTests(log);
  code = end.code;
  if (end.why)
    console.error(
      `offlineCode: ${end.why}\n${log
        .join('\n')
        .split('\n')
        .filter((line) => !/^\s+at |Canceled/.test(line))
        .slice(-40)
        .join('\n')}`,
    );
  if (code !== 0) {
    mkdirSync(path.join(root, 'shots'), { recursive: true });
    await browser.page
      .screenshot({ path: path.join(root, 'shots', 'host-failure.png') })
      .catch(() => undefined);
  }
  if (browser.blocked.length > 0) {
    console.error(`FAIL the window tried to leave this machine: ${[...new Set(browser.blocked)].join(' ')}`);
    code ||= 1;
  }
} catch (error) {
  console.error(`offlineCode: ${error.message}`);
} finally {
  await cleanUp();
}
process.exit(code);
