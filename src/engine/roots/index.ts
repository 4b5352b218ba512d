import { type PhysicalMemory } from '../memory/physicalMemory';
import { FRAME_BYTES } from '../values';
import { amdRoots } from './amd';
import { gatherEvidence, type Budget, type Evidence } from './evidence';
import { FoundFrames } from './foundFrames';
import { scanFrames, wholeFrames, type HeldRange, type ReadBytes } from './frameScan';
import { type RootKind, type RootProposal, type RootVendor } from './proposal';
import { riscvRoots } from './riscv';
import { findingsOf, isBare, promiseOf, scoreOf, strengthOf, type Strength } from './score';
import { smmuv3Roots } from './smmuv3';
import { vtdRoots } from './vtd';

export type { Evidence as RootSearchEvidence } from './evidence';
export type { HeldRange } from './frameScan';
export type { RootKind } from './proposal';
export type { Strength } from './score';

/** Every vendor whose roots are looked for; adding one adds a file and a line. */
const VENDORS: readonly RootVendor[] = [vtdRoots, amdRoots, smmuv3Roots, riscvRoots];
/** Proposals of one vendor of which a little is read, and all those of which more is read then. */
const MOST_TRIED = 24;
const MOST_READ = 16;
/** Proposals of one vendor that name no tables at all: counters and flags look like them. */
const MOST_BARE = 6;
const A_LITTLE: Budget = { steps: 2 ** 10, entries: 2 ** 14 };
const MORE: Budget = { steps: 2 ** 13, entries: 2 ** 18 };
/** Candidates that are given. */
const MOST_CANDIDATES = 16;
/** The first pass reads everything, the rest only what it found. */
const SCAN_PART = 0.9;

/** What is searched: memory by frames, and by stretches for the first pass. */
export interface SearchedMemory extends PhysicalMemory {
  readonly read: ReadBytes;
}

/** A place that may be the root of an IOMMU's structures. */
export interface RootCandidate {
  readonly kind: RootKind;
  /** Physical byte address. */
  readonly address: number;
  /** `root table`, `device table` */
  readonly structure: string;
  /** What the registers would say, ready for a description. */
  readonly registers: ReadonlyMap<string, bigint>;
  /** Registers among them whose value the memory does not tell, or not all of it. */
  readonly assumed: readonly string[];
  readonly strength: Strength;
  /** Higher is more likely; comparable within one search only. */
  readonly score: number;
  readonly evidence: Evidence;
  /** What was checked, a sentence each. */
  readonly findings: readonly string[];
}

export interface FoundRoots {
  /** The likeliest first. */
  readonly candidates: readonly RootCandidate[];
  /** Frames read. */
  readonly frames: number;
  /** True when there were more frames of a form than are kept. */
  readonly cutShort: boolean;
  /** Proposals that were not read because so many others were likelier. */
  readonly unread: number;
}

/**
 * Looks for the roots of IOMMU structures in a memory of which nothing is known. First every frame is read once and told by
 * its form, then the frames that lead to others are matched with them, then each proposal is opened as a directory and all
 * that is below it is read.
 */
export class RootSearch {
  /** How far the search has come, 0 to 1. */
  fraction = 0;
  readonly #memory: SearchedMemory;
  readonly #ranges: readonly HeldRange[];

  /** @param ranges What the memory holds, by ascending address. */
  constructor(memory: SearchedMemory, ranges: readonly HeldRange[]) {
    this.#memory = memory;
    this.#ranges = ranges;
  }

  /** Yields what was read since the last yield: entries of tables. */
  *run(): Generator<number, FoundRoots> {
    const held = wholeFrames(this.#ranges);
    const total = held.reduce((sum, { start, end }) => sum + end - start, 0);
    const found = new FoundFrames(this.#memory, held.at(-1)?.end ?? 0);
    const signatures = VENDORS.flatMap((vendor) => vendor.signatures);
    let frames = 0;
    for (const step of scanFrames(this.#memory.read.bind(this.#memory), this.#ranges, signatures, found)) {
      frames += step;
      this.fraction = (SCAN_PART * frames) / total;
      yield step * (FRAME_BYTES / 8);
    }
    const proposals: RootProposal[] = [];
    let unread = 0;
    for (const vendor of VENDORS) {
      const worth = (yield* vendor.propose(found)).filter((proposal) => promiseOf(proposal) > 0);
      worth.sort((a, b) => promiseOf(b) - promiseOf(a) || a.frame - b.frame);
      let bare = 0;
      const some = worth.filter((proposal) => !isBare(proposal) || bare++ < MOST_BARE).slice(0, MOST_TRIED);
      unread += worth.length - some.length;
      proposals.push(...some);
    }
    const tried = yield* this.#read(proposals, A_LITTLE);
    const likeliest = ranked(tried).slice(0, MOST_READ);
    const read = yield* this.#read(
      likeliest.map(({ proposal }) => proposal),
      MORE,
    );
    this.fraction = 1;
    const candidates = ranked(read).slice(0, MOST_CANDIDATES).map(candidate);
    return { candidates, frames, cutShort: found.overflowed, unread };
  }

  *#read(proposals: readonly RootProposal[], budget: Budget): Generator<number, Read[]> {
    const read: Read[] = [];
    const from = this.fraction;
    for (const [index, proposal] of proposals.entries()) {
      const evidence = yield* gatherEvidence(this.#memory, proposal, budget);
      if (evidence) read.push({ proposal, evidence, score: scoreOf(proposal, evidence) });
      this.fraction = from + (((1 - SCAN_PART) / 2) * (index + 1)) / proposals.length;
    }
    return read;
  }
}

interface Read {
  readonly proposal: RootProposal;
  readonly evidence: Evidence;
  readonly score: number;
}

/** The best, without those that are parts of a better one. */
function ranked(read: readonly Read[]): Read[] {
  const kept: Read[] = [];
  const order = [...read].sort((a, b) => b.score - a.score || a.proposal.frame - b.proposal.frame);
  for (const each of order) {
    if (each.score <= 0) break;
    if (each.evidence.devices > 0 && !kept.some((better) => isPart(each.proposal, better.proposal)))
      kept.push(each);
  }
  return kept;
}

/** Whether a proposal is a piece of another one, rather than another reading of the same frames. */
function isPart(one: RootProposal, whole: RootProposal): boolean {
  if (one.kind !== whole.kind) return false;
  if (one.frame === whole.frame && one.frames === whole.frames) return false;
  const inside = one.frame >= whole.frame && one.frame + one.frames <= whole.frame + whole.frames;
  return inside || whole.parts.includes(one.frame);
}

function candidate({ proposal, evidence, score }: Read): RootCandidate {
  return {
    kind: proposal.kind,
    address: proposal.frame * FRAME_BYTES,
    structure: proposal.structure,
    registers: proposal.registers,
    assumed: proposal.assumed,
    strength: strengthOf(proposal, evidence),
    score,
    evidence,
    findings: findingsOf(proposal, evidence),
  };
}
