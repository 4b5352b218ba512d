// The extension inside a real VS Code: `node scripts/hostTests.mjs node|web`.
//   VSCODE_EXECUTABLE   a VS Code to use, or `download` for the latest desktop one; unset: code-server, without internet
import path from 'node:path';
import { runTests } from '@vscode/test-electron';
import { root } from './lib/paths.mjs';
import { sampleWorkspace } from './lib/workspace.mjs';

const kind = process.argv[2];
if (kind !== 'node' && kind !== 'web') {
  console.error('usage: node scripts/hostTests.mjs node|web');
  process.exit(2);
}
const workspace = sampleWorkspace();
const given = process.env.VSCODE_EXECUTABLE;
const executable =
  given === 'download' ? undefined : path.resolve(given ?? path.join(root, 'scripts/offlineCode.mjs'));
try {
  await runTests({
    ...(executable ? { vscodeExecutablePath: executable } : {}),
    extensionDevelopmentPath: root,
    extensionTestsPath: path.join(root, 'out/host-tests', `${kind}.js`),
    launchArgs: [
      workspace.folder,
      '--disable-extensions',
      ...(kind === 'web' ? ['--extensionDevelopmentKind=web'] : []),
    ],
  });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  workspace.remove();
}
