/** struct iommufd_vevent_header flags. */
export const VEVENT_LOST_EVENTS = 1;
/** IOMMU_VEVENTQ_TYPE_ARM_SMMUV3 of include/uapi/linux/iommufd.h. */
export const VEVENTQ_TYPE_SMMUV3 = 1;

/** What user space reads: a header and, unless it tells a loss, the event. */
export interface VirtualEvent {
  readonly flags: number;
  readonly sequence: number;
  readonly words: readonly bigint[];
}

const SEQUENCE_MASK = 0x7fff_ffff;

/** Events of a guest's devices that its IOMMU would report. Linux iommufd/driver.c, iommufd_viommu_report_event. */
export class EventQueue<Owner> {
  readonly kind = 'veventq';
  readonly id: number;
  readonly viommu: Owner;
  readonly type: number;
  /** Events that it holds. */
  readonly depth: number;
  users = 0;
  readonly #events: VirtualEvent[] = [];
  #sequence = 0;

  constructor(id: number, viommu: Owner, type: number, depth: number) {
    this.id = id;
    this.viommu = viommu;
    this.type = type;
    this.depth = depth;
  }

  get waiting(): number {
    return this.#events.length;
  }

  /** Queues an event; when the queue is full only its loss is told, by one header at the end with the newest number. */
  report(words: readonly bigint[]): void {
    const held = this.#events.filter(({ flags }) => flags === 0).length;
    if (this.#events.at(-1)?.flags === VEVENT_LOST_EVENTS) this.#events.pop();
    const lost = held >= this.depth;
    this.#events.push({
      flags: lost ? VEVENT_LOST_EVENTS : 0,
      sequence: this.#sequence,
      words: lost ? [] : words,
    });
    this.#sequence = (this.#sequence + 1) & SEQUENCE_MASK;
  }

  /** The oldest, at most `count`. */
  read(count: number): VirtualEvent[] {
    return this.#events.splice(0, count);
  }
}

/**
 * Event codes of SMMUv3 that Linux gives to guests (arm_smmu_handle_event): configuration errors and faults of stage 1.
 * C_BAD_STE, F_STREAM_DISABLED, C_BAD_SUBSTREAMID, C_BAD_CD, F_TRANSLATION, F_ADDR_SIZE, F_ACCESS, F_PERMISSION.
 */
const GUEST_EVENTS: ReadonlySet<number> = new Set([0x04, 0x06, 0x08, 0x0a, 0x10, 0x11, 0x12, 0x13]);
const EVENT_STAGE_2 = 1n << 39n;
const EVENT_STALL = 1n << 31n;

/**
 * An SMMUv3 event (Arm IHI 0070 §7.3) as the guest's SMMU would write it: with the guest's StreamID. Undefined: it is not
 * the guest's to know: another code, a fault of stage 2, a stalled transaction, a device that it does not have.
 */
export function guestEvent(
  words: readonly bigint[],
  virtualIdOf: (requester: number) => bigint | undefined,
): readonly bigint[] | undefined {
  const [first = 0n, second = 0n, ...rest] = words;
  if (!GUEST_EVENTS.has(Number(first & 0xffn))) return undefined;
  if ((second & (EVENT_STAGE_2 | EVENT_STALL)) !== 0n) return undefined;
  const virtualId = virtualIdOf(Number(first >> 32n));
  if (virtualId === undefined) return undefined;
  return [(first & 0xffff_ffffn) | (virtualId << 32n), second, ...rest];
}
