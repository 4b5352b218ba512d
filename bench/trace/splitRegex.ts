import * as fs from 'node:fs';

const LINE =
  /^\s*(.+)-(\d+)\s+(?:\(\s*(\d+|-+)\)\s+)?\[(\d+)\]\s+(?:(\S+)\s+)?(\d+\.\d+): (map|unmap): IOMMU: iova=0x([0-9a-f]+) - 0x([0-9a-f]+)(?: paddr=0x([0-9a-f]+))? size=(\d+)(?: unmapped_size=(\d+))?$/;

/** What a script does with a trace: text into lines, lines through a regular expression, numbers into arrays. */
export function splitRegexRound(file: string): { rows: number; checksum: number } {
  const rows: number[][] = [];
  const tasks = new Map<string, number>();
  let checksum = 0;
  // By pieces, because a string cannot hold a large file.
  const descriptor = fs.openSync(file, 'r');
  const piece = Buffer.alloc(16 * 2 ** 20);
  let rest = '';
  let offset = 0;
  for (;;) {
    const read = fs.readSync(descriptor, piece);
    const lines = (rest + piece.toString('utf8', 0, read)).split('\n');
    rest = lines.pop() ?? '';
    if (read === 0 && rest !== '') lines.push(rest);
    for (const line of lines) {
      const at = offset;
      offset += line.length + 1;
      if (line.startsWith('#')) continue;
      const match = LINE.exec(line);
      if (!match) {
        rows.push([at, line.length, 0]);
        continue;
      }
      const [, name, pid, tgid, cpu, , time, event, iova, , paddr, size, done] = match;
      const key = `${name ?? ''}-${pid ?? ''}-${tgid ?? ''}`;
      let task = tasks.get(key);
      if (task === undefined) tasks.set(key, (task = tasks.size));
      const page = Math.floor(parseInt(iova ?? '', 16) / 4096);
      checksum += page;
      const place = [at, line.length, event === 'map' ? 3 : 4, Number(time), Number(cpu), task];
      rows.push([
        ...place,
        page,
        Number(size),
        paddr === undefined ? NaN : parseInt(paddr, 16),
        Number(done),
      ]);
    }
    if (read === 0) break;
    // As many as a program with arrays can hold of a large file.
    if (rows.length > 2_000_000) rows.length = 0;
  }
  fs.closeSync(descriptor);
  return { rows: rows.length, checksum };
}
