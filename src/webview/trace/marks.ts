import type { Operation } from '../../inspection/protocol';

/** Icons of operations, on a grid of 16: no operation is known by its colour alone. */
const PATHS: Readonly<Record<Operation, string>> = {
  map: 'M3 7h7V4l4 4-4 4V9H3z',
  unmap: 'M13 7H6V4L2 8l4 4V9h7z',
  'dma-map': 'M3 3h2v10H3zM6 7h4V4l4 4-4 4V9H6z',
  'dma-unmap': 'M11 3h2v10h-2zM10 7H6V4L2 8l4 4V9h4z',
  'dma-sync': 'M3 5h8V3l3 3-3 3V7H3zM13 11H5v2L2 10l3-3v2h8z',
  flush: 'M3 3h10v2H3zM5 7h6v2H5zM7 11h2v2H7z',
  translate: 'M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3zm0 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6z',
  fault: 'M8 1l7 13H1zM7.2 6v4h1.6V6zm0 5v1.6h1.6V11z',
  attach: 'M7 3h2v4h4v2H9v4H7V9H3V7h4z',
  detach: 'M3 7h10v2H3z',
  dirty: 'M8 2l4 6a4.6 4.6 0 1 1-8 0z',
  track: 'M4 2h8v12l-4-3-4 3z',
  other: 'M8 6.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3z',
  unknown: 'M5 6a3 3 0 1 1 4 2.8V10H7V7.3h1A1.2 1.2 0 1 0 6.8 6zM7 11.3h2v2H7z',
  lost: 'M2 2h5l-1 4 3 1-1 7H2zM10 2h4v12h-5l1-7-3-1z',
};

/** The path of an operation's icon. */
export const pathOf = (operation: string): string =>
  (PATHS as Readonly<Record<string, string>>)[operation] ?? PATHS.other;
