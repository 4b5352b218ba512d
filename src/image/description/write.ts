import { hex } from '../../engine/values';
import { type ImageDescription } from './types';

/** The text of a description file, ready to be saved. `parseDescription` gives the same description back. */
export function writeDescription({ version, file, segments, iommus }: ImageDescription): string {
  const image = segments
    ? {
        file,
        segments: segments.map(({ paddr, offset, length }) => ({ paddr: hex(paddr), offset, length })),
      }
    : file;
  const described = iommus.map(({ name, kind, segment, registers }) => ({
    name,
    kind,
    segment,
    registers: Object.fromEntries([...registers].map(([register, value]) => [register, hex(value)])),
  }));
  return `${JSON.stringify({ version, image, iommus: described }, undefined, 2)}\n`;
}
