/** The suite in the Node extension host: the function that VS Code calls. */
import Mocha from 'mocha';
import LineReporter from '../../scripts/lib/lineReporter.cjs';
import { finish, print } from './runSuite';

export function run(): Promise<void> {
  const mocha = new Mocha({
    ui: 'bdd',
    timeout: 20_000,
    reporter: LineReporter,
    reporterOptions: { print },
  });
  mocha.suite.emit('pre-require', globalThis, '', mocha); // gives the tests `describe` and `it`
  const tests = import.meta.webpackContext('.', {
    recursive: false,
    regExp: /^\.\/[^.]+(\.node)?\.test\.ts$/,
  });
  for (const file of tests.keys()) tests(file);
  return finish((done) => mocha.run(done));
}
