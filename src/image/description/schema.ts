import * as z from 'zod';
import { IOMMU_KINDS, type IommuKind, KIND_TITLES, REGISTERS } from './registers';
import { DEVICE_IDS, REQUESTERS_TEXT } from './requesters';

/**
 * The shape of a `NAME.iopte.json` file. The JSON schema of the editor is made from it, hence the descriptions and the
 * snippets. What cannot be said as a shape (overlaps, duplicates, ranges of registers) is checked in `check.ts`.
 */

/** Decimal or `0x` hexadecimal digits, `_` between them, with a unit of 1024 or without. */
const INTEGER_TEXT = /^(0[xX][0-9a-fA-F](_?[0-9a-fA-F])*|[0-9](_?[0-9])*)([KMGTPEkmgtpe]([iI]?[bB])?)?$/;

const integer = (description: string): z.ZodType<number | string> =>
  z.union([z.int().nonnegative(), z.string().regex(INTEGER_TEXT)]).meta({ description });

const segment = z
  .strictObject({
    paddr: integer('Physical address of the first byte, as "0x…" or a number; normally a multiple of 4096.'),
    offset: integer(
      'Where the first byte stands in the file, in bytes. In the unpacked file when it is a .gz.',
    ),
    length: integer('Bytes. Left out: to the end of the file.').optional(),
  })
  .meta({
    description: 'A piece of the file and the physical address it belongs to.',
    defaultSnippets: [
      { label: 'segment', body: { paddr: '${1:0x0}', offset: '^${2:0}', length: '^${3:4096}' } },
    ],
  });

const image = z
  .union([
    z.string().min(1).meta({
      description:
        'The image file, relative to this file: an ELF64 core, a kdump-compressed or flattened dump, a text dump of debugfs, or a .gz of one. Formats without headers need {"file", "segments"}.',
    }),
    z.strictObject({
      file: z.string().min(1).meta({ description: 'The image file, relative to this file; may be a .gz.' }),
      segments: z.array(segment).min(1).meta({
        description:
          'Which pieces of physical memory the file holds and where. With segments the file is read as raw bytes, whatever it looks like.',
      }),
    }),
  ])
  .meta({
    description: 'The memory image: a file name, or {"file", "segments"} for raw memory.',
    defaultSnippets: [
      { label: 'ELF core', body: '${1:memory.elf.gz}' },
      {
        label: 'raw memory',
        body: {
          file: '${1:memory.raw.gz}',
          segments: [{ paddr: '${2:0x0}', offset: '^${3:0}', length: '^${4:4096}' }],
        },
      },
    ],
  });

/** The registers of a kind for a snippet, whose fields are numbered from `first` on. */
function registersBody(kind: IommuKind, first: number): Readonly<Record<string, string>> {
  const own = REGISTERS[kind].filter(({ offset }) => offset !== null);
  return Object.fromEntries(own.map(({ name }, i) => [name, `\${${i + first}:0x0}`]));
}

function registers(kind: IommuKind): z.ZodType<Readonly<Record<string, number | string | undefined>>> {
  const shape = REGISTERS[kind].map(
    ({ name, bits, offset, what, required }): [string, z.ZodType<number | string | undefined>] => {
      const at = offset === null ? '' : `, MMIO offset 0x${offset.toString(16)}`;
      const value = integer(`${what} ${bits} bits${at}${required ? '' : '; optional'}.`);
      return [name, required ? value : value.optional()];
    },
  );
  return z.strictObject(Object.fromEntries(shape)).meta({
    description: `Registers of the ${KIND_TITLES[kind]} as they were when the image was taken, by the names of the specification.`,
    defaultSnippets: [
      {
        label: `registers of ${KIND_TITLES[kind]}`,
        body: registersBody(kind, 1),
      },
    ],
  });
}

const iommu = (kind: IommuKind) =>
  z.strictObject({
    name: z
      .string()
      .min(1)
      .meta({ description: 'What to call it, as the kernel does: "dmar0". Unique in this file.' }),
    kind: z.literal(kind).meta({
      description:
        'Which IOMMU it is: "vt-d", "amd-vi", "smmuv3" or "riscv"; "ept": tables of a guest on an Intel processor.',
    }),
    segment: z
      .int()
      .min(0)
      .max(0xffff)
      .optional()
      .meta({ description: 'PCI segment (domain) whose devices it translates. Left out: 0.' }),
    base: integer(
      'Physical address of its registers (MMIO base), as "0x…". Matches it with the firmware tables (DMAR, IVRS, IORT) in the image.',
    ).optional(),
    requesters: z
      .array(z.string().regex(REQUESTERS_TEXT))
      .min(1)
      .optional()
      .meta({
        description: `The devices it translates for: ${DEVICE_IDS[kind].name} of ${DEVICE_IDS[kind].bits} bits or bus:device.function each, or first-last with both included. Left out: every device of the segment that no other IOMMU names.`,
        defaultSnippets: [{ label: 'requesters', body: ['${1:00:00.0-ff:1f.7}'] }],
      }),
    registers: registers(kind),
  });

const [first, ...others] = IOMMU_KINDS;

export const descriptionSchema = z
  .strictObject({
    $schema: z.string().optional().meta({ description: 'A schema for editors; not read otherwise.' }),
    version: z.literal(1).meta({ description: 'Version of this format: 1.' }),
    image,
    iommus: z
      .array(z.discriminatedUnion('kind', [iommu(first), ...others.map(iommu)]))
      .min(1)
      .meta({
        description: 'The IOMMUs whose tables the image holds.',
        defaultSnippets: IOMMU_KINDS.map((kind) => ({
          label: KIND_TITLES[kind],
          body: [
            {
              name: '${1:iommu0}',
              kind,
              segment: '^${2:0}',
              registers: registersBody(kind, 3),
            },
          ],
        })),
      }),
  })
  .meta({
    title: 'IOPTE Inspector image description',
    description: 'Describes a memory image: its file, and the IOMMUs whose page tables it holds.',
    defaultSnippets: [
      {
        label: 'image description',
        body: {
          version: 1,
          image: '${1:memory.elf.gz}',
          iommus: [
            { name: '${2:dmar0}', kind: 'vt-d', segment: '^${3:0}', registers: { RTADDR: '${4:0x0}' } },
          ],
        },
      },
    ],
  });
