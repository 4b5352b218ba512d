/** Builds ELF64 core files from the System V ABI's layouts, right ones and lying ones. */

export const EHDR = 64;
export const PHDR = 56;
export const SHDR = 64;

export interface Load {
  readonly paddr: number | bigint;
  /** The bytes in the file; also p_filesz, and p_memsz when that is not given. */
  readonly bytes?: Uint8Array;
  readonly vaddr?: number | bigint;
  /** Overrides of what the builder would write. */
  readonly offset?: number | bigint;
  readonly fileBytes?: number | bigint;
  readonly memoryBytes?: number | bigint;
  /** p_type: PT_LOAD when absent. */
  readonly type?: number;
}

export interface ElfOptions {
  readonly loads: readonly Load[];
  /** The bytes of each load start at a multiple of this. */
  readonly alignment?: number;
  /** Writes e_phnum = 0xffff and the count to sh_info of section header 0. */
  readonly extendedCount?: boolean;
}

/** Fields of the ELF header by offset and size, for tests that make them lie. */
export const FIELDS = {
  fileClass: [4, 1],
  data: [5, 1],
  version: [6, 1],
  type: [16, 2],
  machine: [18, 2],
  programHeaders: [32, 8],
  sectionHeaders: [40, 8],
  programHeaderBytes: [54, 2],
  programHeaderCount: [56, 2],
  sectionHeaderBytes: [58, 2],
} as const;

export function buildElf({ loads, alignment = 8, extendedCount = false }: ElfOptions): Uint8Array {
  const table = EHDR + (extendedCount ? SHDR : 0);
  let end = table + loads.length * PHDR;
  const places = loads.map(({ bytes }) => {
    if (!bytes) return end;
    const at = Math.ceil(end / alignment) * alignment;
    end = at + bytes.length;
    return at;
  });
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 4, true); // ET_CORE
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  view.setBigUint64(32, BigInt(table), true);
  view.setBigUint64(40, BigInt(extendedCount ? EHDR : 0), true);
  view.setUint16(52, EHDR, true);
  view.setUint16(54, PHDR, true);
  view.setUint16(56, extendedCount ? 0xffff : loads.length, true);
  view.setUint16(58, SHDR, true);
  if (extendedCount) {
    view.setUint16(60, 1, true);
    view.setUint32(EHDR + 44, loads.length, true);
  }
  for (const [i, load] of loads.entries()) writeLoad(view, table + i * PHDR, load, places[i] ?? 0);
  for (const [i, { bytes }] of loads.entries()) if (bytes) file.set(bytes, places[i]);
  return file;
}

function writeLoad(view: DataView, at: number, load: Load, place: number): void {
  const size = load.fileBytes ?? load.bytes?.length ?? 0;
  view.setUint32(at, load.type ?? 1, true);
  view.setUint32(at + 4, 4, true);
  view.setBigUint64(at + 8, BigInt(load.offset ?? place), true);
  view.setBigUint64(at + 16, BigInt(load.vaddr ?? 0), true);
  view.setBigUint64(at + 24, BigInt(load.paddr), true);
  view.setBigUint64(at + 32, BigInt(size), true);
  view.setBigUint64(at + 40, BigInt(load.memoryBytes ?? size), true);
}

/** A copy of the file with one header field overwritten. */
export function withField(file: Uint8Array, field: keyof typeof FIELDS, value: number | bigint): Uint8Array {
  const copy = file.slice();
  const [at, size] = FIELDS[field];
  for (let i = 0; i < size; i++) copy[at + i] = Number((BigInt(value) >> BigInt(8 * i)) & 0xffn);
  return copy;
}

/** `frames` frames of 4096 bytes; word i of frame f is `seed * 2^20 + f * 1024 + i`, never the same twice. */
export function frames(count: number, seed: number): Uint8Array {
  const words = Uint32Array.from({ length: count * 1024 }, (_, i) => seed * 2 ** 20 + i);
  return new Uint8Array(words.buffer);
}
