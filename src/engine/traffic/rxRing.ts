import { type Result, success } from '../result';
import { checkFields, checkRoom, memoryOf, oneOf, pageUp, powerOfTwo, whole } from './fields';
import { inOrder, type TrafficGenerator } from './generator';
import { namePlaces, placeOf, turnFrom, type Ring } from './ring';
import { type RxRing } from './spec';

/** A receive descriptor, as it is read and as it is written back (Intel 82599 datasheet, 7.1.5 and 7.1.6). */
const DESCRIPTOR = 16;
/** Accesses of a packet. */
const GROUP = 3;
const PACKET = 1;
const WRITE_BACK = 2;

/**
 * Receive ring. For each packet its descriptor is read, the packet written to the buffer that the descriptor names, and the
 * descriptor written back. The ring lies at the start of memory, the buffers from the next page on. `recycled` is what a page
 * pool does while packets are freed as fast as they come (Linux, Documentation/networking/page_pool.rst): each descriptor
 * gets its buffer back. `fresh` is a driver that takes new memory for each packet: buffers follow each other through all
 * of memory. Controllers fetch several descriptors at once; here each is an access of its own.
 */
export function rxRing(spec: RxRing): Result<TrafficGenerator> {
  const { kind, entries, packet, buffer, buffers } = spec;
  const checked = checkFields(kind, {
    entries: powerOfTwo(entries, 1, 2 ** 16),
    buffer: whole(buffer, 64, 2 ** 24),
    packet: whole(packet, 1, buffer),
    buffers: oneOf(buffers, 'recycled', 'fresh'),
  });
  if (!checked.ok) return checked;
  const memory = memoryOf(kind, spec.memory);
  if (!memory.ok) return memory;
  const { start, end } = memory.value;
  const ofRing = pageUp(entries * DESCRIPTOR);
  const room = checkRoom(
    kind,
    memory.value,
    ofRing + entries * buffer,
    'the ring and a buffer for each entry',
  );
  if (!room.ok) return room;
  const descriptors: Ring = { start, stride: DESCRIPTOR, size: DESCRIPTOR, count: entries };
  const first = start + ofRing;
  const count = buffers === 'fresh' ? Math.floor((end - first) / buffer) : entries;
  const packets: Ring = { start: first, stride: buffer, size: packet, count };
  return success(
    inOrder({
      bytesPerAccess: (2 * DESCRIPTOR + packet) / GROUP,
      writeShare: 2 / GROUP,
      access(index) {
        const turn = Math.floor(index / GROUP);
        const step = index % GROUP;
        if (step === PACKET) return { iova: placeOf(packets, turn), length: packet, access: 'write' };
        const access = step === WRITE_BACK ? 'write' : 'read';
        return { iova: placeOf(descriptors, turn), length: DESCRIPTOR, access };
      },
      written(from, to, wrote) {
        namePlaces(packets, turnFrom(from, GROUP, PACKET), turnFrom(to, GROUP, PACKET), wrote);
        namePlaces(descriptors, turnFrom(from, GROUP, WRITE_BACK), turnFrom(to, GROUP, WRITE_BACK), wrote);
      },
    }),
  );
}
