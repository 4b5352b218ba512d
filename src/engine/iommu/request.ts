import { type Fault } from '../faults';
import { READ, READ_WRITE, WRITE } from '../pageTable/entryClass';
import { type CachedTranslation } from './caches/translationCache';
import { type Pasid, type RequesterId } from '../values';

/** What a request asks of memory; an atomic operation reads and writes. */
export type DmaAccess = 'read' | 'write' | 'atomic';

/**
 * untranslated: an ordinary request. translation: an ATS translation request (PCIe 6.0 §10.2.2), which accesses nothing.
 * translated: its address is the output of an earlier ATS translation.
 */
export type RequestKind = 'untranslated' | 'translation' | 'translated';

/** One request of a device as it reaches the IOMMU. It lies within one 4 KiB page: `splitRequest` makes such of longer ones. */
export interface DmaRequest {
  readonly requester: RequesterId;
  readonly pasid: Pasid | null;
  /** IOVA, or the translated address. */
  readonly addressLo: number;
  readonly addressHi: number;
  /** Bytes, 1 to 4096, not over the end of the page. */
  readonly length: number;
  readonly access: DmaAccess;
  readonly kind: RequestKind;
  /** ATS: the device will not write (NW = 1); only read permission is asked for. */
  readonly noWrite?: boolean;
  /** RISC-V and PASID requests: with privilege, to execute. */
  readonly privileged?: boolean;
  readonly execute?: boolean;
  /** The device's own translation behind a translated request: no hardware sees it, observers do. */
  readonly through?: CachedTranslation;
}

/** What became of a request. Addresses are byte addresses in halves. */
export type RequestOutcome =
  | {
      readonly ok: true;
      readonly outputLo: number;
      readonly outputHi: number;
      /** READ | WRITE that the device is granted (ATS), or that the translation has. */
      readonly permission: number;
      /** log2 of the bytes that the answer is good for: of the cached entry. */
      readonly shift: number;
      /** Found in the IOTLB. */
      readonly hit: boolean;
    }
  | {
      readonly ok: false;
      readonly fault: Fault;
      /** Depth of the entry at fault (1 = leaf-most); 0: before any table. */
      readonly depth: number;
      /** Whose tables refused; null: before any table. */
      readonly stage: 1 | 2 | null;
      /** The guest physical address that stage 2 refused. */
      readonly guestLo?: number;
      readonly guestHi?: number;
      /** The refused access was hardware's own, to a table or structure of stage 1. */
      readonly implicit?: boolean;
    };

/** READ | WRITE that an access needs. */
export const neededBy = (access: DmaAccess): number =>
  access === 'write' ? WRITE : access === 'read' ? READ : READ_WRITE;

/** Whether a request needs write permission. */
export const asksToWrite = ({ access, kind, noWrite }: DmaRequest): boolean =>
  kind === 'translation' ? noWrite !== true : access !== 'read';
