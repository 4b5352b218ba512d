import assert from 'node:assert/strict';
import { buildElf, frames, PHDR } from '../../builders/elf';
import { openBytes, value, wordAt } from './support';

const NAMES = new TextEncoder().encode('\0.shstrtab\0');
const SHDR = 64;

interface Crafted {
  /** Bytes that the headers count too much. */
  readonly shift: number;
  /** Bytes of the value of each note. */
  readonly notes?: readonly number[];
  readonly names?: Uint8Array;
  /** Bytes cut from the end of the file. */
  readonly cut?: number;
  /** Where the headers say that the section names stand, from the declared end of the memory on. */
  readonly namesOff?: number;
  /** Bytes that the last note claims too much. */
  readonly noteLie?: number;
}

/** A core as QEMU 7.2 lays it out: headers, section headers, notes, memory, section names. */
function craft({
  shift,
  notes = [40, 336, 588],
  names = NAMES,
  cut = 0,
  namesOff = 0,
  noteLie = 0,
}: Crafted): Uint8Array {
  const noteBytes = notes.reduce((sum, bytes) => sum + 12 + 8 + bytes, 0);
  const notesAt = 64 + 3 * PHDR + 2 * SHDR;
  const memoryAt = notesAt + noteBytes;
  const memory = [frames(3, 1), frames(2, 2)] as const;
  const [first, second] = [3 * 4096, 2 * 4096];
  const end = memoryAt + first + second;
  const headers = buildElf({
    loads: [
      { type: 4, paddr: 0, offset: notesAt, fileBytes: noteBytes + shift },
      { paddr: 0x4000_0000, offset: memoryAt + shift, fileBytes: first },
      { paddr: 0x8000_0000, offset: memoryAt + shift + first, fileBytes: second },
    ],
  });
  const file = new Uint8Array(end + names.length);
  file.set(headers);
  const view = new DataView(file.buffer);
  view.setUint16(18, 183, true); // EM_AARCH64
  const sections = 64 + 3 * PHDR;
  view.setBigUint64(40, BigInt(sections), true); // e_shoff
  view.setUint16(60, 2, true); // e_shnum
  view.setUint16(62, 1, true); // e_shstrndx
  view.setUint32(sections + SHDR + 4, 3, true); // SHT_STRTAB
  view.setBigUint64(sections + SHDR + 24, BigInt(end + shift + namesOff), true);
  view.setBigUint64(sections + SHDR + 32, BigInt(names.length), true);
  let at = notesAt;
  for (const bytes of notes) {
    view.setUint32(at, 5, true);
    view.setUint32(at + 4, bytes, true);
    view.setUint32(at + 8, 1, true);
    file.set(new TextEncoder().encode('CORE'), at + 12);
    at += 20 + bytes;
  }
  const lastNote = at - 20 - (notes.at(-1) ?? 0);
  view.setUint32(lastNote + 4, (notes.at(-1) ?? 0) + noteLie, true);
  file.set(memory[0], memoryAt);
  file.set(memory[1], memoryAt + first);
  file.set(names, end);
  return file.slice(0, file.length - cut);
}

const word = (seed: number, index: number): number => seed * 2 ** 20 + index;

describe('ELF core: memory that stands lower than its headers say', () => {
  for (const shift of [4, 0x660, 5000]) {
    it(`is read ${shift} bytes lower, and a warning says so`, async () => {
      const { memory, problems } = value(await openBytes(craft({ shift })));
      assert.deepEqual(
        [0x4000_0000, 0x4000_2ffc, 0x8000_0000, 0x8000_1ffc].map((address) => wordAt(memory, address)),
        [word(1, 0), word(1, 3071), word(2, 0), word(2, 2047)],
      );
      assert.deepEqual(
        problems.map(({ severity, code }) => [severity, code]),
        [['warning', 'image/elf-misplaced']],
      );
      const [problem] = problems;
      assert.match(
        problem?.message ?? '',
        new RegExp(`place the memory ${shift} bytes \\(0x${shift.toString(16)}\\) too high`),
      );
      assert.match(problem?.hint ?? '', /QEMU 7\.2 .* SVE; with sve=off/);
    });
  }

  it('is left alone when the headers are right', async () => {
    const { memory, problems } = value(await openBytes(craft({ shift: 0 })));
    assert.deepEqual(problems, []);
    assert.equal(wordAt(memory, 0x8000_1ffc), word(2, 2047));
  });

  const ambiguous: [string, Crafted][] = [
    ['the file is cut: it does not end with the section names', { shift: 0x660, cut: 1 }],
    ['the file is cut where the headers are right', { shift: 0, cut: 0x660 }],
    ['the notes do not end where the shift says', { shift: 0x660, noteLie: 4 }],
    ['the notes stop before', { shift: 0x660, noteLie: -8 }],
    ['the section names are declared elsewhere', { shift: 0x660, namesOff: 4 }],
    ['other bytes end the file', { shift: 0x660, names: new Uint8Array(11) }],
  ];
  for (const [what, options] of ambiguous) {
    it(`is only reported when ${what}`, async () => {
      const { problems } = value(await openBytes(craft(options)));
      assert.ok(problems.length > 0);
      assert.ok(problems.every(({ code }) => code === 'image/elf-truncated'));
    });
  }
});
