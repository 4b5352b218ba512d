// code-server on 127.0.0.1, in a throw-away profile.
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { codeServerEntry, hostNode } from './hostInstall.mjs';
import { scratchDir } from './paths.mjs';
import { must, startGroup } from './processes.mjs';

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A window that asks nothing and fetches nothing. */
const QUIET_SETTINGS = {
  'chat.disableAIFeatures': true,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
};

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Runs one of code-server's own commands, such as installing an extension. */
export const codeServerCommand = (args, options) =>
  must('code-server', hostNode(), [codeServerEntry, ...args], options);

/** Installs a packaged extension as a user would. */
export async function installVsix(vsix, extensionsDir) {
  const scratch = scratchDir('install');
  try {
    return await codeServerCommand(
      [
        ...['--extensions-dir', extensionsDir, '--user-data-dir', scratch],
        ...['--config', path.join(scratch, 'config.yaml'), '--install-extension', path.resolve(vsix)],
      ],
      { seconds: 60, env: { ...process.env, XDG_DATA_HOME: scratch, EXTENSIONS_GALLERY: '{}' } },
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function writeSettings(userDir, settings) {
  const file = path.join(userDir, 'User', 'settings.json');
  if (existsSync(file)) return;
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify({ ...QUIET_SETTINGS, ...settings }, null, 2));
}

/**
 * Starts code-server and waits until it answers.
 * @param options.testDriver  loads extensions under development and runs tests: for tests only, without a password
 * @param options.password    what a browser has to give before it sees anything
 * @param options.settings    more user settings
 * @param options.extensionsDir  kept when given
 */
export async function startCodeServer({
  testDriver = false,
  password,
  settings,
  extensionsDir,
  port,
  env = {},
}) {
  if (!testDriver && !password) throw new Error('code-server without a password is for tests only');
  const scratch = scratchDir('vs');
  const chosenPort = port ?? (await freePort());
  const authority = `127.0.0.1:${chosenPort}`;
  const userDir = path.join(scratch, 'user');
  writeSettings(userDir, settings);
  const logFile = path.join(scratch, 'log');
  const log = openSync(logFile, 'a');
  const args = [
    codeServerEntry,
    ...['--auth', password ? 'password' : 'none', '--bind-addr', authority],
    ...['--config', path.join(scratch, 'config.yaml'), '--session-socket', path.join(scratch, 's.sock')],
    ...['--user-data-dir', userDir, '--extensions-dir', extensionsDir ?? path.join(scratch, 'extensions')],
    ...[
      '--disable-telemetry',
      '--disable-update-check',
      '--disable-getting-started-override',
      '--ignore-last-opened',
    ],
    // A built VS Code takes an extension under development from the URL only with its test driver on.
    ...(testDriver ? ['--disable-workspace-trust', '--vscode-option', 'enable-smoke-test-driver'] : []),
  ];
  const group = startGroup(hostNode(), args, {
    stdio: ['ignore', log, log],
    env: {
      EXTENSIONS_GALLERY: '{}', // no marketplace, so nothing is asked from outside
      ...process.env,
      // VS Code leaves sockets and caches in these.
      ...{ TMPDIR: scratch, XDG_CONFIG_HOME: scratch, XDG_DATA_HOME: scratch, XDG_CACHE_HOME: scratch },
      ...(password ? { PASSWORD: password } : {}),
      ...env,
    },
  });
  const readLog = () => readFileSync(logFile, 'utf8');
  const stop = async () => {
    await group.stop();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };

  let ended;
  void group.exited.then(
    ({ code, signal, error }) => (ended = `code-server ended: ${error?.message ?? signal ?? code}`),
  );
  const base = `http://${authority}`;
  const until = Date.now() + 60_000;
  for (;;) {
    if (ended || Date.now() > until) {
      const why = `${ended ?? 'code-server did not answer within 60 s'}\n${readLog()}`;
      await stop();
      throw new Error(why);
    }
    const ok = await fetch(`${base}/healthz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ok) break;
    await sleep(100);
  }
  return { base, authority, port: chosenPort, userDir, exited: group.exited, stop, readLog };
}

/**
 * Address of the workbench.
 * @param options.folder   folder or .code-workspace file to open; none: an empty window
 * @param options.payload  [key, value] pairs as VS Code's own launcher passes them
 */
export function workbenchUrl(host, { folder, payload = [] } = {}) {
  const url = new URL(`${host.base}/`);
  if (folder?.endsWith('.code-workspace')) url.searchParams.set('workspace', folder);
  else if (folder) url.searchParams.set('folder', folder);
  else url.searchParams.set('ew', 'true');
  if (payload.length > 0) url.searchParams.set('payload', JSON.stringify(payload));
  return url.href;
}

/** A file as the workbench names it. */
export const remoteUri = (host, file) => `vscode-remote://${host.authority}${file}`;
