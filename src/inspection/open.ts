import { openDirectory } from '../engine/directory/index';
import { openListed } from '../engine/directory/listed/index';
import { parseDescription, type DescribedIommu, type ImageDescription } from '../image/description/index';
import { type MemoryImage } from '../image/memoryImage';
import { openImage, recogniseImage, type DumpedIommu, type OpenedImage } from '../image/openImage';
import { type ImagePlatform } from '../image/platform';
import { firmwareOfRootPointer } from './firmware';
import { Inspection, type OpenIommu } from './inspection';
import { openMachine } from './machines/openMachine';
import { withDirectory } from './openIommu';
import {
  type OpenImageParams,
  type OpenMachineParams,
  type Params,
  type ResultOf,
  type SourceProblem,
} from './protocol';
import { RequestError, refuse } from './requestError';
import { runInSlices, type CallContext, type Scheduling } from './work';

/** Opens a machine, or an image: description, image, then the directory of each IOMMU. An IOMMU that cannot be read stops no other. */
export function openInspection(
  params: OpenImageParams | OpenMachineParams,
  platform: ImagePlatform,
  context: CallContext,
  scheduling: Scheduling,
): Promise<Inspection> {
  if ('machine' in params) return runInSlices(openMachine(params), context, scheduling);
  return openSource(params, platform, context);
}

async function openSource(
  params: OpenImageParams,
  platform: ImagePlatform,
  context: CallContext,
): Promise<Inspection> {
  const { segments, iommus: described } = describedBy(params.description);
  const opened = await openImage(params.image, { ...context, platform, ...(segments ? { segments } : {}) });
  if (!opened.ok) throw new RequestError(opened.failure);
  try {
    return inspect(params.inspection, opened.value, described);
  } catch (error) {
    opened.value.memory.close();
    throw error;
  }
}

/** What stands in an opened image. */
function inspect(
  inspection: string,
  { memory, format, problems, iommus: dumped }: OpenedImage,
  described: readonly DescribedIommu[] | undefined,
): Inspection {
  if (!described && !dumped) {
    return refuse(
      'image/no-description',
      `${memory.name} has no description, and does not say itself which IOMMUs there are.`,
      'Write a description beside it (NAME.iopte.json), or find the registers first: Find IOMMU Roots, or iopte roots.',
    );
  }
  const openIommus = described
    ? described.map((iommu) => openIommu(memory, iommu))
    : openDumped(memory, dumped ?? []);
  const firmware = firmwareOfRootPointer(memory);
  return new Inspection(
    {
      inspection,
      image: {
        name: memory.name,
        format,
        bytesHeld: BigInt(memory.bytesHeld),
        segments: memory.segments,
        highestAddress: BigInt(memory.highestAddress),
      },
      iommus: openIommus.map(({ summary }) => summary),
      problems: [
        ...problems,
        ...openIommus.flatMap(directoryProblems),
        ...firmware.problems.map((problem) => ({ ...problem, severity: 'warning' as const })),
      ],
    },
    memory,
    openIommus,
    firmware.ownership,
  );
}

/** What a description's text says; without a text nothing. */
function describedBy(text: string): Partial<Pick<ImageDescription, 'segments' | 'iommus'>> {
  if (text === '') return {};
  const described = parseDescription(text);
  if (!described.ok) throw new RequestError(described.failure);
  return described.value;
}

/** IOMMUs that the image itself tells of. Where it is one only, every device is its own. */
function openDumped(memory: MemoryImage, dumped: readonly DumpedIommu[]): OpenIommu[] {
  return dumped.map(({ described, listed }) => {
    const { requesters, ...all } = described;
    const own = dumped.length > 1 && requesters ? { ...all, requesters } : all;
    return withDirectory(own, openListed(memory, listed));
  });
}

function openIommu(memory: MemoryImage, described: DescribedIommu): OpenIommu {
  return withDirectory(described, openDirectory(described.kind, memory, described.registers));
}

/** What keeps devices of an IOMMU from being seen; said at once, and not only by each walk. */
function directoryProblems({ summary, directory }: OpenIommu): SourceProblem[] {
  if (!directory || directory.off) return [];
  return directory.problems().map((problem) => ({
    ...problem,
    severity: 'error',
    message: `${summary.name}: ${problem.message}`,
  }));
}

/** What a file is, before it is opened. */
export async function recognise(
  params: Params<'recognise'>,
  platform: ImagePlatform,
): Promise<ResultOf<'recognise'>> {
  const recognised = await recogniseImage(params.image, platform);
  if (!recognised.ok) {
    const { code, message, hint } = recognised.failure;
    return refuse(code, message, hint);
  }
  return recognised.value;
}
