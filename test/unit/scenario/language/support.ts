import assert from 'node:assert/strict';
import { readScenario } from '../../../../src/scenario/language/read';

/** A scenario that is right, with places to say more. */
export function scenarioText(
  more: {
    readonly machine?: string;
    readonly devices?: string;
    readonly domains?: string;
    readonly steps?: string;
    readonly rest?: string;
  } = {},
): string {
  const { machine = '', devices = '', domains = '', steps = '', rest = '' } = more;
  return `version: 2
title: A test
machine: { vendor: vt-d, memory: 1G${machine} }
devices: { nic: { requester: 00:02.0 }${devices} }
domains: { one: { devices: [nic] }${domains} }
steps: [${steps}]
${rest}`;
}

/** A text whose ranges between « and » are where something is. */
export function marked(text: string): {
  readonly text: string;
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
} {
  const ranges: { start: number; end: number }[] = [];
  let plain = '';
  let start = 0;
  for (const char of text) {
    if (char === '«') start = plain.length;
    else if (char === '»') ranges.push({ start, end: plain.length });
    else plain += char;
  }
  return { text: plain, ranges };
}

/** Expects one problem for each mark, at it, with these messages and hints in order. */
export function expectProblems(
  text: string,
  ...expected: readonly { readonly says: RegExp; readonly hint?: RegExp }[]
): void {
  const { text: plain, ranges } = marked(text);
  const { problems } = readScenario(plain);
  const found = problems.map(({ start, end, message }) => ({ start, end, message }));
  const wanted = expected.map((_, index) => ({ ...ranges[index], message: found[index]?.message }));
  assert.deepEqual(found, wanted);
  expected.forEach(({ says, hint }, index) => {
    assert.match(problems[index]?.message ?? '', says);
    if (hint) assert.match(problems[index]?.hint ?? '', hint);
  });
}
