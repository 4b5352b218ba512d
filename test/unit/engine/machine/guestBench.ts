import { type EmulatedKind } from '../../../../src/engine/iommu/vendor';
import { type CommandText } from '../../../../src/engine/machine/operations/nestingTypes';
import { type MachineSpec } from '../../../../src/engine/machine/spec';
import { Bench, DEVICE, dma } from './bench';

/** The kernel's tables below guests, by vendor. */
export const PARENTS: Readonly<Record<EmulatedKind, string>> = {
  'vt-d': 'second-stage',
  'amd-vi': 'v1',
  smmuv3: 'stage2-4k',
  riscv: 'sv48x4',
};
export const KINDS = Object.keys(PARENTS) as EmulatedKind[];

/** What the device names, the guest pages behind it, and where the kernel puts those. */
export const IOVA = '0x40200000';
export const GUEST_PAGE = '0x333000';
export const OTHER_PAGE = '0x337000';

/** A machine whose kernel maps all guest memory, and a guest with the page `IOVA`. */
export class GuestBench extends Bench {
  readonly guest: number;
  readonly viommu: number | undefined;

  constructor(
    vendor: EmulatedKind,
    changes: Partial<MachineSpec> = {},
    { viommu = false, hardwareQueue = false } = {},
  ) {
    super({
      ...{ vendor, tables: PARENTS[vendor], nestParent: true, dirtyTracking: 'off' },
      ...{ mapping: { what: 'guest', pages: ['4K'] }, devices: [{ requester: DEVICE, attached: false }] },
      ...changes,
    });
    const parent = this.domain;
    this.viommu = viommu
      ? this.does({ kind: 'createVirtualIommu', parent, hardwareQueue }).counts['viommu']
      : undefined;
    const own = this.viommu === undefined ? {} : { viommu: this.viommu };
    this.guest = this.does({ kind: 'createGuest', parent, ...own }).counts['domain'] ?? -1;
    this.guestMap(IOVA, '4K', GUEST_PAGE);
  }

  guestMap(iova: string, length: string, to: string): void {
    this.does({ kind: 'guestMap', guest: this.guest, iova, length, to, permission: 'RW' });
  }

  /** The device is the guest's. */
  attach(pasid: number | null = null, requester = DEVICE): void {
    this.does({ kind: 'attach', requester, pasid, to: this.guest });
  }

  /** Tracking begins with everything clean: what was written before is copied with all of memory. */
  track(): void {
    this.does({ kind: 'setDirtyTracking', domain: this.domain, enable: true });
  }

  /** Where a write lands; undefined: it is refused. */
  write(iova = IOVA, pasid?: number): string | undefined {
    return this.does(dma(iova, 'write', pasid === undefined ? {} : { pasid })).landed?.[0]?.address;
  }

  /** The guest's page leads elsewhere from now on; nobody is told. */
  move(to = OTHER_PAGE): void {
    this.does({ kind: 'guestUnmap', guest: this.guest, iova: IOVA, length: '4K' });
    this.guestMap(IOVA, '4K', to);
  }

  /** Reads dirty pages of the parent, and copies what is told: the beginnings of ranges. */
  round(): string[] {
    const { dirty } = this.does({ kind: 'readDirty', domain: this.domain, clear: true });
    return dirty?.ranges.map(({ start }) => start) ?? [];
  }

  command(name: string, fields: CommandText['fields']) {
    return this.asks({ kind: 'command', iommu: 'iommu0', command: { name, fields } });
  }
}
