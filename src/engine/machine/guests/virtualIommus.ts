import { done, refused, type Outcome } from '../../driver/errno';
import { VIRTUAL_TYPES } from '../../driver/iommufd/guestPlatform';
import { type Iommufd } from '../../driver/iommufd/iommufd';
import { NESTED_DATA } from '../../driver/iommufd/nestedData';
import { type Handled } from '../../driver/iommufd/platform';
import { type AddressRange } from '../../driver/iommufd/ranges';
import { guestKindOf } from '../../driver/guest/index';
import { type SoftwareStep } from '../../driver/softwareStep';
import { type EncodedCommand } from '../../driver/vendors/common/encodedCommand';
import { type Arena } from '../../memory/arena';
import { type WritableMemory } from '../../memory/writableMemory';
import { type Steps } from '../../steps';
import { FRAME_BYTES, frameNumber, type RequesterId } from '../../values';
import { type MachineHwpt } from '../domains';
import { GUEST_START_FRAME } from '../layout';
import { type StepRunner } from '../runner';
import { type MachineFunction, type MachineUnit } from '../unit';
import { OwnedQueue } from './ownedQueue';
import { bytesOfWords, puttingWords } from './words';

interface VirtualIommusOptions {
  readonly iommufd: Iommufd;
  readonly arena: Arena;
  readonly software: WritableMemory;
  readonly runner: StepRunner;
}

interface Made {
  readonly unit: MachineUnit;
  readonly parent: MachineHwpt;
  readonly queue: OwnedQueue | undefined;
}

/** The vIOMMUs of a machine's guests, and their own queues. */
export class VirtualIommus {
  readonly #options: VirtualIommusOptions;
  readonly #made = new Map<number, Made>();

  constructor(options: VirtualIommusOptions) {
    this.#options = options;
  }

  get(id: number): Made | undefined {
    return this.#made.get(id);
  }

  get ids(): readonly number[] {
    return [...this.#made.keys()];
  }

  /** A vIOMMU of a device's IOMMU over a nest parent; its id. `queue`: guest memory for a queue of the guest's own. */
  *create(
    parent: MachineHwpt,
    device: MachineFunction,
    queue: AddressRange | undefined,
  ): Steps<SoftwareStep, Outcome<number>> {
    const { iommufd } = this.#options;
    const { unit, id: deviceId } = device;
    const { kind } = unit.iommu;
    if (kind !== 'smmuv3' && kind !== 'amd-vi')
      return refused('EOPNOTSUPP', `${kind} has no vIOMMU: guests of it invalidate by their page tables`);
    const types = VIRTUAL_TYPES[kind];
    const made = iommufd.viommuAlloc({ deviceId, hwptId: parent.id, type: types.viommu });
    if (!made.ok) return made;
    const owned = queue && this.#queue(made.value, types.queue, unit, queue);
    if (owned?.ok === false) {
      yield* iommufd.destroy(made.value);
      return owned;
    }
    if (owned) this.#options.runner.addQueue(owned.value);
    this.#made.set(made.value, { unit, parent, queue: owned?.value });
    return made;
  }

  #queue(viommuId: number, type: number, unit: MachineUnit, range: AddressRange): Outcome<OwnedQueue> {
    const { iommufd, arena, software } = this.#options;
    const { start, end } = range;
    const first = Number(start) / FRAME_BYTES + GUEST_START_FRAME;
    for (let frame = first; frame < Number(end) / FRAME_BYTES + GUEST_START_FRAME; frame++) {
      if (!arena.holds(frameNumber(frame)) && !arena.addFrame(frameNumber(frame)))
        return refused('ENOMEM', 'memory is full');
    }
    const command = { viommuId, type, index: 0, address: start, length: end - start };
    const made = iommufd.hardwareQueueAlloc(command);
    if (!made.ok) return made;
    const object = iommufd.object(made.value);
    if (object?.kind !== 'hwqueue') return refused('ENOENT', 'the queue is gone');
    return done(new OwnedQueue(object, unit.iommu, software, puttingWords(software, unit.iommu)));
  }

  /** The guest's id of a device; undefined: it has none. */
  idOf(viommu: number, requester: RequesterId): number | undefined {
    const object = this.#options.iommufd.object(viommu);
    const id = object?.kind === 'viommu' ? object.virtualIdOf(requester) : undefined;
    return id === undefined ? undefined : Number(id);
  }

  /** Commands by the guest's ids: to its own queue, or to the kernel. */
  *give(id: number, commands: readonly EncodedCommand[]): Steps<SoftwareStep, Handled> {
    const { iommufd } = this.#options;
    const made = this.#made.get(id);
    if (!made) return { handled: 0, outcome: refused('ENOENT', `there is no vIOMMU ${id}`) };
    const { kind } = made.unit.iommu;
    if (made.queue) {
      const { wait } = guestKindOf(kind);
      const all = wait ? [...commands, wait] : commands;
      const result = yield* made.queue.give(all);
      return { ...result, handled: Math.min(result.handled, commands.length) };
    }
    const rule = NESTED_DATA[kind].virtualInvalidation;
    if (!rule) {
      const why = `the kernel takes no commands for a vIOMMU of ${kind}: give it a queue of its own (hardwareQueue)`;
      return { handled: 0, outcome: refused('EOPNOTSUPP', why) };
    }
    const data = bytesOfWords(commands.flatMap(({ words }) => words));
    const array = { type: rule.type, entryLength: rule.bytes, entryNumber: commands.length, data };
    return yield* iommufd.hwptInvalidate(id, array);
  }
}
