/** The suite in the browser's web worker extension host: the function that VS Code calls. */
import 'mocha/mocha.js';
import LineReporter from '../../scripts/lib/lineReporter.cjs';
import { finish, print } from './runSuite';

export function run(): Promise<void> {
  mocha.setup({ ui: 'bdd', timeout: 20_000 });
  mocha.reporter(LineReporter, { print });
  const tests = import.meta.webpackContext('.', {
    recursive: false,
    regExp: /^\.\/[^.]+(\.web)?\.test\.ts$/,
  });
  for (const file of tests.keys()) tests(file);
  return finish((done) => mocha.run(done));
}
