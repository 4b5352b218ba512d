import { hex } from '../../../engine/values';
import { type Planner, one } from './planned';
import { mustRangeText, rangeText, sizeText } from './ranges';

export const map: Planner<'map'> = ({ domain, iova, length, to, permission }, { names }) =>
  one({
    kind: 'map',
    domain: names.domain(domain, ['domain']),
    ...mustRangeText({ iova, length }),
    ...(to === undefined ? {} : { paddr: hex(to) }),
    permission,
  });

export const unmap: Planner<'unmap'> = (
  { domain, iova, length, more, through, flush, protocol },
  { names },
) =>
  one({
    kind: 'unmap',
    domain: names.domain(domain, ['domain']),
    ...mustRangeText({ iova, length }),
    ...(more ? { more: more.map(mustRangeText) } : {}),
    ...(through ? { through } : {}),
    ...(flush ? { flush } : {}),
    ...(protocol === undefined ? {} : { protocol }),
  });

/** Without a range: all that there is; the engine looks at what is mapped. */
const resized = (
  range: { readonly iova?: bigint | undefined; readonly length?: bigint | undefined },
  size: bigint,
  protocol: string | undefined,
) => {
  const { iova = '0x0', length } = rangeText(range);
  return {
    iova,
    length: length ?? (range.iova === undefined ? EVERYTHING : sizeText(size)),
    size: sizeText(size),
    ...(protocol === undefined ? {} : { protocol }),
  };
};

/** Up to the last page of 64 bits. */
const EVERYTHING = hex(2n ** 64n - 4096n);

export const split: Planner<'split'> = ({ domain, size, protocol, ...range }, { names }) =>
  one({ kind: 'split', domain: names.domain(domain, ['domain']), ...resized(range, size, protocol) });

export const collapse: Planner<'collapse'> = ({ domain, size, protocol, ...range }, { names }) =>
  one({ kind: 'collapse', domain: names.domain(domain, ['domain']), ...resized(range, size, protocol) });

export const invalidate: Planner<'invalidate'> = ({ domain, ...range }, { names }) =>
  one({ kind: 'invalidate', domain: names.domain(domain, ['domain']), ...rangeText(range) });
