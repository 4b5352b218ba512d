/** The roots of real guests, found without a word from their manifests, alone and in a memory full of other things. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { RootSearch, type RootCandidate } from '../../src/engine/roots/index';
import { openImage } from '../../src/image/openImage';
import { nodeImagePlatform } from '../../src/inspection/node/inflate';
import { type RootsResult } from '../../src/inspection/protocol';
import { framesOf, NoisyMemory } from '../builders/noisyMemory';
import { sharedEngine } from './engine';
import { CORPUS } from './manifest';

/** A guest, and the register that names its root. SMMUv3 and RISC-V guests have a second one that tells the form. */
const GUESTS = [
  ['vtd-small-share', 'RTADDR'],
  ['vtd-legacy-share', 'RTADDR'],
  ['vtd-pt-share', 'RTADDR'],
  ['vtd-sm-fl-share', 'RTADDR'],
  ['vtd-sm-sl-share', 'RTADDR'],
  ['amd-share', 'DevTabBase'],
  ['smmuv3-4k-share', 'STRTAB_BASE'],
  ['smmuv3-4k-s2-share', 'STRTAB_BASE'],
  ['smmuv3-4k-nestedhw-share', 'STRTAB_BASE'],
  ['smmuv3-16k-share', 'STRTAB_BASE'],
  ['smmuv3-pt-share', 'STRTAB_BASE'],
  ['riscv-share', 'ddtp'],
  ['riscv-sv39-share', 'ddtp'],
  ['riscv-pt-share', 'ddtp'],
  ['riscv-debian-share', 'ddtp'],
] as const;
type Guest = (typeof GUESTS)[number];

const MIB_FRAMES = 256;
/** STRTAB_BASE.RA is a hint for caches. */
const HINTS = 1n << 62n;
const MSI_FLAT = 1n << 22n;

type Registers = Readonly<Record<string, bigint | undefined>>;

/** The registers of the guest that a search can know of, as its manifest has them. */
function trueRegisters([name, register]: Guest): Registers {
  const { roots } = JSON.parse(readFileSync(path.join(CORPUS, `${name}.manifest.json`), 'utf8')) as {
    roots: Readonly<Record<string, string>>;
  };
  const value = BigInt(roots[register] ?? 0);
  if (register === 'STRTAB_BASE') {
    return { STRTAB_BASE: value & ~HINTS, STRTAB_BASE_CFG: BigInt(roots['STRTAB_BASE_CFG'] ?? 0) };
  }
  const flat = BigInt(roots['capabilities'] ?? 0) & MSI_FLAT;
  return register === 'ddtp' ? { ddtp: value, capabilities: flat } : { [register]: value };
}

/** Requires that one of the first three candidates has the guest's registers. */
function requireRoot(guest: Guest, candidates: readonly Registers[]): void {
  const expected = trueRegisters(guest);
  const first = candidates.slice(0, 3).map(({ capabilities, ...others }) => ({
    ...others,
    ...(capabilities === undefined ? {} : { capabilities: capabilities & MSI_FLAT }),
  }));
  const same = first.some((registers: Registers) =>
    Object.entries(expected).every(([name, value]) => registers[name] === value),
  );
  assert.ok(same, `${guest[0]}: ${text(expected)} is not among ${first.map(text).join('; ') || 'none'}`);
}

const text = (registers: Registers): string =>
  Object.entries(registers)
    .map(([name, value]) => `${name} 0x${(value ?? 0n).toString(16)}`)
    .join(', ');

/** The guest's frames at their addresses in a memory of this size, everything else noise and old copies. */
async function inNoise([name]: Guest, mebibytes: number, seed: number): Promise<NoisyMemory> {
  const opened = await openImage(
    { kind: 'path', path: path.join(CORPUS, `${name}.elf.gz`) },
    { platform: nodeImagePlatform() },
  );
  assert.ok(opened.ok);
  const { memory } = opened.value;
  const frames = framesOf(memory, memory.ranges(memory.segments));
  memory.close();
  return new NoisyMemory(frames, { seed, frames: mebibytes * MIB_FRAMES, copies: 4 });
}

function candidatesOf(memory: NoisyMemory): readonly RootCandidate[] {
  const work = new RootSearch(memory, memory.ranges).run();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value.candidates;
  }
}

const imageOf = (name: string) => ({ kind: 'path', path: path.join(CORPUS, `${name}.elf.gz`) }) as const;

const searched = new Map<string, Promise<RootsResult>>();
/** What the engine finds in the image of a guest, searched once for all tests. */
function foundIn(name: string): Promise<RootsResult> {
  const known =
    searched.get(name) ?? sharedEngine().then((engine) => engine.request('roots', { image: imageOf(name) }));
  searched.set(name, known);
  return known;
}

describe('Find IOMMU Roots', () => {
  before('builds what is old', async function () {
    this.timeout(300_000);
    await sharedEngine();
  });

  for (const guest of GUESTS) {
    it(`finds the root of ${guest[0]} in its image`, async () => {
      const { candidates } = await foundIn(guest[0]);
      requireRoot(
        guest,
        candidates.map(({ registers }) =>
          Object.fromEntries(registers.map(({ name, value }) => [name, value])),
        ),
      );
    });
  }

  for (const guest of GUESTS) {
    it(`finds the root of ${guest[0]} in 16 MiB of noise with old copies of its tables`, async function () {
      this.timeout(120_000);
      const candidates = candidatesOf(await inNoise(guest, 16, 7));
      requireRoot(
        guest,
        candidates.map(({ registers }) => Object.fromEntries(registers)),
      );
    });
  }

  it('finds a root in 1 GiB of noise with old copies of its tables', async function () {
    this.timeout(300_000);
    const guest = ['vtd-sm-sl-share', 'RTADDR'] as const;
    const memory = await inNoise(guest, 1024, 3);
    const bytes = memory.ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    assert.ok(bytes >= 2 ** 30);
    requireRoot(
      guest,
      candidatesOf(memory).map(({ registers }) => Object.fromEntries(registers)),
    );
  });

  it('gives descriptions that open with the devices that it counted', async () => {
    const engine = await sharedEngine();
    for (const [name] of GUESTS) {
      const image = imageOf(name);
      const [best] = (await foundIn(name)).candidates;
      assert.ok(best);
      const inspection = `roots of ${name}`;
      const { description } = best;
      const { iommus, problems } = await engine.request('open', { inspection, description, image });
      const { total } = await engine.request('devices', { inspection, page: { limit: 1 } });
      await engine.request('close', { inspection });
      assert.deepEqual(
        [iommus[0]?.mode, iommus[0]?.failure, total],
        [best.mode, undefined, best.evidence.devices],
      );
      assert.deepEqual(problems, []);
    }
  });
});
