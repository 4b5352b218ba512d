import { type ByteSource } from '../../bytes/byteSource';
import { EHDR_BYTES, type ElfHeader, exact64, PHDR_BYTES, PT_LOAD, PT_NOTE, SHDR_BYTES } from './elfHeader';

/** Cores whose headers are asked for a misplacement: those by physical address have a few. */
const MOST_HEADERS = 8192;
/** QEMU writes a few notes for each processor. */
const MOST_NOTES = 65_536;
const NOTE_HEADER_BYTES = 12;
const WINDOW_BYTES = 4096;
const SHT_STRTAB = 3;
/** What the table of section names holds when it is the only section. */
const SECTION_NAMES = '\0.shstrtab\0';

/** A core whose memory stands lower in the file than its headers say. Bytes. */
export interface Misplacement {
  readonly shift: number;
  /** Bytes that the file should have by its headers. */
  readonly declared: number;
}

/** The program headers that matter here. */
interface Layout {
  /** Lowest offset and highest end of PT_LOADs in the file. */
  readonly memoryStart: number;
  readonly memoryEnd: number;
  readonly notesStart: number;
  readonly notesEnd: number;
}

/**
 * Finds out whether a core that ends too early is not cut but misplaced. QEMU lays out headers, notes, memory, section names; it
 * computes the offsets from the size that the notes should have. Where the notes are shorter, all that follows stands lower.
 * The evidence has two independent parts, and both must give the same shift: the section names end the file, where they
 * should stand behind the memory, and the notes, taken one by one, end that much sooner than declared.
 */
export function findMisplacement(source: ByteSource, header: ElfHeader): Misplacement | undefined {
  const layout = header.count <= MOST_HEADERS ? readLayout(source, header) : undefined;
  if (!layout) return undefined;
  const { memoryStart, memoryEnd, notesStart, notesEnd } = layout;
  const exact = Number.isSafeInteger(memoryEnd) && Number.isSafeInteger(notesEnd);
  const declared = memoryEnd + SECTION_NAMES.length;
  if (!exact || declared <= source.size || notesEnd !== memoryStart) return undefined;
  if (!endsWithSectionNames(source, memoryEnd)) return undefined;
  const shift = declared - source.size;
  if (notesEnd - shift <= notesStart || !notesEndAt(source, notesStart, notesEnd - shift)) return undefined;
  return { shift, declared };
}

function readLayout(source: ByteSource, header: ElfHeader): Layout | undefined {
  const bytes = new Uint8Array(header.count * PHDR_BYTES);
  if (source.read(header.tableOffset, bytes) < bytes.length) return undefined;
  const view = new DataView(bytes.buffer);
  let [memoryStart, memoryEnd, notesStart, notesEnd] = [Infinity, 0, Infinity, 0];
  for (let at = 0; at < bytes.length; at += PHDR_BYTES) {
    const type = view.getUint32(at, true);
    const offset = exact64(view, at + 8);
    const end = offset + exact64(view, at + 32);
    if (type === PT_LOAD) {
      memoryStart = Math.min(memoryStart, offset);
      memoryEnd = Math.max(memoryEnd, end);
    } else if (type === PT_NOTE) {
      notesStart = Math.min(notesStart, offset);
      notesEnd = Math.max(notesEnd, end);
    }
  }
  return { memoryStart, memoryEnd, notesStart, notesEnd };
}

/** True when the table of section names is declared to follow the memory, and the file ends with it. */
function endsWithSectionNames(source: ByteSource, memoryEnd: number): boolean {
  const header = new Uint8Array(EHDR_BYTES);
  if (source.read(0, header) < EHDR_BYTES) return false;
  const view = new DataView(header.buffer);
  const namesAt = exact64(view, 40) + view.getUint16(62, true) * SHDR_BYTES;
  if (view.getUint16(58, true) !== SHDR_BYTES || namesAt + SHDR_BYTES > source.size) return false;
  const section = new Uint8Array(SHDR_BYTES);
  if (source.read(namesAt, section) < SHDR_BYTES) return false;
  const names = new DataView(section.buffer);
  const declared =
    names.getUint32(4, true) === SHT_STRTAB &&
    exact64(names, 24) === memoryEnd &&
    exact64(names, 32) === SECTION_NAMES.length;
  const end = new Uint8Array(SECTION_NAMES.length);
  source.read(source.size - end.length, end);
  return declared && String.fromCharCode(...end) === SECTION_NAMES;
}

/** True when one of the notes that follow each other from `start` on ends at `end`. */
function notesEndAt(source: ByteSource, start: number, end: number): boolean {
  const window = new Uint8Array(WINDOW_BYTES);
  const view = new DataView(window.buffer);
  let [windowStart, filled] = [0, 0];
  let at = start;
  for (let count = 0; count < MOST_NOTES && at < end; count++) {
    if (at + NOTE_HEADER_BYTES > windowStart + filled) {
      windowStart = at;
      filled = source.read(at, window);
      if (filled < NOTE_HEADER_BYTES) return false;
    }
    const nameBytes = view.getUint32(at - windowStart, true);
    const valueBytes = view.getUint32(at - windowStart + 4, true);
    // A note without a name is none; padding of zeros looks so.
    if (nameBytes === 0) return false;
    at += NOTE_HEADER_BYTES + aligned(nameBytes) + aligned(valueBytes);
  }
  return at === end;
}

const aligned = (bytes: number): number => Math.ceil(bytes / 4) * 4;
