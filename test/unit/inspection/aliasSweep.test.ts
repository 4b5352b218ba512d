import assert from 'node:assert/strict';
import { AliasSweep } from '../../../src/inspection/answers/aliasSweep';
import { MappingColumns } from '../../../src/inspection/answers/mappingColumns';

/** Space, its page, the frame, pages. */
type Mapping = readonly [space: number, page: number, frame: number, pages: number];

/** `below`: of each space the stage 2 under it, -1 for none. */
function sweepOver(mappings: readonly Mapping[], below: readonly number[]) {
  const columns = new MappingColumns();
  for (const [space, page, frame, pages] of mappings) columns.add(space, page, frame, pages, 3);
  const order = Uint32Array.from([...columns.frame.subarray(0, columns.length).keys()]).sort(
    (one, other) => (columns.frame[one] ?? 0) - (columns.frame[other] ?? 0),
  );
  const sweep = new AliasSweep(columns, below, 1000);
  for (const step of sweep.run(order)) assert.equal(typeof step, 'number');
  return sweep.stretches.map(({ startFrame, endFrame, count, spaces, identity, mappings }) => [
    [startFrame, endFrame],
    count,
    spaces,
    identity,
    mappings.map(({ space, page }) => [space, page]),
  ]);
}

describe('the sweep for aliases', () => {
  it('leaves a stage 2 out where a stage 1 above it maps the same memory', () => {
    assert.deepEqual(
      sweepOver(
        [
          [0, 5, 0x100, 1],
          [1, 9, 0x100, 1],
        ],
        [1, -1],
      ),
      [],
    );
  });

  it('takes a page that a stage 1 maps twice over its stage 2 for two ways in one domain', () => {
    const rows = sweepOver(
      [
        [0, 5, 0x100, 1],
        [0, 7, 0x100, 1],
        [1, 9, 0x100, 1],
      ],
      [1, -1],
    );
    assert.deepEqual(rows, [
      [
        [0x100, 0x101],
        2,
        1,
        false,
        [
          [0, 5],
          [0, 7],
        ],
      ],
    ]);
  });

  it('takes two stage 1s over one stage 2 for two ways in two domains', () => {
    const rows = sweepOver(
      [
        [0, 5, 0x100, 1],
        [1, 6, 0x100, 1],
        [2, 9, 0xf0, 0x40],
      ],
      [2, 2, -1],
    );
    assert.deepEqual(rows, [
      [
        [0x100, 0x101],
        2,
        2,
        false,
        [
          [0, 5],
          [1, 6],
        ],
      ],
    ]);
  });

  it('does not lose identity to the stage 2 below, nor split where it changes', () => {
    const rows = sweepOver(
      [
        [0, 0x100, 0x100, 4],
        [1, 0x100, 0x100, 4],
        [2, 9, 0x100, 2],
        [2, 20, 0x102, 2],
      ],
      [2, -1, -1],
    );
    assert.deepEqual(rows, [
      [
        [0x100, 0x104],
        2,
        2,
        true,
        [
          [0, 0x100],
          [1, 0x100],
        ],
      ],
    ]);
  });

  it('counts a stage 2 again behind the stage 1 that is above it', () => {
    const rows = sweepOver(
      [
        [0, 0, 0x100, 1],
        [1, 9, 0x100, 2],
        [2, 3, 0x100, 2],
      ],
      [1, -1, -1],
    );
    assert.deepEqual(rows, [
      [
        [0x100, 0x101],
        2,
        2,
        false,
        [
          [0, 0],
          [2, 3],
        ],
      ],
      [
        [0x101, 0x102],
        2,
        2,
        false,
        [
          [1, 10],
          [2, 4],
        ],
      ],
    ]);
  });
});
