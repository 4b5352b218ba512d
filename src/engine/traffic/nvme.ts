import { type Result, success } from '../result';
import {
  checkFields,
  checkPlaces,
  checkRoom,
  memoryOf,
  oneOf,
  pageUp,
  powerOfTwo,
  share,
  whole,
} from './fields';
import { inOrder, type TrafficGenerator, type WroteListener } from './generator';
import { nameBytes, namePlaces, placeOf, turnFrom, type Ring } from './ring';
import { makeRuns, nameWritten, scatterRuns } from './runs';
import { type NvmeQueue } from './spec';

/** NVM Express base specification 2.0: submission queue entries (3.3.3.1), completion queue entries (3.3.3.2), PRP entries (4.1.1). */
const COMMAND = 64;
const COMPLETION = 16;
const POINTER = 8;
/** One list is a page: 2 MiB of data, and the page that the command itself names. */
const MOST_BLOCK = 2 ** 21;

/**
 * A queue pair. For each command its entry is read (64 bytes), the list of its pages where two pointers in the command do not
 * reach, then data is moved, and the completion written (16 bytes). Memory has, each from a page on: the submission queue,
 * the completion queue, a page with a list for each command in the queue (for blocks of more than 8 KiB), and from there
 * to its end buffers of one block each. Which commands read the disk, and so write memory, is drawn by seed, and so
 * are buffers with order `random`.
 */
export function nvme(spec: NvmeQueue, seed: number): Result<TrafficGenerator> {
  const { kind, depth, block, reads, order } = spec;
  const checked = checkFields(kind, {
    depth: whole(depth, 2, 2 ** 16),
    block: powerOfTwo(block, 512, MOST_BLOCK),
    reads: share(reads),
    order: oneOf(order, 'sequential', 'random'),
  });
  if (!checked.ok) return checked;
  const memory = memoryOf(kind, spec.memory);
  if (!memory.ok) return memory;
  const { start, end } = memory.value;
  const listed = block > 8192 ? block / 4096 - 1 : 0;
  const queues = pageUp(depth * COMMAND) + pageUp(depth * COMPLETION);
  const before = queues + (listed > 0 ? depth * 4096 : 0);
  const room = checkRoom(kind, memory.value, before + block, 'the queues and a block');
  if (!room.ok) return room;
  const first = start + before;
  const count = Math.floor((end - first) / block);
  const isFew = checkPlaces(kind, count);
  if (!isFew.ok) return isFew;
  const commands: Ring = { start, stride: COMMAND, size: COMMAND, count: depth };
  const completions: Ring = {
    start: start + pageUp(depth * COMMAND),
    ...{ stride: COMPLETION, size: COMPLETION, count: depth },
  };
  const lists: Ring = { start: start + queues, stride: 4096, size: listed * POINTER, count: depth };
  const data: Ring = { start: first, stride: block, size: block, count };
  const runs = makeRuns(order, count, reads, seed);
  const group = listed > 0 ? 4 : 3;
  const [ofData, ofCompletion] = [group - 2, group - 1];
  const nameCompletions = (from: number, to: number, wrote: WroteListener): void => {
    namePlaces(completions, turnFrom(from, group, ofCompletion), turnFrom(to, group, ofCompletion), wrote);
  };
  /** Blocks that are pages, or parts of one, or several. */
  const [unitPages, blocksOfUnit] = [Math.max(1, block / 4096), Math.max(1, 4096 / block)];
  return success(
    inOrder({
      bytesPerAccess: (COMMAND + listed * POINTER + block + COMPLETION) / group,
      writeShare: (reads + 1) / group,
      access(index) {
        const turn = Math.floor(index / group);
        const step = index % group;
        if (step === 0) return { iova: placeOf(commands, turn), length: COMMAND, access: 'read' };
        if (step === ofCompletion)
          return { iova: placeOf(completions, turn), length: COMPLETION, access: 'write' };
        if (step !== ofData) return { iova: placeOf(lists, turn), length: listed * POINTER, access: 'read' };
        const iova = placeOf(data, runs.placeOf(turn));
        return { iova, length: block, access: runs.isWrite(turn) ? 'write' : 'read' };
      },
      written(from, to, wrote) {
        nameCompletions(from, to, wrote);
        const [turn, until] = [turnFrom(from, group, ofData), turnFrom(to, group, ofData)];
        if (order === 'sequential' && reads === 1) namePlaces(data, turn, until, wrote);
        else if (reads > 0)
          nameWritten(runs, turn, until, (place) => {
            nameBytes(placeOf(data, place), block, wrote);
          });
      },
      scattered(from, to, wrote) {
        if ((order === 'sequential' && reads === 1) || first % 4096 !== 0) return undefined;
        const [turn, until] = [turnFrom(from, group, ofData), turnFrom(to, group, ofData)];
        const places = scatterRuns(order, count, reads, turn, until);
        if (places) nameCompletions(from, to, wrote);
        return places?.map((each) => ({
          startPage: first / 4096 + Math.floor(each.first / blocksOfUnit) * unitPages,
          unitPages,
          units: Math.floor(each.end / blocksOfUnit) - Math.floor(each.first / blocksOfUnit),
          chance: 1 - (1 - each.chance) ** blocksOfUnit,
        }));
      },
    }),
  );
}
