/** Tables for people: aligned columns, as wide as the terminal. */
export interface Column {
  readonly title: string;
  /** Numbers stand right. */
  readonly align?: 'left' | 'right';
  /** May be wrapped at spaces when the terminal is too narrow; only for the last column. */
  readonly wrap?: boolean;
  /** At least as wide as this, for tables that are written in parts. */
  readonly width?: number;
}

export interface TableOptions {
  /** Columns of the terminal; undefined: as wide as needed. */
  readonly columns?: number | undefined;
  readonly indent?: number;
  /** Writes the title line; false for the later parts of a table. */
  readonly heading?: boolean;
  /** Applied to the finished title line. */
  readonly style?: (text: string) => string;
}

const GAP = 2;
/** Narrower than this a wrapped column is not made. */
const NARROWEST = 16;

/** One line a row, more where a cell had to be wrapped. No trailing blanks. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): readonly string[] {
  const heading = options.heading ?? true;
  const indent = options.indent ?? 0;
  const cells = rows.map((row) => columns.map((_, index) => printable(row[index] ?? '')));
  const widths = columns.map((column, index) =>
    Math.max(
      column.width ?? 0,
      heading ? displayWidth(column.title) : 0,
      ...cells.map((row) => displayWidth(row[index] ?? '')),
    ),
  );
  const last = columns.length - 1;
  if (columns[last]?.wrap && options.columns !== undefined) {
    const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP, indent);
    widths[last] = Math.min(widths[last] ?? 0, Math.max(NARROWEST, options.columns - before));
  }
  const line = (row: readonly string[]): string => {
    const text = row.map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.align ?? 'left'));
    return (' '.repeat(indent) + text.join(' '.repeat(GAP))).trimEnd();
  };
  const lines: string[] = [];
  if (heading) lines.push((options.style ?? identity)(line(columns.map((column) => column.title))));
  for (const row of cells) {
    const parts = columns[last]?.wrap ? wrapText(row[last] ?? '', widths[last] ?? 0) : [row[last] ?? ''];
    parts.forEach((part, index) => {
      lines.push(
        line(index === 0 ? [...row.slice(0, last), part] : [...columns.slice(0, last).map(() => ''), part]),
      );
    });
  }
  return lines;
}

const identity = (text: string): string => text;

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'left' ? text + blanks : blanks + text;
}

/** Breaks at spaces into lines of at most `width` cells; a longer word stays whole. */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** Names come from files: control characters must not reach the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Cf}/gu, '\u{fffd}');
}

/** Cells of a terminal that the text takes: combining marks none, wide characters two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}/u.test(character)) continue;
    width += isWide(character.codePointAt(0) ?? 0) ? 2 : 1;
  }
  return width;
}

/** Blocks that Unicode's East Asian Width (UAX #11) calls wide, coarsely. */
const isWide = (code: number): boolean =>
  (code >= 0x1100 && code <= 0x115f) ||
  (code >= 0x2e80 && code <= 0xa4cf) ||
  (code >= 0xac00 && code <= 0xd7a3) ||
  (code >= 0xf900 && code <= 0xfaff) ||
  (code >= 0xfe30 && code <= 0xfe6f) ||
  (code >= 0xff00 && code <= 0xff60) ||
  (code >= 0xffe0 && code <= 0xffe6) ||
  (code >= 0x1f300 && code <= 0x1faff) ||
  (code >= 0x20000 && code <= 0x3fffd);
