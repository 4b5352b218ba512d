import { FRAME_BYTES, requesterId } from '../../values';
import { done, refused, type Outcome } from '../errno';
import { Access, neighbours } from './access';
import { type IommufdContext } from './context';
import { EventQueue, guestEvent, VEVENTQ_TYPE_SMMUV3 } from './eventQueue';
import { type HardwareQueue } from './hardwareQueue';
import { type IommufdPlatform } from './platform';
import { ADDRESS_END, U64_MAX } from './ranges';
import { VIOMMU_TYPE_DEFAULT, type VirtualDevice, VirtualIommu } from './viommu';

/** IOMMU_VIOMMU_ALLOC: a slice of a device's IOMMU over a nest parent; its id. */
export function allocateViommu(
  { objects }: IommufdContext,
  command: {
    readonly deviceId: number;
    readonly hwptId: number;
    readonly type: number;
    readonly flags?: number;
  },
): Outcome<number> {
  const { deviceId, hwptId, type, flags = 0 } = command;
  if (flags !== 0 || type === VIOMMU_TYPE_DEFAULT)
    return refused('EOPNOTSUPP', 'no flags and a type of an IOMMU');
  const device = objects.get(deviceId, 'device');
  if (!device.ok) return device;
  const { iommu } = device.value.device;
  if (!iommu.virtual?.types.includes(type))
    return refused('EOPNOTSUPP', `the IOMMU of device ${deviceId} has no vIOMMU of type ${type}`);
  const parent = objects.get(hwptId, 'hwpt');
  if (!parent.ok) return parent;
  if (!parent.value.nestParent) return refused('EINVAL', `page table ${hwptId} is no nest parent`);
  parent.value.users++;
  const viommu = new VirtualIommu(objects.nextId(), type, iommu, parent.value);
  objects.add(viommu);
  return done(viommu.id);
}

/** IOMMU_VDEVICE_ALLOC: says which device a guest's requester id means; EEXIST: the id or the device is taken. */
export function allocateVdevice(
  { objects }: IommufdContext,
  command: { readonly viommuId: number; readonly deviceId: number; readonly virtualId: bigint },
): Outcome<number> {
  const { viommuId, deviceId, virtualId } = command;
  if (virtualId < 0n || virtualId > U64_MAX) return refused('EINVAL', 'a guest’s id has 64 bits');
  const viommu = objects.get(viommuId, 'viommu');
  if (!viommu.ok) return viommu;
  const device = objects.get(deviceId, 'device');
  if (!device.ok) return device;
  if (viommu.value.platform !== device.value.device.iommu)
    return refused('EINVAL', 'the device is behind another IOMMU than the vIOMMU');
  if (device.value.virtual) return refused('EEXIST', `device ${deviceId} is a guest’s already`);
  if (viommu.value.devices.has(virtualId))
    return refused('EEXIST', `the guest has a device ${virtualId} already`);
  const vdevice: VirtualDevice = {
    kind: 'vdevice',
    id: objects.nextId(),
    users: 0,
    viommu: viommu.value,
    device: device.value,
    virtualId,
  };
  viommu.value.users++;
  viommu.value.devices.set(virtualId, vdevice);
  device.value.virtual = vdevice;
  objects.add(vdevice);
  return done(vdevice.id);
}

/** IOMMU_VEVENTQ_ALLOC: one of each type. */
export function allocateEventQueue(
  { objects }: IommufdContext,
  command: {
    readonly viommuId: number;
    readonly type: number;
    readonly depth: number;
    readonly flags?: number;
  },
): Outcome<number> {
  const { viommuId, type, depth, flags = 0 } = command;
  if (flags !== 0 || type === 0) return refused('EOPNOTSUPP', 'no flags and a type of an IOMMU');
  if (depth === 0) return refused('EINVAL', 'a queue holds at least one event');
  const viommu = objects.get(viommuId, 'viommu');
  if (!viommu.ok) return viommu;
  if (viommu.value.events.has(type))
    return refused('EEXIST', `vIOMMU ${viommuId} has a queue of type ${type}`);
  if (!viommu.value.platform.virtual?.eventTypes.includes(type))
    return refused('EOPNOTSUPP', `no events of type ${type}`);
  const queue = new EventQueue(objects.nextId(), viommu.value, type, depth);
  viommu.value.users++;
  viommu.value.events.set(type, queue);
  objects.add(queue);
  return done(queue.id);
}

/** IOMMU_HW_QUEUE_ALLOC. */
export interface HardwareQueueAlloc {
  readonly viommuId: number;
  readonly type: number;
  /** Queues of a vIOMMU are made in order of their index, and destroyed the other way round. */
  readonly index: number;
  /** Guest physical. */
  readonly address: bigint;
  readonly length: bigint;
  readonly flags?: number;
}

/** Of SMMUv3 and AMD; the longest queue of either is an SMMU's with 2^19 commands (IHI 0070 IDR1.CMDQS). */
const COMMAND_BYTES = 16n;
const MOST_QUEUE_BYTES = COMMAND_BYTES << 19n;

/** Pins the queue's memory, so that it cannot be unmapped while hardware reads it. */
export function allocateHardwareQueue(
  { objects }: IommufdContext,
  { viommuId, type, index, address, length, flags = 0 }: HardwareQueueAlloc,
): Outcome<number> {
  if (flags !== 0 || type === 0) return refused('EOPNOTSUPP', 'no flags and a type of an IOMMU');
  if (length === 0n) return refused('EINVAL', 'the queue is empty');
  const range = { start: address, end: address + length };
  if (range.end > ADDRESS_END) return refused('EOVERFLOW', 'the queue ends beyond 64 bits');
  // A power of two has one bit.
  const isRing = length <= MOST_QUEUE_BYTES && (length & (length - 1n)) === 0n && length >= COMMAND_BYTES;
  if (!isRing || address % COMMAND_BYTES !== 0n)
    return refused(
      'EINVAL',
      `a queue begins at a command of ${COMMAND_BYTES} bytes, and holds a power of two of them, up to 2^19`,
    );
  const viommu = objects.get(viommuId, 'viommu');
  if (!viommu.ok) return viommu;
  const { platform, parent, queues } = viommu.value;
  if (!platform.virtual?.queueTypes.includes(type)) return refused('EOPNOTSUPP', `no queues of type ${type}`);
  const page = BigInt(parent.ioas.memory.pageBytes);
  const pinned = { start: address - (address % page), end: ((range.end + page - 1n) / page) * page };
  const access = new Access(parent.ioas, false);
  const frames = access.pin(pinned, false, true);
  if (!frames.ok) return frames;
  const [first = 0] = frames.value;
  const refusal = !neighbours(frames.value)
    ? refused('EFAULT', 'the queue’s frames are not neighbours')
    : index >= platform.virtual.queues
      ? refused('EINVAL', `the last queue is ${platform.virtual.queues - 1}`)
      : index < queues.length
        ? refused('EEXIST', `queue ${index} is there`)
        : index > queues.length
          ? refused('EIO', `queue ${queues.length} is the next that can be made`)
          : undefined;
  if (refusal) {
    access.close();
    return refusal;
  }
  const base = first * FRAME_BYTES + Number(address - pinned.start);
  const id = objects.nextId();
  const queue: HardwareQueue<VirtualIommu> = {
    kind: 'hwqueue',
    id,
    users: 0,
    type,
    viommu: viommu.value,
    index,
    range,
    access,
    base,
  };
  const before = queues.at(-1);
  if (before) before.users++;
  queues.push(queue);
  viommu.value.users++;
  objects.add(queue);
  return done(id);
}

/** Gives an SMMUv3 event, as the hardware recorded it, to the guest whose device it is about; false: no guest hears of it. */
export function forwardEvent(
  { objects }: IommufdContext,
  platform: IommufdPlatform,
  words: readonly bigint[],
): boolean {
  for (const viommu of objects.values()) {
    if (viommu.kind !== 'viommu' || viommu.platform !== platform) continue;
    const queue = viommu.events.get(VEVENTQ_TYPE_SMMUV3);
    const event = queue && guestEvent(words, (requester) => viommu.virtualIdOf(requesterId(requester)));
    if (!event) continue;
    queue.report(event);
    return true;
  }
  return false;
}
