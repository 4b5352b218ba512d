import { type Steps } from '../../steps';
import { hex, type Pasid } from '../../values';
import { done, refused, type Outcome } from '../errno';
import { type SoftwareStep } from '../softwareStep';
import { Access } from './access';
import { attachDevice, detachDevice, replaceDevice } from './attach';
import { type AccessObject, type AnyObject, type IommufdContext } from './context';
import { destroyObject } from './destroy';
import { type IommufdDevice } from './viommu';
import { type BitmapCarelessness } from './dirtyBitmap';
import { type GetDirtyBitmap, getDirtyBitmap, setDirtyTracking } from './dirtyTracking';
import { FaultQueue, type PageRequest, type PageResponse } from './faultQueue';
import { allocateHwpt, type HwptAlloc } from './hwptAlloc';
import { Ioas } from './ioas';
import { ObjectTable } from './objects';
import {
  type Handled,
  type IommufdPlatform,
  type PinnedMemory,
  type PlatformDevice,
  type UserArray,
} from './platform';
import { ADDRESS_END, type AddressRange, overlaps, U64_MAX } from './ranges';
import {
  allocateEventQueue,
  allocateHardwareQueue,
  allocateVdevice,
  allocateViommu,
  forwardEvent,
  type HardwareQueueAlloc,
} from './virtual';

export const IOAS_MAP_FIXED_IOVA = 1;
export const IOAS_MAP_WRITEABLE = 2;
export const IOAS_MAP_READABLE = 4;
const MAP_FLAGS = IOAS_MAP_FIXED_IOVA | IOAS_MAP_WRITEABLE | IOAS_MAP_READABLE;

/** IOMMU_HW_CAP_*. */
export const HW_CAP_DIRTY_TRACKING = 1;

export interface IommufdOptions {
  readonly memory: PinnedMemory;
  readonly bitmap?: BitmapCarelessness;
}

/**
 * One open of /dev/iommu: its objects and what user space does with them, named and refused as in
 * include/uapi/linux/iommufd.h. Each operation is a sequence of steps between which hardware and other operations may act.
 */
export class Iommufd {
  readonly #context: IommufdContext;

  constructor({ memory, bitmap }: IommufdOptions) {
    this.#context = { objects: new ObjectTable<AnyObject>(), memory, bitmap };
  }

  /** An object, to look at it. */
  object(id: number): AnyObject | undefined {
    return this.#context.objects.any(id);
  }

  destroy(id: number): Steps<SoftwareStep, Outcome<null>> {
    return destroyObject(this.#context, id);
  }

  /** A driver (VFIO) gives a device to user space; its id. */
  bind(device: PlatformDevice): number {
    const { objects } = this.#context;
    const bound: IommufdDevice = {
      kind: 'device',
      id: objects.nextId(),
      users: 0,
      device,
      attached: new Map(),
      stale: [],
      virtual: undefined,
    };
    objects.add(bound);
    return bound.id;
  }

  /** Takes the device back: detaches it and forgets the guest's name of it. */
  *unbind(deviceId: number): Steps<SoftwareStep, Outcome<null>> {
    const device = this.#context.objects.get(deviceId, 'device');
    if (!device.ok) return device;
    const { virtual, attached } = device.value;
    if (virtual) yield* destroyObject(this.#context, virtual.id);
    for (const pasid of [...attached.keys()]) {
      const outcome = yield* detachDevice(this.#context, deviceId, pasid as Pasid | null);
      if (!outcome.ok) return outcome;
    }
    this.#context.objects.remove(device.value);
    return done(null);
  }

  attach(
    deviceId: number,
    pageTableId: number,
    pasid: Pasid | null = null,
  ): Steps<SoftwareStep, Outcome<number>> {
    return attachDevice(this.#context, deviceId, pageTableId, pasid);
  }

  replace(
    deviceId: number,
    pageTableId: number,
    pasid: Pasid | null = null,
  ): Steps<SoftwareStep, Outcome<number>> {
    return replaceDevice(this.#context, deviceId, pageTableId, pasid);
  }

  detach(deviceId: number, pasid: Pasid | null = null): Steps<SoftwareStep, Outcome<null>> {
    return detachDevice(this.#context, deviceId, pasid);
  }

  /** IOMMU_GET_HW_INFO: as much of the vendor's structure as there is room for, zeros after it. */
  hardwareInfo(
    deviceId: number,
    room = 0,
    flags = 0,
  ): Outcome<{
    readonly type: number;
    readonly data: Uint8Array;
    readonly length: number;
    readonly capabilities: number;
  }> {
    if (flags !== 0) return refused('EOPNOTSUPP', `flags ${flags} are not known`);
    const device = this.#context.objects.get(deviceId, 'device');
    if (!device.ok) return device;
    const { iommu, canTrackDirty } = device.value.device;
    const data = new Uint8Array(room);
    data.set(iommu.hardwareInfo.data.subarray(0, room));
    return done({
      type: iommu.hardwareInfo.type,
      data,
      length: iommu.hardwareInfo.data.length,
      capabilities: canTrackDirty ? HW_CAP_DIRTY_TRACKING : 0,
    });
  }

  ioasAlloc(flags = 0): Outcome<number> {
    if (flags !== 0) return refused('EOPNOTSUPP', `flags ${flags} are not known`);
    const { objects, memory } = this.#context;
    const ioas = new Ioas(objects.nextId(), memory);
    objects.add(ioas);
    return done(ioas.id);
  }

  /** Ranges that may be used, both ends inclusive, and the alignment; EMSGSIZE with `ranges` still told: no room for all. */
  ioasIovaRanges(
    ioasId: number,
    room: number,
  ): Outcome<{
    readonly ranges: AddressRange[];
    readonly count: number;
    readonly alignment: bigint;
    readonly fits: boolean;
  }> {
    const ioas = this.#context.objects.get(ioasId, 'ioas');
    if (!ioas.ok) return ioas;
    const all = ioas.value.usable();
    return done({
      ranges: all.slice(0, room),
      count: all.length,
      alignment: ioas.value.alignment,
      fits: all.length <= room,
    });
  }

  /** Automatic addresses come from these ranges; half-open. */
  ioasAllowIovas(ioasId: number, ranges: readonly AddressRange[]): Outcome<null> {
    const ioas = this.#context.objects.get(ioasId, 'ioas');
    if (!ioas.ok) return ioas;
    for (const [index, range] of ranges.entries()) {
      if (range.end - range.start < 2n || range.end > ADDRESS_END)
        return refused('EINVAL', `range ${index} has no addresses`);
      if (ranges.slice(0, index).some((each) => overlaps(each, range)))
        return refused('EINVAL', `range ${index} overlaps another`);
    }
    return ioas.value.allow(ranges);
  }

  /** Maps user memory; the IO virtual address, which is found unless FIXED_IOVA says it. */
  *ioasMap(command: {
    readonly ioasId: number;
    readonly flags: number;
    readonly userAddress: bigint;
    readonly length: bigint;
    readonly iova?: bigint;
  }): Steps<SoftwareStep, Outcome<bigint>> {
    const { ioasId, flags, userAddress, length, iova = 0n } = command;
    const target = this.#target(ioasId, flags, iova, length);
    if (!target.ok) return target;
    if (length === 0n) return refused('EINVAL', 'the length is 0');
    if (userAddress + length > ADDRESS_END)
      return refused('EOVERFLOW', 'the user memory ends beyond 64 bits');
    const page = BigInt(this.#context.memory.pageBytes);
    const address = userAddress - (userAddress % page);
    const startByte = userAddress - address;
    const { access, ioas, fixed } = target.value;
    const pages = { address, length: startByte + length, writable: access.write };
    return yield* ioas.map([{ pages, startByte, length }], length, fixed, access);
  }

  /** Maps what is mapped elsewhere, of any of the context's address spaces. */
  *ioasCopy(command: {
    readonly flags: number;
    readonly destinationId: number;
    readonly sourceId: number;
    readonly length: bigint;
    readonly destination?: bigint;
    readonly source: bigint;
  }): Steps<SoftwareStep, Outcome<bigint>> {
    const { flags, destinationId, sourceId, length, destination = 0n, source } = command;
    const from = this.#context.objects.get(sourceId, 'ioas');
    const target = this.#target(destinationId, flags, destination, length);
    if (!target.ok && target.errno !== 'ENOENT') return target;
    if (!from.ok) return from;
    if (length === 0n) return refused('EINVAL', 'the length is 0');
    if (source + length > ADDRESS_END) return refused('EOVERFLOW', 'the source ends beyond 64 bits');
    const slices = from.value.slices({ start: source, end: source + length });
    if (!slices.ok) return slices;
    if (!target.ok) return target;
    const { access, ioas, fixed } = target.value;
    return yield* ioas.map(slices.value, length, fixed, access);
  }

  /** Unmaps whole areas; the bytes that went. (0, 2^64 - 1): all of them, of which there may be none. */
  *ioasUnmap(ioasId: number, iova: bigint, length: bigint): Steps<SoftwareStep, Outcome<bigint>> {
    const ioas = this.#context.objects.get(ioasId, 'ioas');
    if (!ioas.ok) return ioas;
    if (iova === 0n && length === U64_MAX) {
      const outcome = yield* ioas.value.unmap({ start: 0n, end: ADDRESS_END });
      return !outcome.ok && ioas.value.areas.size === 0 ? done(0n) : outcome;
    }
    if (iova >= U64_MAX || length >= U64_MAX || iova + length > ADDRESS_END)
      return refused('EOVERFLOW', 'the range ends beyond 64 bits');
    if (length === 0n) return refused('EINVAL', 'the length is 0');
    return yield* ioas.value.unmap({ start: iova, end: iova + length });
  }

  /** IOMMU_OPTION_HUGE_PAGES: 0 maps by the smallest pages only, so that VFIO type 1 may cut areas. */
  ioasHugePages(ioasId: number): Outcome<number> {
    const ioas = this.#context.objects.get(ioasId, 'ioas');
    return ioas.ok ? done(ioas.value.smallOnly ? 0 : 1) : ioas;
  }

  ioasSetHugePages(ioasId: number, value: bigint): Outcome<null> {
    const ioas = this.#context.objects.get(ioasId, 'ioas');
    if (!ioas.ok) return ioas;
    if (value !== 0n && value !== 1n) return refused('EINVAL', `${value} is neither 0 nor 1`);
    return ioas.value.setHugePages(value === 1n);
  }

  hwptAlloc(command: HwptAlloc): Steps<SoftwareStep, Outcome<number>> {
    return allocateHwpt(this.#context, command);
  }

  hwptSetDirtyTracking(hwptId: number, flags: number): Steps<SoftwareStep, Outcome<null>> {
    return setDirtyTracking(this.#context, hwptId, flags);
  }

  hwptGetDirtyBitmap(command: GetDirtyBitmap): Steps<SoftwareStep, Outcome<null>> {
    return getDirtyBitmap(this.#context, command);
  }

  /** A guest's invalidations, of a nested page table or of a vIOMMU: in order, up to the first that is refused. */
  *hwptInvalidate(id: number, array: UserArray): Steps<SoftwareStep, Handled> {
    const { entryNumber, entryLength, data } = array;
    if (entryNumber > 0 && (!data || entryLength === 0))
      return {
        handled: 0,
        outcome: refused('EINVAL', 'an array that is not empty has a place and a length'),
      };
    const object = this.#context.objects.any(id);
    if (object?.kind === 'nested') return yield* object.platform.invalidateNested(object.domain, array);
    if (object?.kind !== 'viommu')
      return { handled: 0, outcome: refused('ENOENT', `object ${id} is no guest’s`) };
    const { platform, parent } = object;
    if (!platform.virtual)
      return { handled: 0, outcome: refused('EOPNOTSUPP', 'the vIOMMU takes no commands') };
    return yield* platform.virtual.invalidate(parent.domain.kernel, object, array);
  }

  faultQueueAlloc(flags = 0): Outcome<number> {
    if (flags !== 0) return refused('EOPNOTSUPP', `flags ${flags} are not known`);
    const { objects } = this.#context;
    const queue = new FaultQueue(objects.nextId());
    objects.add(queue);
    return done(queue.id);
  }

  /** A device's page requests go to the fault queue of what it is attached to; false: there is none. */
  reportPageFaults(deviceId: number, requests: readonly PageRequest[], respond: PageResponse): boolean {
    const device = this.#context.objects.get(deviceId, 'device');
    if (!device.ok) return false;
    const hwpt = device.value.attached.get(requests[0]?.pasid ?? null);
    if (!hwpt?.fault) return false;
    hwpt.fault.report({ id: deviceId, requester: device.value.device.requester }, requests, respond);
    return true;
  }

  viommuAlloc(command: Parameters<typeof allocateViommu>[1]): Outcome<number> {
    return allocateViommu(this.#context, command);
  }

  vdeviceAlloc(command: Parameters<typeof allocateVdevice>[1]): Outcome<number> {
    return allocateVdevice(this.#context, command);
  }

  veventqAlloc(command: Parameters<typeof allocateEventQueue>[1]): Outcome<number> {
    return allocateEventQueue(this.#context, command);
  }

  /** An event that an SMMU recorded goes to the guest that has the device; false: it is the host's. */
  forwardEvent(platform: IommufdPlatform, words: readonly bigint[]): boolean {
    return forwardEvent(this.#context, platform, words);
  }

  hardwareQueueAlloc(command: HardwareQueueAlloc): Outcome<number> {
    return allocateHardwareQueue(this.#context, command);
  }

  /** Something that uses an address space without an IOMMU; `onUnmap`: told of pinned ranges that are about to go. */
  accessAlloc(ioasId: number, needsPins: boolean, onUnmap?: (range: AddressRange) => void): Outcome<number> {
    const { objects } = this.#context;
    const ioas = objects.get(ioasId, 'ioas');
    if (!ioas.ok) return ioas;
    const access = new Access(ioas.value, needsPins, onUnmap);
    const added = ioas.value.addAccess(access);
    if (!added.ok) return added;
    const object: AccessObject = { kind: 'access', id: objects.nextId(), users: 0, access };
    objects.add(object);
    return done(object.id);
  }

  /** The access uses another address space from now on; what it had pinned is unpinned. */
  accessReplace(accessId: number, ioasId: number): Outcome<null> {
    const object = this.#context.objects.get(accessId, 'access');
    if (!object.ok) return object;
    const ioas = this.#context.objects.get(ioasId, 'ioas');
    if (!ioas.ok) return ioas;
    const access = object.value.access.over(ioas.value);
    const added = ioas.value.addAccess(access);
    if (!added.ok) return added;
    object.value.access.close();
    object.value.access = access;
    return done(null);
  }

  #target(ioasId: number, flags: number, iova: bigint, length: bigint) {
    if (flags & ~MAP_FLAGS) return refused('EOPNOTSUPP', `flags ${hex(flags >>> 0)} are not known`);
    if (iova >= U64_MAX || length >= U64_MAX)
      return refused('EOVERFLOW', 'an address or length is too large');
    const access = { read: (flags & IOAS_MAP_READABLE) !== 0, write: (flags & IOAS_MAP_WRITEABLE) !== 0 };
    if (!access.read && !access.write) return refused('EINVAL', 'a mapping allows reads or writes');
    const ioas = this.#context.objects.get(ioasId, 'ioas');
    if (!ioas.ok) return ioas;
    return done({ ioas: ioas.value, access, fixed: flags & IOAS_MAP_FIXED_IOVA ? iova : undefined });
  }
}
