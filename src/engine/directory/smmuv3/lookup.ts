import { type PhysicalMemory } from '../../memory/physicalMemory';
import { type AddressSpace } from '../../pageTable/addressSpace';
import { READ_WRITE } from '../../pageTable/entryClass';
import { type DirectoryAnswer, type StructureEntry } from '../deviceDirectory';
import { PASSES } from '../gate';
import { refusal, type Refusal } from '../structures';
import { readContext } from './contextTable';
import { readCd, type Cd } from './contexts';
import { intermediateBits, type SmmuFeatures } from './features';
import { SmmuSpaces } from './spaces';
import { cdProblem, isPrivileged, regionsWalked, stage1Regime, streamWorld } from './stage1';
import { stage2Regime } from './stage2';
import { steProblem } from './steChecks';
import { type StreamTable } from './streams';
import { CONFIG_BYPASS, CONFIG_STAGE1, CONFIG_STAGE2, readSte, type Ste } from './streamTable';

const DSS_BYPASS = 1;
export const DSS_SUBSTREAM_0 = 2;

/** What a request's StreamID and SubstreamID lead to (IHI 0070 3.3.3). */
export class SmmuLookup {
  readonly #memory: PhysicalMemory;
  readonly #features: SmmuFeatures;
  readonly #streams: StreamTable;
  readonly #spaces: SmmuSpaces;

  constructor(memory: PhysicalMemory, features: SmmuFeatures, streams: StreamTable) {
    this.#memory = memory;
    this.#features = features;
    this.#streams = streams;
    this.#spaces = new SmmuSpaces(memory);
  }

  /** An STE as the hardware takes it: without SubstreamIDs S1CDMax is ignored. */
  read({ words }: StructureEntry): Ste {
    const ste = readSte(words);
    return this.#features.substreamIdBits === 0 ? { ...ste, contextsLog2: 0 } : ste;
  }

  answer(stream: number, substream: number | null, entries: StructureEntry[]): DirectoryAnswer {
    const entry = this.#streams.read(stream, entries);
    if ('fault' in entry) return entry;
    const ste = this.read(entry);
    if (!ste.valid) return refusal('context-entry-not-present', 'The STE is not valid (V = 0).');
    if (ste.config < CONFIG_BYPASS) {
      return refusal(
        'translation-blocked',
        `STE.Config is ${ste.config}: requests are aborted, and no event is recorded.`,
      );
    }
    const problem = steProblem(this.#features, ste);
    if (problem !== undefined) return refusal('context-entry-invalid', `The STE is illegal: ${problem}`);
    const stage2 = (ste.config & CONFIG_STAGE2) === 0 ? undefined : this.#stage2(ste);
    if (typeof stage2 === 'string') return refusal('context-entry-invalid', `The STE is illegal: ${stage2}`);
    if (stage2 && 'fault' in stage2) return stage2;
    if ((ste.config & CONFIG_STAGE1) === 0) {
      return substream === null
        ? this.#bypass(stage2)
        : refusal(
            'pasid-not-supported',
            'Requests with a SubstreamID are aborted: STE.Config has no stage 1.',
          );
    }
    const context = this.#substream(ste, substream);
    if (context === 'bypass') return this.#bypass(stage2);
    return typeof context === 'number' ? this.#stage1(ste, context, stage2, entries) : context;
  }

  /** Which context descriptor a request uses (IHI 0070 5.2 S1CDMax, S1DSS). */
  #substream(ste: Ste, substream: number | null): number | 'bypass' | DirectoryAnswer {
    if (ste.contextsLog2 === 0) {
      if (substream === null) return 0;
      const why = this.#features.substreamIdBits === 0 ? 'IDR1.SSIDSIZE is 0' : 'STE.S1CDMax is 0';
      return refusal('pasid-not-supported', `Requests with a SubstreamID are aborted: ${why}.`);
    }
    if (substream === null) {
      if (ste.withoutSubstream === DSS_BYPASS) return 'bypass';
      if (ste.withoutSubstream === DSS_SUBSTREAM_0) return 0;
      const why = `Requests without a SubstreamID are aborted: STE.S1DSS is ${ste.withoutSubstream} (F_STREAM_DISABLED).`;
      return refusal('translation-blocked', why);
    }
    if (substream >= 2 ** ste.contextsLog2) {
      const why = `SubstreamID ${substream} is beyond the ${2 ** ste.contextsLog2} context descriptors of the stream.`;
      return refusal('pasid-out-of-range', why);
    }
    if (substream === 0 && ste.withoutSubstream === DSS_SUBSTREAM_0) {
      const why = 'SubstreamID 0 is of requests without a SubstreamID: STE.S1DSS is 2 (F_STREAM_DISABLED).';
      return refusal('translation-blocked', why);
    }
    return substream;
  }

  #bypass(stage2: AddressSpace | undefined): DirectoryAnswer {
    if (!stage2) return passes(this.#features);
    const addressBits = intermediateBits(this.#features);
    return {
      kind: 'table',
      space: stage2,
      ...(addressBits === undefined ? {} : { addressBits }),
      permission: READ_WRITE,
    };
  }

  #stage2(ste: Ste): AddressSpace | Refusal | string {
    const regime = stage2Regime(this.#features, ste);
    const good = typeof regime !== 'string' && !('fault' in regime);
    return good ? this.#spaces.stage2(ste.vmid, regime) : regime;
  }

  #stage1(
    ste: Ste,
    substream: number,
    stage2: AddressSpace | undefined,
    entries: StructureEntry[],
  ): DirectoryAnswer {
    const entry = readContext(this.#memory, stage2, ste, substream, entries);
    if ('kind' in entry) return entry;
    const cd = readCd(entry.words);
    if (!cd.valid)
      return refusal('process-entry-not-present', 'The context descriptor is not valid (V = 0).');
    const world = streamWorld(this.#features, ste) ?? { single: false };
    const problem = cdProblem(this.#features, ste, world, cd);
    if (problem !== undefined) {
      if (typeof problem !== 'string') return problem;
      return refusal('process-entry-invalid', `The context descriptor is illegal: ${problem}`);
    }
    const privileged = isPrivileged(this.#features, ste, world);
    const spaces: (AddressSpace | undefined)[] = [undefined, undefined];
    for (const region of regionsWalked(world, cd)) {
      const regime = stage1Regime(this.#features, world, cd, region, privileged);
      if (typeof regime === 'string') {
        return refusal('process-entry-invalid', `The context descriptor is illegal: ${regime}`);
      }
      spaces[region.region] = this.#spaces.stage1(regime, {
        asid: world.single ? 0 : cd.asid,
        upper: region.region === 1,
        ignoresTopByte: region.ignoresTopByte,
        stage2,
      });
    }
    return tableAnswer(spaces, world.single ? {} : blockedRanges(this.#features, cd, privileged));
  }
}

interface Blocked {
  readonly lower?: string;
  readonly upper?: string;
}

function tableAnswer(
  [lower, upper]: readonly (AddressSpace | undefined)[],
  blocked: Blocked,
): DirectoryAnswer {
  const space = lower ?? upper;
  if (!space || (blocked.lower !== undefined && blocked.upper !== undefined)) {
    const why = [...new Set([blocked.lower, blocked.upper])].join(' ');
    return refusal('translation-blocked', why);
  }
  return {
    kind: 'table',
    space,
    ...(lower && upper ? { upper } : {}),
    ...(Object.keys(blocked).length === 0 ? {} : { blocked }),
    permission: READ_WRITE,
  };
}

/** Why no table is walked for the lower and for the upper addresses: both end in F_TRANSLATION (IHI 0070 5.4). */
function blockedRanges(features: SmmuFeatures, cd: Cd, privileged: boolean): Blocked {
  const [lower, upper] = cd.regions.map(({ region, disabled, deniesUnprivileged }) => {
    if (disabled) return `CD.EPD${region} is 1: TTB${region} is not walked (F_TRANSLATION).`;
    const denied = deniesUnprivileged && !privileged && features.deniesUnprivileged === true;
    return denied ? `CD.E0PD${region} is 1: unprivileged requests fault (F_TRANSLATION).` : undefined;
  });
  return { ...(lower === undefined ? {} : { lower }), ...(upper === undefined ? {} : { upper }) };
}

/** What requests meet that pass untranslated: addresses end with physical memory (IHI 0070 3.4). */
export function passes({ outputBits }: SmmuFeatures): DirectoryAnswer {
  if (outputBits === undefined) return PASSES;
  return { kind: 'pass-through', addressBits: outputBits, permission: READ_WRITE };
}
