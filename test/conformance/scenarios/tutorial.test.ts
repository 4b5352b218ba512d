/**
 * The tutorial and the README's scenario, done as they say. Their blocks are files (`yaml file=NAME`), changes of them (`diff file=NAME`: lines that go, come, and
 * stand around them), and what a terminal shows (`console`: a command behind `$`, then its output; times are not looked at).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TEMPLATES } from '../../../src/scenario/templates';
import { ensureBuilt, runCli } from '../../built';

interface Block {
  readonly kind: string;
  readonly file: string | undefined;
  readonly text: string;
  readonly line: number;
}

const read = (file: string) => readFileSync(path.join(__dirname, '../../..', file), 'utf8');
const TUTORIAL = read('docs/scenarios/tutorial.md');
const README = read('README.md');

function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```(\w+)(?: file=(\S+))?\n([^]*?)^```$/gm)].map((match) => {
    const [, kind = '', file, text = ''] = match;
    return { kind, file, text, line: markdown.slice(0, match.index).split('\n').length };
  });
}

/** A text with the lines of a diff changed: what goes and what stands around it is there once. */
function patched(text: string, diff: string): string {
  const lines = diff.trimEnd().split('\n');
  const side = (sign: string): string =>
    lines
      .filter((line) => line.startsWith(' ') || line.startsWith(sign))
      .map((line) => `${line.slice(1)}\n`)
      .join('');
  const [before, ...others] = text.split(side('-'));
  assert.equal(others.length, 1, `once in the text:\n${side('-')}`);
  return `${before ?? ''}${side('+')}${others[0] ?? ''}`;
}

/** Without times, which are of the machine that it ran on. */
const timeless = (text: string): string => text.replace(/\b\d[\d.]* (?:s|ms|µs)\b/g, 'TIME').trimEnd();

/** Does what the blocks of a page say, in their order, in a folder of its own. */
function does(blocks: readonly Block[]): void {
  const files = new Map<string, string>();
  let folder: string;
  before(async () => {
    ensureBuilt();
    folder = await mkdtemp(path.join(tmpdir(), 'iopte-tutorial-'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const { kind, file, text, line } of blocks) {
    if (kind === 'console') {
      const [command = '', ...output] = text.trimEnd().split('\n');
      it(`line ${line}: ${command}`, async () => {
        const [prompt, program, ...args] = command.split(' ');
        assert.deepEqual([prompt, program], ['$', 'iopte']);
        const { stdout, stderr, exitCode } = await runCli(args, { cwd: folder });
        // A terminal shows both; what could not run is told before the sum.
        assert.equal(timeless(stderr + stdout), timeless(output.join('\n')));
        const failed = output.some((each) => each.includes('error:'));
        assert.equal(exitCode === 0, !failed);
      });
      continue;
    }
    it(`line ${line}: ${kind === 'diff' ? 'changes' : 'writes'} ${file ?? ''}`, async () => {
      assert.ok(file !== undefined && ['yaml', 'diff'].includes(kind), kind);
      const before = files.get(file);
      assert.equal(before === undefined, kind === 'yaml');
      const after = before === undefined ? text : patched(before, text);
      files.set(file, after);
      await writeFile(path.join(folder, file), after);
    });
  }
}

describe('The tutorial of scenarios', function () {
  this.timeout(120_000);
  const blocks = blocksOf(TUTORIAL);

  it('has only blocks that are tried', () => {
    assert.equal(TUTORIAL.split('```').length - 1, 2 * blocks.length);
    assert.ok(blocks.length > 10);
  });

  it('begins with what New Scenario offers first', () => {
    assert.equal(blocks[0]?.text, TEMPLATES[0]?.text);
    assert.ok(TUTORIAL.includes(`**${TEMPLATES[0]?.title ?? ''}**`));
  });

  does(blocks);
});

describe('The scenario of the README', function () {
  this.timeout(120_000);
  const blocks = blocksOf(README).filter(({ kind, file }) => kind === 'console' || file !== undefined);

  it('is a file and what a terminal shows of it', () => {
    assert.deepEqual(
      blocks.map(({ kind }) => kind),
      ['yaml', 'console'],
    );
  });

  does(blocks);
});
