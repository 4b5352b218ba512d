import {
  RootSearch,
  type FoundRoots,
  type RootCandidate as Candidate,
  type SearchedMemory,
} from '../../engine/roots/index';
import { FRAME_BYTES } from '../../engine/values';
import { parseDescription, writeDescription, type ImageDescription } from '../../image/description/index';
import { openImage, recogniseImage } from '../../image/openImage';
import { type ImagePlatform } from '../../image/platform';
import { type Failure } from '../../engine/result';
import { RequestError } from '../requestError';
import { type RootCandidate, type RootsParams, type RootsResult } from '../roots';
import { runInSlices, type CallContext, type Scheduling } from '../work';

const LOOKED =
  'Looked for VT-d root tables (legacy and scalable), AMD-Vi device tables, SMMUv3 stream tables (linear and 2-level) and ' +
  'RISC-V device directories (1 to 3 levels) whose device entries, and the page tables below them, are in the image.';

/** Looks for roots in an image without opening it as a source: nothing need be known of it. */
export async function findRoots(
  { image, description }: RootsParams,
  platform: ImagePlatform,
  context: CallContext,
  scheduling: Scheduling,
): Promise<RootsResult> {
  const described = description === undefined ? undefined : orThrow(parseDescription(description));
  const { needsSegments } = orThrow(await recogniseImage(image, platform));
  const fromZero = needsSegments && described?.segments === undefined;
  const segments = fromZero ? [{ paddr: 0, offset: 0 }] : described?.segments;
  const opened = await openImage(image, { ...context, platform, ...(segments ? { segments } : {}) });
  const { memory, format, problems } = orThrow(opened);
  try {
    const found = await search(memory, memory.ranges(memory.segments), memory.name, context, scheduling);
    const file = described?.file ?? memory.name;
    const place: Place = segments ? { file, segments } : { file };
    return {
      image: { name: memory.name, format, bytesRead: BigInt(found.frames * FRAME_BYTES), fromZero },
      candidates: found.candidates.map((candidate) => candidateRow(candidate, place)),
      looked: LOOKED,
      notes: [...problems.map(({ message }) => message), ...notesOf(found)],
    };
  } finally {
    memory.close();
  }
}

function search(
  memory: SearchedMemory,
  ranges: ConstructorParameters<typeof RootSearch>[1],
  name: string,
  { signal, onProgress }: CallContext,
  scheduling: Scheduling,
): Promise<FoundRoots> {
  const found = new RootSearch(memory, ranges);
  const tell = (): void => onProgress({ message: `Searching ${name}`, fraction: found.fraction });
  return runInSlices(found.run(), { signal, onProgress: tell }, scheduling);
}

type Place = Pick<ImageDescription, 'file' | 'segments'>;

function candidateRow(candidate: Candidate, place: Place): RootCandidate {
  const { kind, address, structure, registers, assumed, strength, evidence, findings } = candidate;
  const iommu = { name: kind === 'vt-d' ? 'dmar0' : 'iommu0', kind, segment: 0, registers };
  return {
    kind,
    mode: evidence.mode,
    address: BigInt(address),
    structure,
    registers: [...registers].map(([name, value]) => ({ name, value })),
    assumed,
    strength,
    evidence,
    findings,
    description: writeDescription({ version: 1, ...place, iommus: [iommu] }),
  };
}

function notesOf({ cutShort, unread }: FoundRoots): string[] {
  return [
    ...(cutShort
      ? ['There were more frames that look like device structures than are kept; the rest was left out.']
      : []),
    ...(unread > 0 ? [`${unread.toLocaleString('en')} more places, all less likely, were not read.`] : []),
  ];
}

type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

function orThrow<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new RequestError(answer.failure);
  return answer.value;
}
