// `npm start`: builds and packs the extension, and opens an editor with it on samples/. Ctrl-C ends everything.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { onPath } from './lib/apt.mjs';
import { installVsix, startCodeServer, workbenchUrl } from './lib/codeServer.mjs';
import { hasDesktop, openDesktop } from './lib/desktop.mjs';
import { ensureHost } from './lib/hostInstall.mjs';
import { build, packExtension } from './lib/packaging.mjs';
import { root, scratchDir } from './lib/paths.mjs';
import { startGroup } from './lib/processes.mjs';

const HELP = `usage: npm start -- [--server] [--port N] [--no-open]

Builds and packs the extension and opens an editor with it on samples/: desktop VS Code when \`code\` is on the PATH and
there is a display (in a profile of its own), else code-server on 127.0.0.1 behind a random password. Ctrl-C ends it.

  --server   code-server even where there is a desktop VS Code
  --port N   code-server's port (default: a free one)
  --no-open  print code-server's address without opening a browser`;

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        server: { type: 'boolean', default: false },
        port: { type: 'string' },
        'no-open': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const port = values.port === undefined ? undefined : Number(values.port);
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
      throw new Error(`--port ${values.port} is not a port: 1 to 65535`);
    }
    return { ...values, port };
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}

const options = readOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

/** A quiet window; a folder it does not know opens restricted, without a question in the way. */
const SETTINGS = {
  'telemetry.telemetryLevel': 'off',
  'workbench.startupEditor': 'none',
  'security.workspace.trust.startupPrompt': 'never',
};
const folder = path.join(root, 'samples');
const cleanUp = [];
let ending = false;
async function end(code) {
  if (ending) return;
  ending = true;
  for (const step of cleanUp.reverse()) await step();
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (!ending) console.log('\nending the editor ...');
    void end(0);
  });
}

/** Shows the address in the user's browser, where there is a display and the program that opens addresses. */
function openAddress(url) {
  const display = process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  const opener = { darwin: 'open', linux: display && onPath('xdg-open') ? 'xdg-open' : undefined }[
    process.platform
  ];
  if (opener) startGroup(opener, [url], { stdio: 'ignore' });
}

async function openServer(vsix) {
  await ensureHost(console.log, { browser: false });
  const extensionsDir = scratchDir('ext');
  cleanUp.push(() => rmSync(extensionsDir, { recursive: true, force: true }));
  await installVsix(vsix, extensionsDir);
  const password = randomBytes(12).toString('base64url');
  const host = await startCodeServer({ password, settings: SETTINGS, extensionsDir, port: options.port });
  cleanUp.push(() => host.stop());
  const url = workbenchUrl(host, { folder });
  console.log(`\nIOPTE Inspector runs in VS Code at\n\n  ${url}\n\npassword: ${password}\n\nCtrl-C ends it.`);
  if (!options['no-open']) openAddress(url);
  return host.exited;
}

async function openCode(vsix) {
  const desktop = await openDesktop({ vsix, folder, settings: SETTINGS });
  cleanUp.push(() => desktop.stop());
  console.log(
    '\nVS Code opens with IOPTE Inspector on samples/. Close its window, or press Ctrl-C, to end it.',
  );
  return desktop.exited;
}

try {
  await build(console.log);
  const vsix = await packExtension(console.log);
  const exited = await (hasDesktop() && !options.server ? openCode(vsix) : openServer(vsix));
  await end(exited.code ?? 1);
} catch (error) {
  if (!ending) console.error(error.message);
  await end(1);
}
