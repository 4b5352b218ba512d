import { type Result, success } from '../engine/result';
import { type ByteSource, bytesSource } from '../bytes/byteSource';
import { isGzip } from './gzip';
import { type MemoryImage } from './memoryImage';
import { type ImagePlatform } from './platform';
import { type ImageProblem } from './problems';
import { chooseReader, HEAD_BYTES } from './readers/index';
import { type DescribedSegment } from './readers/describedSegment';
import { type DumpedIommu, type ReadImage } from './readers/reader';
export { type DumpedIommu } from './readers/reader';
import { type CancelSignal, type Progress, type Task } from '../bytes/task';

/** Bytes of a file: a path to read by ranges, or the bytes themselves. */
export type ImageFile =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'bytes'; readonly name: string; readonly bytes: Uint8Array };

export interface OpenImageOptions {
  readonly platform: ImagePlatform;
  /** Where pieces of the file belong; offsets count in the inflated file. With them the file is read as raw. */
  readonly segments?: readonly DescribedSegment[];
  /** Take a file without headers as memory from physical address 0 on. */
  readonly assumeFromZero?: boolean;
  readonly signal?: CancelSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface OpenedImage {
  /** The caller closes it. */
  readonly memory: MemoryImage;
  /** For people: `ELF64 core, gzip`. */
  readonly format: string;
  readonly problems: readonly ImageProblem[];
  /** Present when the file says itself which IOMMUs there are. */
  readonly iommus?: readonly DumpedIommu[];
}

/**
 * Opens a memory image: recognises its format by content (not by name), inflates it when it is packed, reads its headers.
 * The one door to images. Never throws on bad input; on failure nothing stays open.
 */
export async function openImage(file: ImageFile, options: OpenImageOptions): Promise<Result<OpenedImage>> {
  const { platform, signal, onProgress } = options;
  const task: Task = {
    pause: () => platform.pause(),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  };
  const opened = openFile(file, platform);
  if (!opened.ok) return opened;
  const unpacked = await unpack(opened.value, platform, task);
  if (!unpacked.ok) return unpacked;
  const { source, packed, problem } = unpacked.value;
  const result = await openPlain(source, options, task);
  if (!result.ok) {
    source.close();
    return result;
  }
  const { memory, problems, iommus } = result.value;
  return success({
    memory,
    format: packed ? `${memory.format}, gzip` : memory.format,
    problems: problem ? [problem, ...problems] : problems,
    ...(iommus && { iommus }),
  });
}

function openFile(file: ImageFile, platform: ImagePlatform): Result<ByteSource> {
  return file.kind === 'path' ? platform.openPath(file.path) : success(bytesSource(file.name, file.bytes));
}

interface Unpacked {
  readonly source: ByteSource;
  readonly packed: boolean;
  readonly problem?: ImageProblem;
}

/** Takes over `source`: on success it is in the result or closed, on failure closed. */
async function unpack(source: ByteSource, platform: ImagePlatform, task: Task): Promise<Result<Unpacked>> {
  if (!isGzip(readHead(source))) return success({ source, packed: false });
  try {
    const inflated = await platform.inflate(source, task);
    return inflated.ok ? success({ ...inflated.value, packed: true }) : inflated;
  } finally {
    source.close();
  }
}

async function openPlain(
  source: ByteSource,
  options: OpenImageOptions,
  task: Task,
): Promise<Result<ReadImage>> {
  const { segments, assumeFromZero } = options;
  const reader = chooseReader(readHead(source), source.name, segments !== undefined);
  if (!reader.ok) return reader;
  return await reader.value.open(source, {
    ...task,
    ...(segments && { segments }),
    ...(assumeFromZero !== undefined && { assumeFromZero }),
  });
}

function readHead(source: ByteSource): Uint8Array {
  const head = new Uint8Array(Math.min(HEAD_BYTES, source.size));
  return head.subarray(0, source.read(0, head));
}

/** What a file is, without reading it all. */
export interface RecognisedImage {
  /** `elf-core`, `kdump`, `flattened`, `text-dump`, `raw`, and `gzip of` each of them. */
  readonly format: string;
  /** True when a description has to say where the bytes stood in physical memory. */
  readonly needsSegments: boolean;
  /** True when it opens without a description. */
  readonly describesItself: boolean;
}

/** Recognises a file by its first bytes. */
export async function recogniseImage(
  file: ImageFile,
  platform: ImagePlatform,
): Promise<Result<RecognisedImage>> {
  const opened = openFile(file, platform);
  if (!opened.ok) return opened;
  const source = opened.value;
  try {
    const first = readHead(source);
    const packed = isGzip(first);
    const head = packed ? await platform.inflateHead(source, HEAD_BYTES) : first;
    const reader = chooseReader(head, source.name, false);
    if (!reader.ok) return reader;
    const { id, needsSegments, describesItself = false } = reader.value;
    return success({ format: packed ? `gzip of ${id}` : id, needsSegments, describesItself });
  } finally {
    source.close();
  }
}
