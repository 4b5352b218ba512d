import assert from 'node:assert/strict';
import { type Failure } from '../../../src/inspection/protocol';
import { CliError } from '../../../src/cli/errors';
import { readPages } from '../../../src/cli/pages';

const whole = { unreadableTables: 0, cycles: 0, unreadIommus: [], problems: [] };
const paused: Failure = { code: 'find/too-much', message: 'Paused within dmar0.', hint: 'Go on from there.' };

interface Part {
  readonly rows: readonly number[];
  readonly next?: string;
  readonly gaveUp?: Failure;
}

/** Gives these pages, the last one for ever. */
async function read(parts: readonly Part[], limit = Infinity) {
  const asked: (string | undefined)[] = [];
  const rows: number[] = [];
  const answered = await readPages(
    limit,
    ({ cursor }) => {
      const part = parts[Math.min(asked.length, parts.length - 1)];
      asked.push(cursor);
      return Promise.resolve({ rows: [], ...part, ...whole });
    },
    (page) => Promise.resolve(void rows.push(...page.rows)),
  );
  return { ...answered, asked, shown: rows };
}

describe('pages of a long answer', () => {
  it('go on where the answer paused, without a word of it', async () => {
    const { asked, shown, warnings, stopped } = await read([
      { rows: [1], next: 'a', gaveUp: paused },
      { rows: [], next: 'b', gaveUp: paused },
      { rows: [2] },
    ]);
    assert.deepEqual([asked, shown, warnings, stopped], [[undefined, 'a', 'b'], [1, 2], [], false]);
  });

  it('end with the reason when it comes no further, or pauses without end', async () => {
    await assert.rejects(read([{ rows: [], next: 'a', gaveUp: paused }]), CliError);
    let at = 0;
    const endless = {
      rows: [],
      gaveUp: paused,
      get next() {
        return `at ${at++}`;
      },
    };
    await assert.rejects(read([endless]), /Paused within dmar0/);
  });

  it('stop at a limit, and warn of what was left out at the end', async () => {
    const { stopped, rows } = await read([{ rows: [1, 2], next: 'a' }], 2);
    assert.deepEqual([stopped, rows], [true, 2]);
    const { warnings } = await read([{ rows: [], gaveUp: paused }]);
    assert.deepEqual(warnings, [paused.message]);
  });
});
