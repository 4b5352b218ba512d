/** What the fixtures of test/fixtures/corpus say about themselves: written by the guest and its emulator, not by us. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const CORPUS = path.join(__dirname, '..', 'fixtures', 'corpus');
/** VT-d guests: three of legacy mode, two of scalable mode with first-stage and with second-stage tables. */
export const NAMES = [
  'vtd-small-share',
  'vtd-legacy-share',
  'vtd-pt-share',
  'vtd-sm-fl-share',
  'vtd-sm-sl-share',
] as const;
export type ImageName = (typeof NAMES)[number];

/** What the manifests of all vendors say alike. All addresses and words are `0x` strings. */
export interface GuestManifest {
  readonly domains: readonly ManifestDomain[];
  readonly linux_ftrace_replay: {
    readonly events: { readonly map: number; readonly unmap: number };
    readonly live_pages_trace: number;
  };
  readonly decoded_ranges: readonly { readonly root: string; readonly ranges: readonly GuestRange[] }[];
}

/** Like neighbours, merged; `perm` in the letters of the vendor. */
export interface GuestRange {
  readonly iova: string;
  readonly length: string;
  readonly paddr: string;
  readonly perm: string;
  readonly page: string;
  readonly n: number;
}

/** That of a VT-d guest. */
export interface Manifest extends GuestManifest {
  readonly name: string;
  readonly roots: Readonly<Record<'RTADDR' | 'GSTS' | 'CAP' | 'ECAP', string>>;
  readonly segments: readonly { readonly paddr: string; readonly length: number; readonly offset: number }[];
  readonly devices: readonly ManifestDevice[];
  readonly oracle: {
    readonly translations: readonly OracleTranslation[];
    readonly translations_invalidated_but_still_mapped_same: readonly (OracleTranslation | BareTranslation)[];
    /** Requester, IOVA, fault reason, 1 for a write, how often: decimal. */
    readonly faults: readonly (readonly [string, string, string, string, number])[];
  };
  readonly linux_ftrace_replay: GuestManifest['linux_ftrace_replay'] & {
    readonly live_pages_decoded: number;
    readonly only_in_trace: number;
    readonly only_in_decoder: number;
  };
  readonly decoded_ranges: readonly { readonly root: string; readonly ranges: readonly ManifestRange[] }[];
}

interface AnyDevice {
  readonly sid: string;
  readonly did: number;
  readonly levels: number;
  readonly root: string;
}

export interface LegacyDevice extends AnyDevice {
  /** Translation type of the context entry. */
  readonly tt: number;
  /** Low and high word of the context entry. */
  readonly raw: readonly [string, string];
  readonly table: 'sl' | 'pt';
}

export interface ScalableDevice extends AnyDevice {
  readonly rid_pasid: number;
  readonly pdts: number;
  readonly pgtt: number;
  readonly aw: number;
  /** Words of the context entry and of the PASID-table entry. */
  readonly ctx: readonly string[];
  readonly raw: readonly string[];
  readonly table: 'fl' | 'sl' | 'pt';
}

export type ManifestDevice = LegacyDevice | ScalableDevice;

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

/** A translation of which the emulator told no permission and no entry. */
export interface BareTranslation {
  readonly sid: string;
  readonly iova: string;
  readonly paddr: string;
}

export interface OracleTranslation extends BareTranslation {
  readonly size: string;
  readonly perm: 'RW' | 'R' | 'W';
  readonly domain: number;
  readonly level: number;
  readonly pte: string;
}

export interface ManifestRange extends GuestRange {
  readonly perm: 'RW' | 'R' | 'W';
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
    manifest.devices.filter((device) => device.table !== 'pt').map((device) => [device.root, device]),
  );
  return [...byRoot.values()];
}
