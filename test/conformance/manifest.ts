/** What the fixtures of test/fixtures/corpus say about themselves: written by the guest and its emulator, not by us. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const CORPUS = path.join(__dirname, '..', 'fixtures', 'corpus');
export const NAMES = ['vtd-small-share', 'vtd-legacy-share', 'vtd-pt-share'] as const;
export type ImageName = (typeof NAMES)[number];

/** All addresses and words are `0x` strings. */
export interface Manifest {
  readonly name: string;
  readonly roots: Readonly<Record<'RTADDR' | 'GSTS' | 'CAP' | 'ECAP', string>>;
  readonly segments: readonly { readonly paddr: string; readonly length: number; readonly offset: number }[];
  readonly devices: readonly ManifestDevice[];
  readonly domains: readonly ManifestDomain[];
  readonly oracle: {
    readonly translations: readonly OracleTranslation[];
    readonly translations_invalidated_but_still_mapped_same: readonly OracleTranslation[];
    /** Requester, IOVA, fault reason, 1 for a write, how often: decimal. */
    readonly faults: readonly (readonly [string, string, string, string, number])[];
  };
  readonly linux_ftrace_replay: {
    readonly events: { readonly map: number; readonly unmap: number };
    readonly live_pages_trace: number;
    readonly live_pages_decoded: number;
    readonly only_in_trace: number;
    readonly only_in_decoder: number;
  };
  readonly decoded_ranges: readonly { readonly root: string; readonly ranges: readonly ManifestRange[] }[];
}

export interface ManifestDevice {
  readonly sid: string;
  readonly did: number;
  /** Translation type of the context entry. */
  readonly tt: number;
  readonly levels: number;
  readonly root: string;
  /** Low and high word of the context entry. */
  readonly raw: readonly [string, string];
  readonly table: 'sl' | 'pt';
}

export interface ManifestDomain {
  readonly root: string;
  /** Tables by level. */
  readonly tables: Readonly<Record<string, number>>;
  readonly leaves: number;
  /** Key `L2:0x200000`. */
  readonly leaf_by_level_size: Readonly<Record<string, number>>;
  /** Keys `RW`, `R-`, `-W`. */
  readonly perms: Readonly<Record<string, number>>;
  readonly mapped_bytes: number;
}

export interface OracleTranslation {
  readonly sid: string;
  readonly iova: string;
  readonly paddr: string;
  readonly size: string;
  readonly perm: 'RW' | 'R' | 'W';
  readonly domain: number;
  readonly level: number;
  readonly pte: string;
}

export interface ManifestRange {
  readonly iova: string;
  readonly length: string;
  readonly paddr: string;
  readonly perm: 'RW' | 'R' | 'W';
  readonly page: string;
  readonly n: number;
}

export function readManifest(name: ImageName): Manifest {
  return JSON.parse(readFileSync(path.join(CORPUS, `${name}.manifest.json`), 'utf8')) as Manifest;
}

/** One file that holds a guest's memory. */
export interface ImageForm {
  readonly title: string;
  readonly file: string;
  /** For raw forms. */
  readonly segments?: Manifest['segments'];
}

const RAM_288M = [{ paddr: '0x0', length: 288 * 1024 * 1024, offset: 0 }];

/** Every file that holds this guest's tables. */
export function formsOf(name: ImageName): readonly ImageForm[] {
  const forms: ImageForm[] = [
    { title: 'ELF core of the kept frames', file: `${name}.elf.gz` },
    { title: 'raw frames with segments', file: `${name}.raw.gz`, segments: readManifest(name).segments },
  ];
  if (name === 'vtd-small-share') {
    forms.push(
      { title: 'full-size ELF core', file: `large/${name}.fullsize-zeroed.elf.gz` },
      {
        title: 'paging=true ELF core with 66,254 program headers',
        file: `large/${name}.paging-zeroed.elf.gz`,
      },
      { title: 'pmemsave', file: `large/${name}.pmem-zeroed.raw.gz`, segments: RAM_288M },
    );
  }
  return forms;
}

/** Text of the `*.iopte.json` that describes this form. */
export function descriptionOf(manifest: Manifest, form: ImageForm): string {
  const { RTADDR, GSTS, CAP, ECAP } = manifest.roots;
  const file = path.basename(form.file);
  return JSON.stringify({
    version: 1,
    image: form.segments === undefined ? file : { file, segments: form.segments },
    iommus: [{ name: 'dmar0', kind: 'vt-d', segment: 0, registers: { RTADDR, GSTS, CAP, ECAP } }],
  });
}

/** Devices whose context entry names a page table, one for each table. */
export function tablesOf(manifest: Manifest): readonly ManifestDevice[] {
  const byRoot = new Map(
    manifest.devices.filter((device) => device.table === 'sl').map((device) => [device.root, device]),
  );
  return [...byRoot.values()];
}
