import { type Result, success } from '../result';
import { checkFields, checkRoom, memoryOf, powerOfTwo } from './fields';
import { inOrder, type TrafficGenerator } from './generator';
import { namePlaces, placeOf, turnFrom, type Ring } from './ring';
import { type DescriptorRing } from './spec';

/** A read, and the write that gives the entry back. */
const GROUP = 2;
const WRITE_BACK = 1;

/**
 * A ring that device and driver share: each entry is read, then written back in its place, as virtqueues of the packed kind
 * are used (virtio 1.2, 2.8). What the entries name is not moved.
 */
export function descriptorRing(spec: DescriptorRing): Result<TrafficGenerator> {
  const { kind, entries, entry } = spec;
  const checked = checkFields(kind, {
    entries: powerOfTwo(entries, 1, 2 ** 20),
    entry: powerOfTwo(entry, 8, 4096),
  });
  if (!checked.ok) return checked;
  const memory = memoryOf(kind, spec.memory);
  if (!memory.ok) return memory;
  const room = checkRoom(kind, memory.value, entries * entry, 'the entries of the ring');
  if (!room.ok) return room;
  const ring: Ring = { start: memory.value.start, stride: entry, size: entry, count: entries };
  return success(
    inOrder({
      bytesPerAccess: entry,
      writeShare: 1 / GROUP,
      access: (index) => ({
        iova: placeOf(ring, Math.floor(index / GROUP)),
        length: entry,
        access: index % GROUP === WRITE_BACK ? 'write' : 'read',
      }),
      written(from, to, wrote) {
        namePlaces(ring, turnFrom(from, GROUP, WRITE_BACK), turnFrom(to, GROUP, WRITE_BACK), wrote);
      },
    }),
  );
}
