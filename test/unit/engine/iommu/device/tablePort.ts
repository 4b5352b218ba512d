/** An IOMMU for tests of devices: one table of pages, no caches; two steps a request, the second one is the answer. */
import { type DmaPort } from '../../../../../src/engine/iommu/device/atsDevice';
import { type HardwareStep } from '../../../../../src/engine/iommu/hardwareStep';
import { type DmaRequest, type RequestOutcome } from '../../../../../src/engine/iommu/request';
import { type Steps } from '../../../../../src/engine/steps';

export interface MappedPage {
  readonly output: number;
  readonly permission: number;
  readonly shift: number;
}

export class TablePort implements DmaPort {
  /** First page of each mapping: a page belongs to the mapping of its size around it. */
  readonly pages = new Map<number, MappedPage>();
  /** What came in: `write translated 0x5000+8`. */
  readonly log: string[] = [];

  *request(request: DmaRequest): Steps<HardwareStep, RequestOutcome> {
    const { kind, access, addressLo, addressHi, length, noWrite } = request;
    const what = kind === 'translation' ? (noWrite ? 'ask to read' : 'ask to write') : `${access} ${kind}`;
    const address = addressHi * 2 ** 32 + addressLo;
    const pasid = request.pasid === null ? '' : ` pasid ${request.pasid}`;
    this.log.push(`${what} 0x${address.toString(16)}${kind === 'translation' ? '' : `+${length}`}${pasid}`);
    const outcome = this.#answer(kind, address);
    yield { kind: 'lookup', cache: 'iotlb', hit: true };
    yield { kind: 'access', outputLo: addressLo, outputHi: addressHi, length, write: access !== 'read' };
    return outcome;
  }

  #answer(kind: DmaRequest['kind'], address: number): RequestOutcome {
    const refused = { ok: false, fault: 'not-present', depth: 1, stage: 2 } as const;
    const page = Math.floor(address / 4096);
    const found = kind === 'translated' ? { output: page, permission: 3, shift: 12 } : this.#pageOf(page);
    if (!found) return refused;
    return {
      ok: true,
      outputLo: ((found.output % 0x100000) * 4096 + (address % 4096)) >>> 0,
      outputHi: Math.floor(found.output / 0x100000),
      permission: found.permission,
      shift: found.shift,
      hit: false,
    };
  }

  #pageOf(page: number): MappedPage | undefined {
    for (const [start, mapped] of this.pages) {
      if (page >= start && page < start + 2 ** (mapped.shift - 12))
        return { ...mapped, output: mapped.output + page - start };
    }
    return undefined;
  }
}
