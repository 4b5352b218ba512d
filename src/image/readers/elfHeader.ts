import { failure, type Result, success } from '../../engine/result';
import { type ByteSource } from '../../bytes/byteSource';

/** Sizes in the System V ABI, ELF-64 object file format. */
export const EHDR_BYTES = 64;
export const PHDR_BYTES = 56;
export const SHDR_BYTES = 64;
export const PT_LOAD = 1;
export const PT_NOTE = 4;
/** `e_phnum` when the real count stands in `sh_info` of section header 0. */
const PN_XNUM = 0xffff;
const ET_CORE = 4;

/** More program headers than this are refused: each costs memory and time to sort, and RAM comes in a few large pieces. */
export const MAX_PROGRAM_HEADERS = 1024 * 1024;

const ET_NAMES = ['no type', 'a relocatable object', 'an executable', 'a shared object'];

/** Where the program headers of an ELF64 little-endian core stand. */
export interface ElfHeader {
  readonly machine: number;
  /** File offset of program header 0. */
  readonly tableOffset: number;
  readonly count: number;
}

export const isElf = (head: Uint8Array): boolean =>
  head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;

/** Unsigned 64 bits; Infinity when it does not fit 53 bits, which no true offset or address here does. */
export function exact64(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  return Number.isSafeInteger(value) ? value : Infinity;
}

const REMAKE = 'Make the dump again, or check that it was copied completely.';

const refused = (code: string, message: string, hint = REMAKE): ReturnType<typeof failure> =>
  failure(`image/elf-${code}`, message, hint);

export function readElfHeader(source: ByteSource): Result<ElfHeader> {
  const bytes = new Uint8Array(EHDR_BYTES);
  const got = source.read(0, bytes);
  if (got < EHDR_BYTES) {
    return refused('truncated', `${source.name}: the ELF header needs 64 bytes, the file has ${got}.`);
  }
  const wrongKind = checkIdentification(bytes, source.name);
  if (wrongKind) return wrongKind;
  const view = new DataView(bytes.buffer);
  const type = view.getUint16(16, true);
  if (type !== ET_CORE) {
    return refused(
      'not-core',
      `${source.name} is ELF, but ${ET_NAMES[type] ?? `of type ${type}`}, not a core dump (e_type at offset 16).`,
      "Open a core of physical memory, as QEMU's dump-guest-memory or /proc/vmcore gives it.",
    );
  }
  const tableOffset = exact64(view, 32);
  const entryBytes = view.getUint16(54, true);
  if (entryBytes !== PHDR_BYTES) {
    return refused(
      'bad-header',
      `${source.name}: e_phentsize (offset 54) is ${entryBytes}; an ELF64 program header has 56 bytes.`,
    );
  }
  const count = programHeaderCount(source, view);
  if (!count.ok) return count;
  if (tableOffset + count.value * PHDR_BYTES > source.size) {
    const where = tableOffset === Infinity ? 'an impossible offset' : `offset ${tableOffset}`;
    return refused(
      'truncated',
      `${source.name}: ${count.value} program headers at ${where} end past the end of the file (${source.size} bytes).`,
    );
  }
  return success({ machine: view.getUint16(18, true), tableOffset, count: count.value });
}

function checkIdentification(bytes: Uint8Array, name: string): ReturnType<typeof failure> | undefined {
  const [fileClass, data, version] = [bytes[4], bytes[5], bytes[6]];
  if (fileClass === 1) {
    return refused(
      'class32',
      `${name} is a 32-bit ELF file (EI_CLASS at offset 4 is 1).`,
      'Only ELF64 is read: its program headers are the only ones that hold 64-bit physical addresses.',
    );
  }
  if (data === 2) {
    return refused(
      'big-endian',
      `${name} is a big-endian ELF file (EI_DATA at offset 5 is 2).`,
      'The IOMMUs read here keep their tables little-endian; dump the memory on a little-endian machine.',
    );
  }
  if (fileClass === 2 && data === 1 && version === 1) return undefined;
  return refused(
    'bad-header',
    `${name}: the ELF identification is damaged (bytes 4 to 6 are ${fileClass}, ${data}, ${version}; expected 2, 1, 1).`,
  );
}

function programHeaderCount(source: ByteSource, header: DataView): Result<number> {
  let count = header.getUint16(56, true);
  if (count === PN_XNUM) {
    const extended = extendedCount(source, header);
    if (!extended.ok) return extended;
    count = extended.value;
  }
  if (count === 0) {
    return refused('no-memory', `${source.name} has no program headers: it describes no memory.`);
  }
  if (count > MAX_PROGRAM_HEADERS) {
    return refused(
      'too-many-headers',
      `${source.name} has ${count} program headers; at most ${MAX_PROGRAM_HEADERS} are read.`,
      'Dump by physical address (QEMU: without paging=true), which gives one program header per piece of RAM.',
    );
  }
  return success(count);
}

function extendedCount(source: ByteSource, header: DataView): Result<number> {
  const sectionOffset = exact64(header, 40);
  const sectionBytes = header.getUint16(58, true);
  const where = 'e_phnum is 0xffff, so the count of program headers stands in section header 0';
  if (sectionOffset === 0 || sectionBytes !== SHDR_BYTES) {
    return refused(
      'bad-header',
      `${source.name}: ${where}, but there is none (e_shoff ${sectionOffset}, e_shentsize ${sectionBytes}).`,
    );
  }
  if (sectionOffset + SHDR_BYTES > source.size) {
    return refused(
      'truncated',
      `${source.name}: ${where}, which lies past the end of the file (e_shoff ${sectionOffset}, ${source.size} bytes).`,
    );
  }
  const section = new Uint8Array(SHDR_BYTES);
  if (source.read(sectionOffset, section) < SHDR_BYTES) {
    return refused('unreadable', `${source.name}: section header 0 cannot be read${reason(source)}.`);
  }
  return success(new DataView(section.buffer).getUint32(44, true));
}

/** `: why`, when the source knows. */
export function reason(source: ByteSource): string {
  const fault = source.fault?.();
  return fault === undefined ? '' : `: ${fault}`;
}
