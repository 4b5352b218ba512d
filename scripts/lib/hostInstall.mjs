// A real VS Code without its download: a Node and code-server, both npm packages, in a folder that outlives node_modules.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { aptPackages, onPath } from './apt.mjs';
import { chromiumPackages, ensureChromium } from './chromium.mjs';
import { withLock } from './lock.mjs';
import { hostDir } from './paths.mjs';
import { must, npmCommand, run } from './processes.mjs';

const NODE_VERSION = '24.21.0'; // npm package node-PLATFORM: a whole Node with its headers, no install script
const CODE_SERVER_VERSION = '4.139.1'; // VS Code 1.139.1; asks for Node 24
const STAMP = `node ${NODE_VERSION}, code-server ${CODE_SERVER_VERSION}, layout 1`;

const platform = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
/** Platforms whose Node is an npm package; elsewhere the running one has to do. */
const PACKAGED = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];
const stampFile = path.join(hostDir, 'stamp');
const modules = path.join(hostDir, 'node_modules');

const runningNodeServes = () => Number(process.versions.node.split('.')[0]) >= 24;

/** The Node that code-server runs on. */
export const hostNode = () =>
  PACKAGED.includes(platform) ? path.join(modules, `node-${platform}`, 'bin', 'node') : process.execPath;

/** code-server's program, for `hostNode()`. */
export const codeServerEntry = path.join(modules, 'code-server', 'out', 'node', 'entry.js');

const isInstalled = () => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === STAMP;

/** Parts of VS Code that no test and no person reading page tables needs: about 250 MB. */
function prune(vscode) {
  for (const part of [
    'extensions/copilot',
    'extensions/mermaid-markdown-features',
    'node_modules/@github',
    'node_modules/@microsoft/mxc-sdk',
    'node_modules/.cache',
  ]) {
    rmSync(path.join(vscode, part), { recursive: true, force: true });
  }
  for (const prebuilt of ['node_modules/node-pty/prebuilds', 'node_modules/@vscode/ripgrep-universal/bin']) {
    const folder = path.join(vscode, prebuilt);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      if (name !== `${process.platform}-${process.arch}`)
        rmSync(path.join(folder, name), { recursive: true, force: true });
    }
  }
}

/** Logs and the watchdog of the extension host are native modules; VS Code runs without them too. */
async function rebuild(vscode, env, log) {
  const missing = ['g++', 'make', 'python3'].filter((tool) => !onPath(tool));
  if (missing.length > 0) {
    log(
      `warning: ${missing.join(', ')} missing, so VS Code's log files and watchdog stay unbuilt; tests run without`,
    );
    return;
  }
  const { command, args } = npmCommand([
    'rebuild',
    '--loglevel=error',
    '@vscode/spdlog',
    '@vscode/native-watchdog',
  ]);
  const { code, lines } = await run(command, args, { cwd: vscode, env, seconds: 300 });
  if (code !== 0)
    log(`warning: VS Code's log files and watchdog did not build: ${lines.slice(-3).join(' | ')}`);
}

async function install(log, tools) {
  if (!PACKAGED.includes(platform) && !runningNodeServes()) {
    throw new Error(
      `code-server needs Node 24 and there is no packaged one for ${platform}: run this with Node 24.`,
    );
  }
  log(`installing into ${hostDir}: ${STAMP}`);
  rmSync(stampFile, { force: true });
  rmSync(modules, { recursive: true, force: true });
  rmSync(path.join(hostDir, 'package-lock.json'), { force: true });
  mkdirSync(hostDir, { recursive: true });
  writeFileSync(path.join(hostDir, 'package.json'), '{"private":true}');

  // No install scripts: code-server's own refuses Node 20, and builds modules that are never loaded here.
  const quiet = [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-progress',
    '--loglevel=error',
  ];
  const packages = [`code-server@${CODE_SERVER_VERSION}`];
  if (PACKAGED.includes(platform)) packages.push(`node-${platform}@${NODE_VERSION}`);
  const first = npmCommand([...quiet, ...packages]);
  await must('npm install code-server', first.command, first.args, {
    cwd: hostDir,
    env: first.env,
    seconds: 300,
  });

  const nodeHome = path.dirname(path.dirname(hostNode()));
  const env = {
    ...first.env,
    PATH: `${path.dirname(hostNode())}${path.delimiter}${process.env.PATH ?? ''}`,
    npm_config_nodedir: nodeHome, // headers of that Node, so that none are downloaded
  };
  const vscode = path.join(modules, 'code-server', 'lib', 'vscode');
  const second = npmCommand([...quiet, '--omit=dev']);
  await must("npm install of VS Code's modules", second.command, second.args, {
    cwd: vscode,
    env,
    seconds: 300,
  });
  prune(vscode);
  await tools;
  await rebuild(vscode, env, log);
  prune(vscode);
  writeFileSync(stampFile, STAMP);
}

/** Installs the VS Code host and a browser, once a machine. */
export async function ensureHost(log, { browser = true } = {}) {
  if (process.platform === 'win32')
    throw new Error('code-server does not run on Windows: install desktop VS Code.');
  await withLock(hostDir, async () => {
    const needsHost = !isInstalled();
    const wanted = browser ? chromiumPackages() : [];
    if (needsHost) wanted.push(...['g++', 'make', 'python3'].filter((tool) => !onPath(tool)));
    const tools = aptPackages(wanted, log); // while npm downloads
    if (needsHost) await install(log, tools);
    else log(`VS Code host is in ${hostDir}: ${STAMP}`);
    await tools;
    if (browser) await ensureChromium(log);
  });
}
