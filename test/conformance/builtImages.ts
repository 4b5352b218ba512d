/** Images from the independent builders, put through the gate, the directory, the walk and the batch. */
import assert from 'node:assert/strict';
import { type DeviceDirectory } from '../../src/engine/directory/deviceDirectory';
import { addressGateOf, gateOf, spaceOf } from '../../src/engine/directory/gate';
import { openDirectory } from '../../src/engine/directory/index';
import { levelOf } from '../../src/engine/formats/compile';
import { type AddressSpace } from '../../src/engine/pageTable/addressSpace';
import { permissionText } from '../../src/engine/pageTable/entry';
import { READ, WRITE } from '../../src/engine/pageTable/entryClass';
import { translateBatch } from '../../src/engine/pageTable/translate';
import { faultOf, makeBatch } from '../../src/engine/pageTable/translationBatch';
import { walkTables } from '../../src/engine/pageTable/walk';
import { pasid as pasidOf, requesterId } from '../../src/engine/values';
import { type BuiltImage, type Expectation } from '../builders/built';
import { FrameMemory } from '../builders/tables';

/** What an image's directory answers, as the builders write it. */
export type BuiltAnswer = Expectation['answer'];

export function openBuilt({ kind, frames, registers }: BuiltImage): DeviceDirectory {
  const opened = openDirectory(kind, memoryOf(frames), new Map(Object.entries(registers)));
  assert.ok(opened.ok, `opens: ${opened.ok ? '' : opened.failure.message}`);
  return opened.value;
}

export function memoryOf(frames: ReadonlyMap<number, BigUint64Array>): FrameMemory {
  const memory = new FrameMemory();
  for (const [number, words] of frames) {
    memory.frame(number);
    words.forEach((word, index) => {
      memory.set(number, index, word);
    });
  }
  return memory;
}

/** Requires every answer of an image; a difference is shown with the rule that it breaks. */
export function requireAnswers(image: BuiltImage): void {
  const directory = openBuilt(image);
  const wrong = image.expectations.flatMap((expectation) => {
    const { requester, pasid, iova, access, why, answer: expected } = expectation;
    const found = answerOf(directory, expectation);
    // A builder leaves the stage and the level out where the specification does.
    const compared = expected.ok ? expected : { ...found, ...expected };
    if (isSame(found, compared)) return [];
    return [{ requester, pasid, iova: `0x${iova.toString(16)}`, access, why, found, expected }];
  });
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} of ${image.expectations.length} differ`);
}

/** Requires that each listed device is what a lookup gives, and that each of its entries can be told. */
export function requireDevices(image: BuiltImage): void {
  const directory = openBuilt(image);
  for (const device of directory.devices()) {
    if (!device) continue;
    assert.deepEqual(directory.lookup(device.requester, device.pasid), device.lookup);
    for (const { role, words, says } of device.lookup.entries) {
      assert.equal(directory.layouts(role).length, words.length);
      assert.ok(says !== '' && directory.titleOf(role).title !== '');
    }
  }
}

function isSame(found: BuiltAnswer, expected: BuiltAnswer): boolean {
  try {
    assert.deepEqual(found, expected);
    return true;
  } catch {
    return false;
  }
}

/** What the IOMMU makes of one request. */
export function answerOf(
  directory: DeviceDirectory,
  { requester, pasid, iova, access }: Pick<Expectation, 'requester' | 'pasid' | 'iova' | 'access'>,
): BuiltAnswer {
  const id = pasid === null ? null : pasidOf(pasid);
  const gate = gateOf(directory, iova, id);
  const looked = gate?.answer ?? directory.lookup(requesterId(requester), id).answer;
  const passed = gate ? undefined : addressGateOf(directory, looked, iova);
  const answer = passed?.answer ?? looked;
  if (answer.kind === 'fault') {
    const { fault, level = null, stage } = answer;
    return { ok: false, fault, level, ...(stage ? { stage } : {}) };
  }
  const needed = access === 'write' ? WRITE : READ;
  if ((answer.permission & needed) === 0) return { ok: false, fault: `${access}-denied`, level: null };
  if (answer.kind === 'table') return translated(spaceOf(answer, iova), iova, access, answer.permission);
  const perm = permissionText(answer.permission);
  assert.ok(perm !== '-');
  return { ok: true, paddr: iova, size: 4096n, perm, level: null };
}

/** By the walk; the batch must agree with it in everything. */
export function translated(
  space: AddressSpace,
  iova: bigint,
  access: 'read' | 'write',
  allowed: number,
): BuiltAnswer {
  const [lo, hi] = [Number(iova & 0xffffffffn), Number(iova >> 32n)];
  const { outcome } = walkTables(space, lo, hi, access === 'write');
  const batch = makeBatch(1);
  batch.addressLo[0] = lo;
  batch.addressHi[0] = hi;
  batch.write[0] = access === 'write' ? 1 : 0;
  translateBatch(space, batch);
  const depth = batch.depth[0] ?? 0;
  const status = batch.status[0] ?? 0;
  if (!outcome.ok) {
    const { fault, stage } = outcome;
    assert.deepEqual(
      { fault: status === 0 ? '' : faultOf(status), stage: batch.stage[0], depth },
      { fault, stage, depth: outcome.depth },
      `the batch agrees with the walk of 0x${iova.toString(16)}`,
    );
    return { ok: false, fault, stage, level: levelAt(space, stage, depth) };
  }
  const paddr = join(outcome.paddrLo, outcome.paddrHi);
  assert.deepEqual(
    [status, join(batch.paddrLo[0] ?? 0, batch.paddrHi[0] ?? 0), batch.pageShift[0], batch.permission[0]],
    [0, paddr, outcome.pageShift, outcome.permission],
    `the batch agrees with the walk of 0x${iova.toString(16)}`,
  );
  const perm = permissionText(outcome.permission & allowed);
  assert.ok(perm !== '-');
  const level = levelAt(space, space.stage, depth);
  return { ok: true, paddr, size: 1n << BigInt(outcome.pageShift), perm, level };
}

/** The specification's number of a depth in the stage that it belongs to; null before any table. */
function levelAt(space: AddressSpace, stage: number, depth: number): number | null {
  const found = stage === 2 ? (space.stage2 ?? space) : space;
  return depth === 0 ? null : levelOf(found.format, depth).rule.level;
}

const join = (lo: number, hi: number): bigint => (BigInt(hi) << 32n) | BigInt(lo);
