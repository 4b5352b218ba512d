import { decodeFields } from '../engine/bits/bitFields';
import { type DeviceDirectory, type VendorWords } from '../engine/directory/deviceDirectory';
import { openDirectory } from '../engine/directory/index';
import { parseDescription, type DescribedIommu } from '../image/description/index';
import { type MemoryImage } from '../image/memoryImage';
import { openImage, recogniseImage } from '../image/openImage';
import { type ImagePlatform } from '../image/platform';
import { firmwareOf } from './firmware';
import { Inspection, type OpenIommu } from './inspection';
import {
  type IommuSummary,
  type OpenParams,
  type Params,
  type RegisterValue,
  type ResultOf,
  type SourceProblem,
} from './protocol';
import { RequestError, refuse } from './requestError';
import { runInSlices, type CallContext, type Scheduling } from './work';

/** Opens a source: description, image, then the directory of each IOMMU. An IOMMU that cannot be read stops no other. */
export async function openInspection(
  params: OpenParams,
  platform: ImagePlatform,
  context: CallContext,
  scheduling: Scheduling,
): Promise<Inspection> {
  const described = parseDescription(params.description);
  if (!described.ok) throw new RequestError(described.failure);
  const { segments, iommus } = described.value;
  const opened = await openImage(params.image, { ...context, platform, ...(segments ? { segments } : {}) });
  if (!opened.ok) throw new RequestError(opened.failure);
  const { memory, format, problems } = opened.value;
  const firmware = await runInSlices(firmwareOf(memory, iommus.length > 1), context, scheduling);
  const openIommus = iommus.map((iommu) => openIommu(memory, iommu));
  return new Inspection(
    {
      inspection: params.inspection,
      image: {
        name: memory.name,
        format,
        bytesHeld: BigInt(memory.bytesHeld),
        segments: memory.segments,
        highestAddress: BigInt(memory.highestAddress),
      },
      iommus: openIommus.map(({ summary }) => summary),
      problems: [...problems, ...openIommus.flatMap(directoryProblems)],
    },
    memory,
    openIommus,
    firmware,
  );
}

/** For an IOMMU whose directory cannot be opened. */
const ANY_WORDS: VendorWords = {
  requester: 'requester id',
  pasid: 'PASID',
  stage1Tag: 'domain',
  stage2Tag: 'domain',
  contextEntry: 'device entry',
};

function openIommu(memory: MemoryImage, described: DescribedIommu): OpenIommu {
  const { name, kind, segment, registers } = described;
  const opened = openDirectory(kind, memory, registers);
  const directory = opened.ok ? opened.value : undefined;
  const summary: IommuSummary = {
    name,
    kind,
    segment,
    mode: directory?.mode ?? kind,
    translating: directory !== undefined && directory.off === undefined,
    ...(directory?.off ? { off: directory.off.why } : {}),
    words: directory?.words ?? ANY_WORDS,
    registers: directory ? decoded(directory) : [],
    ...(opened.ok ? {} : { failure: opened.failure }),
  };
  return { summary, described, directory };
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

function decoded(directory: DeviceDirectory): RegisterValue[] {
  return directory.registers.map(({ name, value, layout }) => ({
    name,
    value,
    fields: decodeFields(value, layout),
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
