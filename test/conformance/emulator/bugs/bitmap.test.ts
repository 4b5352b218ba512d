/** Bugs of the bitmap of dirty pages: what it leaves out is lost on the way to the destination. */
import assert from 'node:assert/strict';
import { Machine } from '../../../../src/engine/machine/machine';
import { type MachineOperation } from '../../../../src/engine/machine/operation';
import { runSteps } from '../../../../src/engine/steps';
import { compare } from './story';

const DEVICE = '00:02.0';
const hex = (value: number): string => `0x${value.toString(16)}`;
const GIB = 2 ** 30;
/** Guest memory above the hole below 4 GiB. */
const HIGH = 4 * GIB;

/** A machine that tracks dirty pages, all of which the destination has. */
class Tracked {
  readonly machine: Machine;

  constructor(memory: string, driverFaults: readonly string[]) {
    const made = Machine.create({
      ...{ version: 1, vendor: 'vt-d', tables: 'second-stage', memory, devices: [{ requester: DEVICE }] },
      ...{ mapping: { what: 'guest', pages: [] }, dirtyTracking: 'on', iommus: 1, seed: 1, driverFaults },
    });
    assert.ok(made.ok, made.ok ? '' : made.failure.message);
    this.machine = made.value;
    assert.ok(runSteps(this.machine.setUp()).ok);
  }

  get domain(): number {
    const [first] = this.machine.domains;
    assert.ok(first);
    return first.id;
  }

  perform(operation: MachineOperation): void {
    const report = runSteps(this.machine.perform(operation));
    assert.equal(report.errno, undefined);
    assert.deepEqual(report.refused ?? [], []);
  }

  write(iova: number): void {
    this.perform({
      kind: 'dma',
      requests: [{ sid: DEVICE, iova: hex(iova), length: 64, access: 'write' }],
    });
  }

  /** One GET_DIRTY_BITMAP with a bitmap at any byte of a page; what it names is copied. */
  readInto(iova: number, pages: number, offset: number): void {
    const { machine, domain } = this;
    const bytes = new Uint8Array(offset + Math.ceil(pages / 8));
    const range = { iova: BigInt(iova), length: BigInt(pages) * 4096n, pageSize: 4096n };
    const request = { hwptId: domain, flags: 0, ...range, data: { bytes, offset } };
    assert.ok(runSteps(machine.software(machine.iommufd.hwptGetDirtyBitmap(request))).ok);
    const [hwpt] = machine.domains;
    assert.ok(hwpt);
    for (let page = 0; page < pages; page++)
      if (((bytes[offset + (page >> 3)] ?? 0) >> (page & 7)) & 1)
        machine.reported(hwpt, iova / 4096 + page, iova / 4096 + page + 1, true);
  }

  /** Addresses that the destination lacks. */
  lost(): string[] {
    const { ledger } = this.machine;
    ledger.finish();
    return ledger.findings.of('lost-dirty').map(({ startPage }) => hex(startPage * 4096));
  }
}

describe('Bugs: reporting by bitmap', () => {
  /** Pages of 1G; the 64 GiB that one window of pinned bitmap stands for end in the middle of one. */
  const acrossTheWindow = (driverFaults: readonly string[]): string[] => {
    const tracked = new Tracked('72G', driverFaults);
    const start = HIGH + GIB / 2;
    const inside = HIGH + 64 * GIB + 0x1000;
    const beyond = HIGH + 64.75 * GIB;
    for (const iova of [inside, beyond]) tracked.write(iova);
    const range = { iova: hex(start), length: hex(65.5 * GIB) };
    tracked.perform({ kind: 'readDirty', domain: tracked.domain, ...range, clear: true });
    return tracked.lost();
  };
  const beyond = [hex(HIGH + 64.75 * GIB)];

  it('Linux 2780025e01e2: bits of a huge leaf beyond the pinned part of the bitmap are dropped', () => {
    compare('window-drop', acrossTheWindow, beyond, []);
  });

  it('Linux a4ab7dedaee0: bits of a huge leaf are written past the pinned pages of the bitmap', () => {
    compare('window-overrun', acrossTheWindow, beyond, []);
  });

  it('Linux d18411ec3057: the address of the bitmap is taken for that of 64-bit words', () => {
    // The bits land in bytes before the bitmap: other pages are copied, or none.
    for (const [offset, broken] of [
      [0xff1, ['0x800000']],
      [0xff8, []],
    ] as const) {
      const play = (driverFaults: readonly string[]): string[] => {
        const tracked = new Tracked('16M', driverFaults);
        tracked.perform({ kind: 'split', domain: tracked.domain, iova: '0x0', length: '16M', size: '4K' });
        tracked.write(0x80_0000);
        tracked.readInto(0, 4096, offset);
        return tracked.lost();
      };
      compare<readonly string[]>('word-pointer', play, broken, []);
    }
  });

  it('Linux 6.8-rc, iommufd: the offset of the bitmap in its first page is ignored when pages are pinned', () => {
    const play = (driverFaults: readonly string[]): string[] => {
      const tracked = new Tracked('128M', driverFaults);
      const { domain } = tracked;
      tracked.perform({ kind: 'split', domain, iova: '0x0', length: '128M', size: '4K' });
      for (const iova of [0x1000, 0x7ff_f000]) tracked.write(iova);
      tracked.readInto(0, 8 * 4096, 2048);
      return tracked.lost();
    };
    compare('page-offset', play, ['0x7fff000'], []);
  });
});
