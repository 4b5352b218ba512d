/**
 * The map and unmap events of real guests, from boot to the moment of the image, drive the driver of the matching vendor; the tables
 * that result hold the same pages as the image. Pages of which size is not in the events: the driver chooses it from IOVA,
 * physical address and length, as the guest's kernel did. What the events do not tell stands in tracedDomains.ts.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type DeviceDirectory } from '../../../src/engine/directory/deviceDirectory';
import { openDirectory } from '../../../src/engine/directory/index';
import { Gather } from '../../../src/engine/driver/pageTable/gather';
import { type KernelDomain } from '../../../src/engine/driver/iommuDriver';
import { type EmulatedKind } from '../../../src/engine/iommu/vendor';
import { type AddressSpace } from '../../../src/engine/pageTable/addressSpace';
import { requesterId, type RequesterId } from '../../../src/engine/values';
import { REGISTERS } from '../../../src/image/description/registers';
import { openImage } from '../../../src/image/openImage';
import { nodeImagePlatform } from '../../../src/inspection/node/inflate';
import { CORPUS } from '../manifest';
import { runsOf, type ListedRun } from '../spaces';
import { InvalidationBench, valueOf } from './invalidationBench';
import { traceOf, type TracedGuest } from './tracedDomains';

interface Guest {
  readonly name: string;
  readonly kind: EmulatedKind;
  /** Sizes that the guest's kernel uses, log2; absent: all that the format has. */
  readonly pageShifts?: readonly number[];
  /** 4K pages that the guest mapped onto themselves before tracing could begin. */
  readonly untraced?: number;
  /** Maps that the kernel made before it attached a device, and so without knowing of large pages. */
  readonly early?: number;
}

/** io-pgtable-arm.c leaves out runs of contiguous entries. */
const ARM_4K = [12, 21, 30];

const GUESTS: readonly Guest[] = [
  { name: 'vtd-small-share', kind: 'vt-d', untraced: 4096 },
  { name: 'vtd-legacy-share', kind: 'vt-d', untraced: 4096 },
  { name: 'vtd-pt-share', kind: 'vt-d' },
  { name: 'vtd-sm-fl-share', kind: 'vt-d', early: 1 },
  { name: 'vtd-sm-sl-share', kind: 'vt-d', untraced: 4096 },
  { name: 'amd-share', kind: 'amd-vi' },
  { name: 'smmuv3-4k-share', kind: 'smmuv3', pageShifts: ARM_4K },
  { name: 'smmuv3-4k-s2-share', kind: 'smmuv3', pageShifts: ARM_4K },
  { name: 'smmuv3-16k-share', kind: 'smmuv3', pageShifts: [14, 25] },
  { name: 'smmuv3-4k-nestedhw-share', kind: 'smmuv3', pageShifts: ARM_4K },
  { name: 'smmuv3-pt-share', kind: 'smmuv3', pageShifts: ARM_4K },
  { name: 'riscv-share', kind: 'riscv' },
];

const ROOTS: Readonly<Record<Exclude<EmulatedKind, 'smmuv3'>, readonly string[]>> = {
  'vt-d': ['RTADDR', 'GSTS', 'CAP', 'ECAP'],
  'amd-vi': ['DevTabBase', 'Control', 'ExtFeat'],
  riscv: ['ddtp', 'capabilities', 'fctl'],
};

const FLUSHED_TOGETHER = 256;

interface Manifest {
  readonly roots: Readonly<Record<string, string>>;
  readonly registers: Readonly<Record<string, string>>;
}

/** Registers as the guest's emulator told them over its monitor. */
function registersOf(kind: EmulatedKind, { roots, registers }: Manifest): Map<string, bigint> {
  if (kind !== 'smmuv3') return new Map(ROOTS[kind].map((name) => [name, BigInt(roots[name] ?? 0)]));
  const half = (offset: number) => BigInt(registers[`0x${offset.toString(16)}`] ?? 0);
  return new Map(
    REGISTERS.smmuv3.map(({ name, offset, bits }) => {
      assert.ok(offset !== null);
      return [name, half(offset) | (bits === 64 ? half(offset + 4) << 32n : 0n)];
    }),
  );
}

async function openGuest({ name, kind }: Guest): Promise<DeviceDirectory> {
  const image = await openImage(
    { kind: 'path', path: path.join(CORPUS, `${name}.elf.gz`) },
    { platform: nodeImagePlatform() },
  );
  assert.ok(image.ok);
  const manifest = JSON.parse(readFileSync(path.join(CORPUS, `${name}.manifest.json`), 'utf8')) as Manifest;
  const directory = openDirectory(kind, image.value.memory, registersOf(kind, manifest));
  assert.ok(directory.ok);
  return directory.value;
}

/** A domain of the image. */
interface GuestDomain {
  readonly space: AddressSpace;
  readonly requesters: RequesterId[];
  readonly runs: readonly ListedRun[];
}

function domainsOf(directory: DeviceDirectory): readonly GuestDomain[] {
  const domains = new Map<number, GuestDomain>();
  for (const device of directory.devices()) {
    if (device?.lookup.answer.kind !== 'table') continue;
    const { space } = device.lookup.answer;
    const known = domains.get(space.root) ?? { space, requesters: [], runs: runsOf(space) };
    known.requesters.push(requesterId(device.requester));
    domains.set(space.root, known);
  }
  return [...domains.values()];
}

/** Empty tables as one of the guest's has them. */
function makeDomain(
  bench: InvalidationBench,
  { pageShifts }: Guest,
  { stage, format, lowEnd, highStart }: AddressSpace,
  id: number,
): KernelDomain {
  const { rootDepth } = format;
  const root = (format.levels[rootDepth]?.indexMask ?? 0) + 1;
  return bench.domain(id, {
    format: format.format,
    hardware: format.hardware,
    rootDepth,
    ...(stage === 1 || root !== 512 ? { rootIndexBits: Math.log2(root) } : {}),
    ends: { lowEnd, highStart },
    stage,
    ...(pageShifts ? { pageShifts } : {}),
  });
}

function replay(guest: Guest, images: readonly GuestDomain[], traced: TracedGuest): readonly AddressSpace[] {
  const bench = new InvalidationBench(guest.kind, {});
  const { driver } = bench;
  const [last] = images.slice(-1);
  assert.ok(last);
  const gone = Array.from({ length: traced.goneDomains }, () => ({ ...last, requesters: [] }));
  const domains = [...images, ...gone].map(({ space, requesters }, index) => {
    const domain = makeDomain(bench, guest, space, index + 4);
    for (const requester of requesters)
      valueOf(bench.run(driver.attach(requester, null, { kind: 'paging', domain })));
    return domain;
  });
  for (const [index, pages] of traced.untraced.entries())
    for (const page of pages) valueOf(bench.run(tablesOf(domains, index).map(page, page, 1, 3)));
  const gathers = domains.map(() => new Gather());
  for (const [index, event] of traced.events.entries()) {
    const { kind, domain, page, pages, gone, frame, permission } = event;
    const tables = tablesOf(domains, domain);
    if (kind === 'map') {
      const step = index < (guest.early ?? 0) ? 1 : pages;
      for (let at = 0; at < pages; at += step)
        valueOf(bench.run(tables.map(page + at, frame + at, step, permission)));
    } else assert.equal(valueOf(bench.run(tables.unmap(page, pages, gathers[domain]))), gone);
    // As a flush queue: many at once.
    if (index % FLUSHED_TOGETHER === 0) flush(bench, domains, gathers);
  }
  flush(bench, domains, gathers);
  for (const { tables } of domains.slice(images.length)) assert.deepEqual(runsOf(tables.space), []);
  const opened = openDirectory(guest.kind, bench.memory, bench.iommu.registers);
  assert.ok(opened.ok);
  return images.map(({ requesters: [requester] }) => {
    assert.ok(requester !== undefined);
    const { answer } = opened.value.lookup(requester, null);
    assert.ok(answer.kind === 'table');
    return answer.space;
  });
}

function flush(bench: InvalidationBench, domains: readonly KernelDomain[], gathers: Gather[]): void {
  for (const [index, gather] of gathers.entries()) {
    valueOf(bench.run(tablesOf(domains, index).sync(gather)));
    gathers[index] = new Gather();
  }
}

const tablesOf = (domains: readonly KernelDomain[], index: number) => {
  const domain = domains[index];
  assert.ok(domain);
  return domain.tables;
};

describe('map and unmap events of real guests', function () {
  this.timeout(60_000);
  for (const guest of GUESTS) {
    it(`drive the driver to the pages of the image: ${guest.name}`, async () => {
      const images = domainsOf(await openGuest(guest));
      const traced = traceOf(
        guest.name,
        images.map(({ runs }) => runs),
      );
      const untraced = traced.untraced.flat().sort((one, other) => one - other);
      assert.deepEqual(
        untraced,
        Array.from({ length: guest.untraced ?? 0 }, (_, page) => page),
      );
      const spaces = replay(guest, images, traced);
      for (const [index, { runs }] of images.entries()) {
        const space = spaces[index];
        assert.ok(space);
        assert.deepEqual(runsOf(space), runs);
      }
    });
  }
});
