/**
 * What the kernel's debugfs files would print of a memory image: written from drivers/iommu/intel/debugfs.c and
 * drivers/iommu/amd/debugfs.c of Linux, without the decoders under test.
 */

/** The 64-bit word at a physical byte address. */
export type ReadWord = (address: bigint) => bigint;

/** How a kernel prints rows of page tables. */
export interface RowStyle {
  /** Columns without an entry at the end of a row are left out, as the newest kernels do; else 0. */
  readonly short?: boolean;
  /** Rows of a page in two blocks of columns, as the kernel's ABI document has them. */
  readonly wrapped?: boolean;
}

const PAGE_MASK = 0xffff_ffff_ffff_f000n;
const wide = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;
const two = (value: number): string => value.toString(16).padStart(2, '0');
const bdf = (requester: number): string =>
  `${two(requester >> 8)}:${two((requester >> 3) & 31)}.${(requester & 7).toString(16)}`;

interface Path {
  readonly iova: bigint;
  /** By level; index 0 is not used. */
  readonly words: readonly bigint[];
}

function* leaves(
  read: ReadWord,
  table: bigint,
  level: number,
  start: bigint,
  path: bigint[],
): Generator<Path> {
  if (level > 5 || level < 1) return;
  for (let index = 0n; index < 512n; index++) {
    const word = read(table + index * 8n);
    if ((word & 3n) === 0n) continue;
    const iova = start + (index << BigInt(12 + 9 * (level - 1)));
    path[level] = word;
    if ((word & 0x80n) !== 0n || level === 1) yield { iova, words: [...path] };
    else yield* leaves(read, word & 0x000f_ffff_ffff_f000n, level - 1, iova, path);
    path[level] = 0n;
  }
}

const pageNumber = (iova: bigint): string => `0x${(iova >> 12n).toString(16).padStart(13, '0')} |`;

function rowsOf(read: ReadWord, root: bigint, levels: number, { short, wrapped }: RowStyle): string[] {
  const rows = [...leaves(read, root, levels, 0n, [0n, 0n, 0n, 0n, 0n, 0n])];
  const columns = ({ words }: Path, from: number, to: number): string[] =>
    words
      .slice(to, from + 1)
      .reverse()
      .map(wide);
  if (wrapped) {
    return [
      'IOVA_PFN                PML5E                   PML4E',
      ...rows.map((row) => [pageNumber(row.iova), ...columns(row, 5, 4)].join('\t')),
      '',
      'PDPE                    PDE                     PTE',
      ...rows.map((row) => columns(row, 3, 1).join('      ')),
    ];
  }
  const body = rows.map((row) => {
    const last =
      short === true
        ? Math.max(
            1,
            row.words.findIndex((word) => word !== 0n),
          )
        : 1;
    return `${pageNumber(row.iova)}\t${columns(row, 5, Math.min(3, last)).join('\t')}`;
  });
  return ['IOVA_PFN\t\tPML5E\t\t\tPML4E\t\t\tPDPE\t\t\tPDE\t\t\tPTE', ...body];
}

export interface PrintedDevice {
  readonly requester: number;
  readonly segment?: number;
  /** In scalable mode. */
  readonly pasid?: number;
  readonly root: bigint;
  readonly levels: number;
}

/** domain_translation_struct of one device, or of one of its PASIDs. */
export function domainText(read: ReadWord, device: PrintedDevice, style: RowStyle = {}): string {
  const { requester, segment = 0, pasid, root, levels } = device;
  const name = `${segment.toString(16).padStart(4, '0')}:${bdf(requester)}`;
  const process = pasid === undefined ? '' : ` with pasid ${pasid.toString(16)}`;
  const header = `Device ${name}${process} @0x${root.toString(16)}`;
  return [header, ...rowsOf(read, root, levels, style), ''].join('\n');
}

/** dmar_translation_struct of one unit. */
export function dmarText(read: ReadWord, name: string, rtaddr: bigint, wrapped = false): string {
  const table = rtaddr & PAGE_MASK;
  const scalable = (rtaddr & 0x400n) !== 0n;
  const rows: string[][] = [];
  for (let requester = 0; requester < 0x10000; requester++) {
    const root = table + BigInt(requester >> 8) * 16n;
    const words = [read(root), read(root + 8n)] as const;
    const upper = scalable && (requester & 0x80) !== 0;
    const pointer = words[upper ? 1 : 0];
    if ((pointer & 1n) === 0n) continue;
    const size = scalable ? 32n : 16n;
    const context = (pointer & PAGE_MASK) + BigInt(scalable ? requester & 0x7f : requester & 0xff) * size;
    const low = read(context);
    if ((low & 1n) === 0n) continue;
    const pair = (high: bigint, lower: bigint): string => `${wide(high)}:${wide(lower)}`;
    const start = [bdf(requester), pair(words[1], words[0]), pair(read(context + 8n), low)];
    if (!scalable) rows.push([...start, '-1    ', [0n, 0n, 0n].map(wide).join(':')]);
    else rows.push(...processRows(read, low).map((row) => [...start, ...row]));
  }
  const header = `IOMMU ${name}: Root Table Address: 0x${table.toString(16)}`;
  if (!wrapped) {
    const columns = 'B.D.F\tRoot_entry\t\t\t\tContext_entry\t\t\t\tPASID\tPASID_table_entry';
    return [header, columns, ...rows.map((row) => row.join('\t')), '', ''].join('\n');
  }
  const block = (columns: string, from: number, to: number): string[] => [
    columns,
    ...rows.map((row) => row.slice(from, to).join('\t')),
    '',
  ];
  return [
    header,
    ...block('B.D.F   Root_entry', 0, 2),
    ...block('Context_entry', 2, 3),
    ...block('PASID   PASID_table_entry', 3, 5),
    '',
  ].join('\n');
}

function processRows(read: ReadWord, context: bigint): string[][] {
  const rows: string[][] = [];
  const entries = 1n << (((context >> 9n) & 7n) + 7n);
  for (let at = 0n; at < entries; at++) {
    const pointer = read((context & PAGE_MASK) + at * 8n);
    if ((pointer & 1n) === 0n) continue;
    for (let slot = 0n; slot < 64n; slot++) {
      const entry = (pointer & PAGE_MASK) + slot * 64n;
      if ((read(entry) & 1n) === 0n) continue;
      const words = [read(entry + 16n), read(entry + 8n), read(entry)];
      rows.push([String(at * 64n + slot).padEnd(6), words.map(wide).join(':')]);
    }
  }
  return rows;
}

/** devtbl of one device: words lowest first. */
export function deviceTableText(requester: number, words: readonly bigint[], iommu = 'iommu0'): string {
  const columns = ['QWORD[3]', 'QWORD[2]', 'QWORD[1]', 'QWORD[0]'].map((name) => name.padStart(16));
  const values = [...words].reverse().map((word) => word.toString(16).padStart(16, '0'));
  return `${'DeviceId'.padEnd(12)} ${columns.join(' ')} iommu\n0000:${bdf(requester)} ${values.join(' ')} ${iommu}\n`;
}
