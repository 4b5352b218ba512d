import assert from 'node:assert/strict';
import { mask } from '../../../../src/engine/bits/bitFields';
import { openDirectory } from '../../../../src/engine/directory/index';
import { FAULTS } from '../../../../src/engine/faults';
import { pasid, requesterId } from '../../../../src/engine/values';
import { at, FrameMemory } from '../../../builders/tables';

/** A root in frame 5, write-back, four levels. */
const EPTP = at(5) | (3n << 3n) | 6n;

function open(eptp: bigint | undefined) {
  const memory = new FrameMemory();
  memory.frame(5);
  return openDirectory('ept', memory, new Map(eptp === undefined ? [] : [['EPTP', eptp]]));
}

function opened(eptp: bigint) {
  const result = open(eptp);
  assert.ok(result.ok);
  return result.value;
}

describe('EPT of a guest', () => {
  it('is where EPTP says, with its levels and marks', () => {
    for (const [eptp, levels, marks] of [
      [EPTP, 4, false],
      [EPTP + (1n << 3n), 5, false],
      [EPTP | (1n << 6n), 4, true],
    ] as const) {
      const { answer } = opened(eptp).lookup(requesterId(0x17), null);
      assert.ok(answer.kind === 'table');
      const { format, root, stage } = answer.space;
      assert.deepEqual([root, format.rootDepth, stage], [5, levels, 2]);
      assert.deepEqual([format.hardware.setsAccessed, format.hardware.setsDirty], [marks, marks]);
    }
  });

  it('is one space for whoever asks, without processes', () => {
    const directory = opened(EPTP);
    const [one, other] = [0, 0xff].map((id) => directory.lookup(requesterId(id), null).answer);
    assert.ok(one?.kind === 'table' && other?.kind === 'table');
    assert.equal(one.space, other.space);
    const { answer } = directory.lookup(requesterId(0), pasid(1));
    assert.equal(answer.kind === 'fault' ? answer.fault : '', 'pasid-not-supported');
    assert.deepEqual(
      [...directory.devices()].map((row) => row?.requester),
      [0],
    );
  });

  it('cannot be opened without an EPTP of 4 or 5 levels', () => {
    assert.equal(open(undefined).ok, false);
    for (let length = 0n; length < 8n; length++) {
      assert.equal(open(at(5) | 6n | (length << 3n)).ok, length === 3n || length === 4n, `length ${length}`);
    }
  });

  it('has a problem where no processor would take the EPTP, or the root is not in the image', () => {
    const codes = (eptp: bigint) =>
      opened(eptp)
        .problems()
        .map(({ code }) => code);
    assert.deepEqual(codes(EPTP), []);
    assert.deepEqual(codes(EPTP & ~6n), [], 'uncacheable');
    for (const bit of [8, 11, 52, 63]) {
      assert.deepEqual(codes(EPTP | (1n << BigInt(bit))), ['directory/register-value'], `bit ${bit}`);
    }
    assert.deepEqual(codes(EPTP | 1n), ['directory/register-value'], 'memory type 7');
    assert.deepEqual(codes(EPTP + at(1)), ['directory/root-unreadable']);
  });

  it('gives every bit of EPTP one field', () => {
    const [register] = opened(EPTP).registers;
    assert.ok(register);
    const covered = register.layout.reduce((seen, { name, high, low }) => {
      assert.equal(seen & mask(high, low), 0n, name);
      return seen | mask(high, low);
    }, 0n);
    assert.equal(covered, mask(63, 0));
  });

  it('ends in a violation or a misconfiguration, as the processor says', () => {
    const directory = opened(EPTP);
    const told = FAULTS.flatMap((fault) => {
      const code = directory.faultCode(fault, 'read', 2);
      return code === undefined ? [] : [`${fault}: ${/\d+/.exec(code)?.[0] ?? ''}`];
    });
    assert.deepEqual(told, ['not-present: 48', 'read-denied: 48', 'write-denied: 48', 'entry-reserved: 49']);
  });
});
