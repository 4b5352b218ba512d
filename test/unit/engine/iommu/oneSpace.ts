import assert from 'node:assert/strict';
import { type DeviceDirectory } from '../../../../src/engine/directory/deviceDirectory';
import { Iotlb } from '../../../../src/engine/iommu/caches/iotlb';
import { WalkCache } from '../../../../src/engine/iommu/caches/walkCache';
import { type HardwareStep } from '../../../../src/engine/iommu/hardwareStep';
import { type DmaAccess, type DmaRequest, type RequestOutcome } from '../../../../src/engine/iommu/request';
import { DEFAULT_RULES, type HardwareRules } from '../../../../src/engine/iommu/rules';
import { type Context } from '../../../../src/engine/iommu/translate/contexts';
import { noCounts } from '../../../../src/engine/iommu/translate/counters';
import { InFlight } from '../../../../src/engine/iommu/translate/inFlight';
import { Requests } from '../../../../src/engine/iommu/translate/requests';
import { tableWay } from '../../../../src/engine/iommu/translate/tableWay';
import { type FaultReport, type IommuVendor } from '../../../../src/engine/iommu/vendor';
import { vendorOf } from '../../../../src/engine/iommu/vendors';
import { type AddressSpace } from '../../../../src/engine/pageTable/addressSpace';
import { READ_WRITE } from '../../../../src/engine/pageTable/entryClass';
import { SeededRandom } from '../../../../src/engine/random';
import { type Steps } from '../../../../src/engine/steps';
import { requesterId } from '../../../../src/engine/values';
import { type WritableFrames } from '../../../builders/writableFrames';

export const DEVICE = requesterId(0x10);

/** An untranslated request of a few bytes. */
export const ask = (address: bigint, access: DmaAccess, more: Partial<DmaRequest> = {}): DmaRequest => ({
  requester: DEVICE,
  pasid: null,
  addressLo: Number(address & 0xffff_ffffn),
  addressHi: Number(address >> 32n),
  length: 1,
  access,
  kind: 'untranslated',
  ...more,
});

/** An access that was observed: `write 0x80123`. */
const told = (kind: string, frame: number, offset: number): string =>
  `${kind} 0x${(BigInt(frame) * 4096n + BigInt(offset)).toString(16)}`;

/** Requests of one device, all of which go through one address space: no structures, real caches. */
export class OneSpace {
  readonly counters = noCounts();
  readonly rules: HardwareRules;
  readonly iotlb: Iotlb;
  readonly walkCache: WalkCache;
  readonly requests: Requests;
  readonly inFlight = new InFlight();
  readonly observed: string[] = [];
  readonly faults: FaultReport[] = [];
  epoch = 0;

  constructor(
    space: AddressSpace,
    memory: WritableFrames,
    rules: Partial<HardwareRules> = {},
    ats: Context['ats'] = { enabled: true },
    vendor: IommuVendor = vendorOf('riscv'),
  ) {
    this.rules = { ...DEFAULT_RULES, iotlb: { sets: 16, ways: 2 }, ...rules };
    const random = new SeededRandom(1);
    this.iotlb = new Iotlb(this.rules.iotlb, random);
    this.walkCache = new WalkCache(this.rules.walkCache, random);
    const context: Context = {
      answer: { kind: 'table', space, permission: READ_WRITE },
      way: tableWay(vendor, space, DEVICE, null, []),
      upper: undefined,
      ats,
      entries: [],
    };
    const open = { off: undefined, interruptWindow: undefined } as unknown as DeviceDirectory;
    const epoch = (): number => this.epoch;
    this.requests = new Requests({
      name: 'iommu0',
      vendor,
      rules: this.rules,
      iotlb: this.iotlb,
      inFlight: this.inFlight,
      walk: {
        memory,
        rules: this.rules,
        walkCache: this.walkCache,
        counters: this.counters,
        get epoch() {
          return epoch();
        },
        markedGuest: (_, address) =>
          this.observed.push(told('mark', Math.floor(address / 4096), address % 4096)),
      },
      contexts: {
        directory: open,
        known: () => context,
        *find() {
          yield { kind: 'lookup', cache: 'context', hit: true };
          return context;
        },
      },
      faults: {
        record: (report) => {
          this.faults.push(report);
          return true;
        },
      },
      observer: {
        wrote: (_writer, _page, frame, offset) => this.observed.push(told('write', frame, offset)),
        read: (_reader, _page, frame, offset) => this.observed.push(told('read', frame, offset)),
      },
    });
  }

  /** All steps of a request, and its outcome. */
  run(request: DmaRequest): { readonly steps: HardwareStep[]; readonly outcome: RequestOutcome } {
    return drain(this.requests.request(request));
  }

  outcome(address: bigint, access: DmaAccess, more: Partial<DmaRequest> = {}): string {
    return sayOutcome(this.run(ask(address, access, more)).outcome);
  }
}

export function drain<R>(steps: Steps<HardwareStep, R>): {
  readonly steps: HardwareStep[];
  readonly outcome: R;
} {
  const done: HardwareStep[] = [];
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { steps: done, outcome: step.value };
    done.push(step.value);
  }
}

/** Takes steps until one of this kind was done; the step. */
export function stepTo<R>(
  steps: Steps<HardwareStep, R>,
  wanted: (step: HardwareStep) => boolean,
): HardwareStep {
  for (;;) {
    const step = steps.next();
    assert.ok(step.done !== true, 'such a step comes before the end');
    if (wanted(step.value)) return step.value;
  }
}

/** `0x5123`, or `not-present, stage 1, depth 2`. */
export function sayOutcome(outcome: RequestOutcome): string {
  if (outcome.ok) return `0x${((BigInt(outcome.outputHi) << 32n) | BigInt(outcome.outputLo)).toString(16)}`;
  const { fault, stage, depth } = outcome;
  return stage === null ? fault : `${fault}, stage ${stage}, depth ${depth}`;
}
