import { type RequesterId } from '../../values';
import { done, refused, type Outcome } from '../errno';

/** Flags of struct iommu_hwpt_pgfault, and its permissions: read, write, execute and privileged are bits 0 to 3. */
export const PGFAULT_PASID_VALID = 1;
export const PGFAULT_LAST_PAGE = 2;
export const PGFAULT_WRITE = 2;

/** Response codes. */
export const PAGE_RESPONSE_SUCCESS = 0;
export const PAGE_RESPONSE_INVALID = 1;

/** One page request of a device. */
export interface PageRequest {
  readonly pasid: number | null;
  readonly group: number;
  /** PGFAULT_WRITE and so on. */
  readonly permissions: number;
  readonly address: bigint;
}

/** What the device is told: it may try again, or not. */
export type PageResponse = (code: number) => void;

/** A record as user space reads it. */
export interface PageFault {
  readonly flags: number;
  readonly deviceId: number;
  readonly pasid: number;
  readonly group: number;
  readonly permissions: number;
  readonly address: bigint;
  readonly length: number;
  readonly cookie: number;
}

interface Group {
  readonly deviceId: number;
  readonly requester: RequesterId;
  readonly requests: readonly PageRequest[];
  readonly respond: PageResponse;
}

/** Page faults of the devices of a hardware page table, and user space's responses. Linux iommufd/eventq.c. */
export class FaultQueue {
  readonly kind = 'fault';
  readonly id: number;
  users = 0;
  #waiting: Group[] = [];
  /** Read and not yet answered, by cookie. */
  readonly #read = new Map<number, Group>();
  #cookie = 1;

  constructor(id: number) {
    this.id = id;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** A group of page requests, the last of which ends it. */
  report(
    device: { readonly id: number; readonly requester: RequesterId },
    requests: readonly PageRequest[],
    respond: PageResponse,
  ): void {
    this.#waiting.push({ deviceId: device.id, requester: device.requester, requests, respond });
  }

  /** Whole groups, as many as there is room for. */
  read(room: number): PageFault[] {
    const records: PageFault[] = [];
    for (;;) {
      const [group] = this.#waiting;
      if (!group || group.requests.length > room - records.length) return records;
      this.#waiting.shift();
      const cookie = this.#cookie++;
      this.#read.set(cookie, group);
      const last = group.requests.length - 1;
      for (const [index, request] of group.requests.entries()) {
        const flags =
          (request.pasid === null ? 0 : PGFAULT_PASID_VALID) | (index === last ? PGFAULT_LAST_PAGE : 0);
        records.push({
          flags,
          deviceId: group.deviceId,
          pasid: request.pasid ?? 0,
          group: request.group,
          permissions: request.permissions,
          address: request.address,
          length: 0,
          cookie,
        });
      }
    }
  }

  /** Answers groups in order; how many before one that is wrong. EINVAL when the first is: unknown cookie or code. */
  respond(responses: readonly { readonly cookie: number; readonly code: number }[]): Outcome<number> {
    let handled = 0;
    for (const { cookie, code } of responses) {
      const known = code === PAGE_RESPONSE_SUCCESS || code === PAGE_RESPONSE_INVALID;
      const group = known ? this.#read.get(cookie) : undefined;
      if (!group) {
        if (handled > 0) return done(handled);
        return refused(
          'EINVAL',
          known ? `no page fault has cookie ${cookie}` : `${code} is no response code`,
        );
      }
      this.#read.delete(cookie);
      group.respond(code);
      handled++;
    }
    return done(handled);
  }

  /** Answers what a device still waits for, as invalid: it was detached. */
  answer(deviceId: number): void {
    const gone = this.#waiting.filter((group) => group.deviceId === deviceId);
    this.#waiting = this.#waiting.filter((group) => group.deviceId !== deviceId);
    for (const [cookie, group] of this.#read) {
      if (group.deviceId !== deviceId) continue;
      this.#read.delete(cookie);
      gone.push(group);
    }
    for (const group of gone) group.respond(PAGE_RESPONSE_INVALID);
  }

  close(): void {
    for (const group of [...this.#waiting, ...this.#read.values()]) group.respond(PAGE_RESPONSE_INVALID);
    this.#waiting = [];
    this.#read.clear();
  }
}
