// `npm run package`: the extension as iopte-inspector-VERSION.vsix. `-- --no-build` packs dist/ as it is.
import { build, packExtension } from './lib/packaging.mjs';

const unknown = process.argv.slice(2).filter((argument) => argument !== '--no-build');
if (unknown.length > 0) {
  console.error(`unknown option ${unknown[0]}\nusage: npm run package [-- --no-build]`);
  process.exit(2);
}
try {
  if (!process.argv.includes('--no-build')) await build(console.log);
  await packExtension(console.log);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
