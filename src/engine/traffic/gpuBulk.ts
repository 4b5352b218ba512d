import { failure, type Result, success } from '../result';
import { checkFields, checkPlaces, checkRoom, memoryOf, oneOf, share, whole } from './fields';
import { inOrder, type TrafficGenerator, type WroteListener } from './generator';
import { namePlaces, placeOf, type Ring } from './ring';
import { makeRuns, nameWritten, scatterRuns } from './runs';
import { type GpuBulk } from './spec';

/** An access: the requests on the bus are smaller (PCIe, Max_Payload_Size), and all those of a page need one translation. */
const PIECE = 4096;

/**
 * Bulk copies of an accelerator's copy engine: runs of whole pages, page after page. A run begins at a multiple of its size
 * from the start of memory: after the last one (sequential), or at any, by seed. Whether a run writes is drawn by seed.
 */
export function gpuBulk(spec: GpuBulk, seed: number): Result<TrafficGenerator> {
  const { kind, run, writes, order } = spec;
  const checked = checkFields(kind, {
    run: whole(run, PIECE, 2 ** 40),
    writes: share(writes),
    order: oneOf(order, 'sequential', 'random'),
  });
  if (!checked.ok) return checked;
  if (run % PIECE !== 0)
    return failure(
      'traffic/field',
      `${kind}: "run" is ${run}, and no multiple of 4096.`,
      'Runs are whole pages.',
    );
  const memory = memoryOf(kind, spec.memory);
  if (!memory.ok) return memory;
  const { start, end } = memory.value;
  const room = checkRoom(kind, memory.value, run, 'one run');
  if (!room.ok) return room;
  const places = Math.floor((end - start) / run);
  const isFew = checkPlaces(kind, places);
  if (!isFew.ok) return isFew;
  const length = run / PIECE;
  const pages: Ring = { start, stride: PIECE, size: PIECE, count: places * length };
  const runs = makeRuns(order, places, writes, seed);
  /** Pieces [from, to) of a run. */
  const part = (number: number, from: number, to: number, wrote: WroteListener): void => {
    const first = runs.placeOf(number) * length;
    if (runs.isWrite(number)) namePlaces(pages, first + from, first + to, wrote);
  };
  return success(
    inOrder({
      bytesPerAccess: PIECE,
      writeShare: writes,
      access(index) {
        const number = Math.floor(index / length);
        const iova = placeOf(pages, runs.placeOf(number) * length + (index % length));
        return { iova, length: PIECE, access: runs.isWrite(number) ? 'write' : 'read' };
      },
      written(from, to, wrote) {
        if (writes === 0) return;
        if (order === 'sequential' && writes === 1) {
          namePlaces(pages, from, to, wrote);
          return;
        }
        const [first, last] = [Math.floor(from / length), Math.floor(to / length)];
        if (first === last) {
          part(first, from % length, to % length, wrote);
          return;
        }
        part(first, from % length, length, wrote);
        nameWritten(runs, first + 1, last, (place) => {
          namePlaces(pages, place * length, (place + 1) * length, wrote);
        });
        if (to % length > 0) part(last, 0, to % length, wrote);
      },
      scattered(from, to, wrote) {
        if ((order === 'sequential' && writes === 1) || start % PIECE !== 0) return undefined;
        const [first, last] = [Math.floor(from / length), Math.floor(to / length)];
        const found = scatterRuns(order, places, writes, first + 1, last);
        if (!found) return undefined;
        part(first, from % length, length, wrote);
        if (to % length > 0) part(last, 0, to % length, wrote);
        return found.map((each) => ({
          startPage: start / PIECE + each.first * length,
          unitPages: length,
          units: each.end - each.first,
          chance: each.chance,
        }));
      },
    }),
  );
}
