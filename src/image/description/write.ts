import { hex } from '../../engine/values';
import { formatRequesters } from './requesters';
import { type ImageDescription } from './types';

/** The text of a description file, ready to be saved. `parseDescription` gives the same description back. */
export function writeDescription({ version, file, segments, iommus }: ImageDescription): string {
  const image = segments
    ? {
        file,
        segments: segments.map(({ paddr, offset, length }) => ({ paddr: hex(paddr), offset, length })),
      }
    : file;
  const described = iommus.map(({ name, kind, segment, base, requesters, registers }) => ({
    name,
    kind,
    segment,
    ...(base !== undefined && { base: hex(base) }),
    ...(requesters && { requesters: requesters.map((range) => formatRequesters(range, kind)) }),
    registers: Object.fromEntries([...registers].map(([register, value]) => [register, hex(value)])),
  }));
  return `${JSON.stringify({ version, image, iommus: described }, undefined, 2)}\n`;
}
