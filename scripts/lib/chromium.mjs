// The browser that VS Code's workbench is shown in: CHROMIUM_PATH, else Debian's, else one that an npm package carries.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { must, npmCommand } from './processes.mjs';
import { hostDir } from './paths.mjs';

const PACKAGE = '@sparticuz/chromium';
const PACKAGE_VERSION = '153.0.0';
const packed = path.join(hostDir, 'chromium');
const debian = '/usr/bin/chromium';

/** Where the npm package's browser looks for its libraries and fonts; harmless where it finds the system's. */
const packedEnv = () => ({
  LD_LIBRARY_PATH: path.join(packed, 'lib'),
  FONTCONFIG_FILE: path.join(packed, 'fonts.conf'),
});

/** Its fonts and the system's. */
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${path.join(packed, 'fonts')}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${path.join(packed, 'font-cache')}</cachedir>
</fontconfig>
`;

/** The browser's program and extra environment, or undefined when there is none yet. */
export function findChromium() {
  const given = process.env.CHROMIUM_PATH;
  if (given) {
    if (!existsSync(given)) throw new Error(`CHROMIUM_PATH names ${given}, which is not there.`);
    return { executable: given, env: {} };
  }
  if (existsSync(debian)) return { executable: debian, env: {} };
  if (existsSync(path.join(packed, 'version'))) {
    return { executable: path.join(packed, 'chromium'), env: packedEnv() };
  }
  return undefined;
}

/** Debian packages to ask apt for; none where there is a browser already. */
export const chromiumPackages = () => (findChromium() ? [] : ['chromium', 'fonts-dejavu-core']);

function unpack(archive, folder) {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-x', '-C', folder], { input: brotliDecompressSync(readFileSync(archive)) });
}

/** Installs the browser that the npm package carries, where neither CHROMIUM_PATH nor apt gave one. */
export async function ensureChromium(log) {
  if (findChromium()) return;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('No Chromium was found. Set CHROMIUM_PATH to the program of Chromium or Chrome.');
  }
  log(`chromium: apt gave none, taking ${PACKAGE} ${PACKAGE_VERSION} from npm`);
  rmSync(packed, { recursive: true, force: true });
  mkdirSync(packed, { recursive: true });
  writeFileSync(path.join(packed, 'package.json'), '{"private":true}');
  const { command, args, env } = npmCommand([
    ...['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'],
    `${PACKAGE}@${PACKAGE_VERSION}`,
  ]);
  await must(`npm install ${PACKAGE}`, command, args, { cwd: packed, env, seconds: 300 });
  const bin = path.join(packed, 'node_modules', PACKAGE, 'bin');
  writeFileSync(
    path.join(packed, 'chromium'),
    brotliDecompressSync(readFileSync(path.join(bin, 'chromium.br'))),
  );
  chmodSync(path.join(packed, 'chromium'), 0o755);
  unpack(path.join(bin, 'al2023.tar.br'), packed); // holds lib/
  unpack(path.join(bin, 'fonts.tar.br'), packed); // holds fonts/, and a fonts.conf for another place
  writeFileSync(path.join(packed, 'fonts.conf'), FONTS);
  unpack(path.join(bin, 'swiftshader.tar.br'), packed);
  rmSync(path.join(packed, 'node_modules'), { recursive: true, force: true });
  writeFileSync(path.join(packed, 'version'), PACKAGE_VERSION);
}
