import { failure, type Result, success } from '../../engine/result';
import { formatSize, hex } from '../../engine/values';
import { type ByteSource } from '../../bytes/byteSource';
import { MemoryImage, type MissingRange } from '../memoryImage';
import { reportOverlaps } from '../overlaps';
import { ProblemList } from '../problems';
import { PHYSICAL_END, SegmentList, SegmentMap, ZEROS } from '../segments';
import { CANCELLED } from '../../bytes/task';
import { findMisplacement } from './elfMisplacement';
import { type ElfHeader, exact64, isElf, PHDR_BYTES, PT_LOAD, readElfHeader, reason } from './elfHeader';
import { formatTitle, type ImageReader, type ReaderOptions, type ReadImage } from './reader';

const EM_AARCH64 = 183;
/** Program headers read in one piece, between two pauses. */
const HEADERS_PER_READ = 8192;
/** Truncated ranges that `explainMissing` names. */
const MISSING_KEPT = 1024;
const TITLE = 'ELF64 core';

/** One PT_LOAD, in bytes; Infinity where the file gives a number of more than 53 bits. */
interface Load {
  readonly index: number;
  readonly offset: number;
  readonly paddr: number;
  readonly vaddr: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
}

/**
 * ELF64 little-endian ET_CORE of physical memory, any machine: QEMU's dump-guest-memory, /proc/vmcore, makedumpfile -E.
 * Layout: System V ABI, ELF-64 object file format.
 */
export const elfCore: ImageReader = {
  id: 'elf-core',
  title: TITLE,
  needsSegments: false,
  recognise: isElf,
  async open(source, options) {
    const header = readElfHeader(source);
    return header.ok ? await new ElfCoreFile(source, header.value, options).open() : header;
  },
};

class ElfCoreFile {
  private readonly problems = new ProblemList();
  private readonly segments = new SegmentList();
  private readonly missing: MissingRange[] = [];
  private loads = 0;
  /** Bytes that the memory stands lower in the file than the headers say. */
  private shift = 0;
  /** Bytes past the end of the file that the segment with the highest end claims. */
  private shortfall = 0;
  private zeroBytes = 0;
  private outsidePhysical = 0;
  /** Set until a PT_LOAD has a physical address; then the first PT_LOAD, to compare. */
  private allAtZero = true;
  private differentBytes = false;
  private first: Load | undefined;

  constructor(
    private readonly source: ByteSource,
    private readonly header: ElfHeader,
    private readonly options: ReaderOptions,
  ) {}

  async open(): Promise<Result<ReadImage>> {
    this.findShift();
    const stopped = await this.readHeaders();
    if (stopped) return stopped;
    const refused = this.checkWhole();
    if (refused) return refused;
    this.reportWhole();
    const placed = await SegmentMap.build(this.segments, this.options);
    if (!placed.ok) return placed;
    const { map, overlaps, overlapCount } = placed.value;
    const memory = new MemoryImage({
      source: this.source,
      map,
      format: formatTitle(TITLE, this.options),
      missing: this.missing,
    });
    await reportOverlaps(overlaps, overlapCount, memory, this.source, this.problems, this.options);
    return success({ memory, problems: this.problems.all() });
  }

  /** Notices memory that stands lower than its headers say. */
  private findShift(): void {
    const { source, header } = this;
    const found = findMisplacement(source, header);
    if (!found) return;
    this.shift = found.shift;
    const { shift, declared } = found;
    this.problems.add(
      'warning',
      'image/elf-misplaced',
      `${source.name}: its headers place the memory ${shift} bytes (${hex(shift)}) too high: by them the file would have ` +
        `${declared} bytes, and it has ${source.size}. The notes before the memory end ${shift} bytes sooner than declared, ` +
        `and so do the section names after it: the memory is read ${shift} bytes lower.`,
      'QEMU 7.2 writes such files when the CPU of an aarch64 guest has SVE; with sve=off in -cpu the headers are right.',
    );
  }

  private async readHeaders(): Promise<ReturnType<typeof failure> | undefined> {
    const { source, header, options } = this;
    const buffer = new Uint8Array(Math.min(HEADERS_PER_READ, header.count) * PHDR_BYTES);
    const view = new DataView(buffer.buffer);
    for (let first = 0; first < header.count; first += HEADERS_PER_READ) {
      if (options.signal?.aborted) return failure(CANCELLED, `Opening ${source.name} was cancelled.`);
      const count = Math.min(HEADERS_PER_READ, header.count - first);
      const bytes = buffer.subarray(0, count * PHDR_BYTES);
      if (source.read(header.tableOffset + first * PHDR_BYTES, bytes) < bytes.length) {
        return failure(
          'image/elf-unreadable',
          `${source.name}: program headers ${first} to ${first + count - 1} cannot be read${reason(source)}.`,
          'Check that the file is complete and readable, then open it again.',
        );
      }
      for (let i = 0; i < count; i++) {
        if (view.getUint32(i * PHDR_BYTES, true) !== PT_LOAD) continue;
        const load = readLoad(view, i, first + i);
        this.add({ ...load, offset: load.offset - this.shift });
      }
      if (header.count > HEADERS_PER_READ) {
        options.onProgress?.({
          message: `Reading the headers of ${source.name}`,
          fraction: (first + count) / header.count,
        });
        await options.pause();
      }
    }
    return undefined;
  }

  private add(load: Load): void {
    const { index, paddr, offset } = load;
    this.loads++;
    if (load.memoryBytes === 0 && load.fileBytes === 0) return;
    this.noteProcessCore(load);
    if (paddr + load.memoryBytes > PHYSICAL_END) {
      // Kernels give virtual-only ranges the physical address 2^64 - 1.
      this.outsidePhysical++;
      return;
    }
    let fileBytes = load.fileBytes;
    if (fileBytes > load.memoryBytes) {
      this.problems.add(
        'warning',
        'image/elf-filesz',
        `PT_LOAD ${index} (${hex(paddr)}): p_filesz ${show(fileBytes)} is more than p_memsz ${show(load.memoryBytes)}; the surplus is left out.`,
      );
      fileBytes = load.memoryBytes;
    }
    const present = Math.max(0, Math.min(fileBytes, this.source.size - offset));
    if (present < fileBytes) this.addTruncated(load, fileBytes, present);
    if (present > 0) this.segments.push(paddr, offset, present);
    const zeros = load.memoryBytes - fileBytes;
    if (zeros > 0) {
      this.zeroBytes += zeros;
      this.segments.push(paddr + fileBytes, ZEROS, zeros);
    }
  }

  private addTruncated(load: Load, fileBytes: number, present: number): void {
    const { source } = this;
    const { index, paddr, offset } = load;
    const lacking = fileBytes - present;
    this.shortfall = Math.max(this.shortfall, offset + fileBytes - source.size);
    if (this.missing.length < MISSING_KEPT) {
      this.missing.push({ start: paddr + present, end: paddr + fileBytes });
    }
    this.problems.add(
      'error',
      'image/elf-truncated',
      `PT_LOAD ${index} (${hex(paddr)}): ${show(fileBytes)} bytes at file offset ${show(offset)} end ` +
        `${show(lacking)} bytes past the end of the file (${source.size} bytes); the ${present} bytes present are read.`,
      this.header.machine === EM_AARCH64
        ? 'The file is cut short, or its offsets are wrong: QEMU 7.2 puts them too high when the guest CPU has SVE. ' +
            'Dump again with sve=off in -cpu, or describe the file as raw with the right offset in "segments".'
        : 'The file is cut short: copy or dump it again. What is present can be inspected.',
    );
  }

  /** Cores of processes have virtual addresses only: every p_paddr is 0. */
  private noteProcessCore(load: Load): void {
    if (load.paddr !== 0) this.allAtZero = false;
    this.first ??= load;
    if (load.offset !== this.first.offset && load.vaddr !== this.first.vaddr) this.differentBytes = true;
  }

  private checkWhole(): ReturnType<typeof failure> | undefined {
    const { source } = this;
    if (this.loads > 1 && this.allAtZero && this.differentBytes) {
      return failure(
        'image/elf-process-core',
        `${source.name} is the core of a process: all of its ${this.loads} PT_LOADs have physical address 0.`,
        "Open a core of the machine's memory, as QEMU's dump-guest-memory or /proc/vmcore gives it.",
      );
    }
    if (this.segments.count > 0) return undefined;
    if (this.shortfall > 0) {
      return failure(
        'image/elf-truncated',
        `${source.name} holds headers only: its memory starts past the end of the file (${source.size} bytes).`,
        'The file is cut short: copy or dump it again.',
      );
    }
    return failure(
      'image/elf-no-memory',
      `${source.name} has no PT_LOAD with physical memory (${this.header.count} program headers).`,
      "Open a core of the machine's memory, as QEMU's dump-guest-memory or /proc/vmcore gives it.",
    );
  }

  private reportWhole(): void {
    if (this.outsidePhysical > 0) {
      this.problems.add(
        'warning',
        'image/elf-not-physical',
        `${this.outsidePhysical} PT_LOADs end beyond 52 bits of physical address and are left out.`,
        'Ranges of virtual memory without a physical address are normal in /proc/kcore; in other files the headers are damaged.',
      );
    }
    if (this.zeroBytes > 0) {
      this.problems.add(
        'info',
        'image/elf-zeros',
        `${formatSize(this.zeroBytes)} of memory have no bytes in the file (p_filesz below p_memsz) and read as zeros.`,
      );
    }
  }
}

function readLoad(view: DataView, slot: number, index: number): Load {
  const at = slot * PHDR_BYTES;
  return {
    index,
    offset: exact64(view, at + 8),
    vaddr: exact64(view, at + 16),
    paddr: exact64(view, at + 24),
    fileBytes: exact64(view, at + 32),
    memoryBytes: exact64(view, at + 40),
  };
}

const show = (bytes: number): string => (bytes === Infinity ? '2^53 or more' : String(bytes));
