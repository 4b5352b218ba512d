// Draws media/icon.png, the picture of the package: a page table, one of whose entries leads to a page, over a word's bits.
//   node scripts/icon.mjs
import path from 'node:path';
import { openBrowser } from './lib/browser.mjs';
import { root } from './lib/paths.mjs';

const SIZE = 256;
const COLORS = {
  paper: '#12202f',
  edge: '#2b4a68',
  line: '#8fb3d6',
  lit: '#f2b83b',
  page: '#4fc1ff',
  leaf: '#7bd88f',
};

const rect = (x, y, width, height, fill, stroke = 'none') =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="8" fill="${fill}" stroke="${stroke}" stroke-width="6"/>`;

const table = (x, y, rows, lit) =>
  Array.from({ length: rows }, (_, row) =>
    rect(x, y + row * 34, 62, 26, row === lit ? COLORS.lit : 'none', row === lit ? COLORS.lit : COLORS.line),
  ).join('');

const arrow = (fromX, fromY, toX, toY) => {
  const middle = (fromX + toX) / 2;
  return `<path d="M${fromX} ${fromY} C${middle} ${fromY} ${middle} ${toY} ${toX} ${toY}" fill="none" stroke="${COLORS.lit}" stroke-width="7" stroke-linecap="round"/>`;
};

/** The bits of 0x83: a large page that may be read and written. */
const bits = Array.from({ length: 8 }, (_, index) => {
  const set = (0x83 >> (7 - index)) & 1;
  return rect(31 + index * 25, 200, 17, 26, set ? COLORS.leaf : 'none', set ? COLORS.leaf : COLORS.edge);
}).join('');

const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}">
  <rect width="${SIZE}" height="${SIZE}" rx="48" fill="${COLORS.paper}"/>
  ${table(30, 36, 4, 1)}${table(122, 70, 3, 2)}${arrow(98, 83, 116, 83)}
  ${arrow(188, 151, 213, 122)}${rect(196, 60, 34, 56, COLORS.page, COLORS.page)}${bits}
</svg>`;

const browser = await openBrowser({ width: SIZE, height: SIZE });
try {
  await browser.page.setContent(
    `<style>body{margin:0;background:transparent}svg{display:block}</style>${picture}`,
  );
  await browser.page.screenshot({ path: path.join(root, 'media', 'icon.png'), omitBackground: true });
} finally {
  await browser.close();
}
