/** JUnit XML, as CI servers read it: testsuites, a testsuite for each file, a testcase for each variant. */
import { type ScenarioOutcome } from '../../inspection/protocol';
import { failureLine, failureText } from './report';

export interface JUnitCase {
  readonly file: string;
  readonly variant: string | null;
  readonly came:
    | { readonly kind: 'outcome'; readonly outcome: ScenarioOutcome; readonly text: string }
    /** It could not run. */
    | { readonly kind: 'error'; readonly message: string }
    /** Its turn never came, or it was stopped. */
    | { readonly kind: 'skipped' };
}

export function junitXml(cases: readonly JUnitCase[]): string {
  const suites = [...groupByFile(cases)].map(([file, ofFile]) =>
    element('testsuite', { name: file, ...countsOf(ofFile) }, ofFile.map(testCase)),
  );
  const all = element('testsuites', { name: 'iopte', ...countsOf(cases) }, suites);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${all}\n`;
}

function groupByFile(cases: readonly JUnitCase[]): ReadonlyMap<string, readonly JUnitCase[]> {
  const groups = new Map<string, JUnitCase[]>();
  for (const one of cases) {
    const group = groups.get(one.file);
    if (group) group.push(one);
    else groups.set(one.file, [one]);
  }
  return groups;
}

const isFailed = ({ came }: JUnitCase): boolean =>
  came.kind === 'outcome' && !came.outcome.passed && came.outcome.cancelled === undefined;
const isSkipped = ({ came }: JUnitCase): boolean =>
  came.kind === 'skipped' || (came.kind === 'outcome' && came.outcome.cancelled === true);
const secondsOf = ({ came }: JUnitCase): number => (came.kind === 'outcome' ? came.outcome.seconds : 0);

const countsOf = (cases: readonly JUnitCase[]): Readonly<Record<string, string>> => ({
  tests: String(cases.length),
  failures: String(cases.filter(isFailed).length),
  errors: String(cases.filter(({ came }) => came.kind === 'error').length),
  skipped: String(cases.filter(isSkipped).length),
  time: cases.reduce((sum, one) => sum + secondsOf(one), 0).toFixed(3),
});

function testCase(one: JUnitCase): string {
  const { file, variant, came } = one;
  const title = came.kind === 'outcome' ? came.outcome.title : file;
  const attributes = { name: variant ?? title, classname: file, file, time: secondsOf(one).toFixed(3) };
  return element('testcase', attributes, children(one));
}

function children(one: JUnitCase): readonly string[] {
  const { came } = one;
  if (came.kind === 'error')
    return [element('error', { message: firstLine(came.message) }, [], came.message)];
  if (isSkipped(one)) return [element('skipped', { message: 'cancelled' })];
  if (came.kind === 'skipped') return [];
  const { outcome, text } = came;
  const failures = outcome.failures.map((failure) =>
    element(
      'failure',
      { message: failureText(failure), type: 'expectation' },
      [],
      failureLine(one.file, text, failure),
    ),
  );
  const out = outcome.migration ? [element('system-out', {}, [], outcome.migration.why)] : [];
  return [...failures, ...out];
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

function element(
  name: string,
  attributes: Readonly<Record<string, string>>,
  within: readonly string[] = [],
  text = '',
): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  const head = `<${name}${written.join('')}`;
  if (text !== '') return `${head}>${escaped(text)}</${name}>`;
  if (within.length === 0) return `${head}/>`;
  const lines = within.flatMap((one) => one.split('\n').map((line) => `  ${line}`));
  return [`${head}>`, ...lines, `</${name}>`].join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\t': '&#9;',
};

/** Characters that XML 1.0 (section 2.2) cannot say, not even as references, are left out; the rest is safe anywhere. */
const escaped = (text: string): string =>
  text
    .replaceAll(/[^\t\n\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '')
    .replaceAll(/[&<>"\n\t]/g, (character) => ENTITIES[character] ?? '');
