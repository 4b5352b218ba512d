import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { displayWidth, formatTable, printable, wrapText } from '../../../src/cli/table';

const COLUMNS = [{ title: 'NAME' }, { title: 'SIZE', align: 'right' }] as const;

describe('tables of the command line', () => {
  it('aligns columns under their titles, without trailing blanks', () => {
    assert.deepEqual(
      formatTable(COLUMNS, [
        ['dmar0', '4K'],
        ['a', '2048M'],
      ]),
      ['NAME    SIZE', 'dmar0     4K', 'a      2048M'],
    );
  });

  it('keeps given widths and leaves the title out in later parts', () => {
    const columns = [{ title: 'A', width: 4 }, { title: 'B' }] as const;
    assert.deepEqual(formatTable(columns, [['1', 'x']], { heading: false, indent: 2 }), ['  1     x']);
  });

  it('wraps the last column at the width of the terminal', () => {
    const columns = [{ title: 'N' }, { title: 'SAYS', wrap: true }] as const;
    const lines = formatTable(columns, [['1', 'one two three four five six seven']], { columns: 22 });
    assert.deepEqual(lines, ['N  SAYS', '1  one two three four', '   five six seven']);
  });

  it('counts wide characters twice and combining marks not at all', () => {
    assert.equal(displayWidth('表'), 2);
    assert.equal(displayWidth('e\u{301}'), 1);
    assert.deepEqual(formatTable(COLUMNS, [['表', '1']]), ['NAME  SIZE', '表       1']);
  });

  it('lets no control character through to the terminal', () => {
    assert.equal(printable('a\u{1b}[31mb\u{9b}c\nd\u{202e}'), 'a\u{fffd}[31mb\u{fffd}c\u{fffd}d\u{fffd}');
    const [, line] = formatTable(COLUMNS, [['\u{1b}]0;x\u{7}', '1']]);
    assert.doesNotMatch(line ?? '', /\p{Cc}/u);
  });

  it('makes every line as wide as its columns, whatever the cells are', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string({ minLength: 1 })), { maxLength: 8 }), (rows) => {
        const lines = formatTable(COLUMNS, rows);
        assert.equal(lines.length, rows.length + 1);
        const last = rows.map(([, size]) => printable(size)).filter((text) => text.trimEnd() === text);
        if (last.length === rows.length) assert.equal(new Set(lines.map(displayWidth)).size, 1);
      }),
    );
  });

  it('loses no word when it wraps', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
        fc.integer({ min: 1, max: 40 }),
        (words, width) => {
          const lines = wrapText(words.join(' '), width);
          assert.equal(lines.join(' '), words.join(' '));
          for (const line of lines) assert.ok(line.length <= width || !line.includes(' '));
        },
      ),
    );
  });
});
