import { formatSize, hex } from '../../../engine/values';
import { type Planner, one } from './planned';
import { rangeText, sizeText } from './ranges';

export const dirtyTracking: Planner<'dirtyTracking'> = ({ domain, enable }, { names }) =>
  one({ kind: 'setDirtyTracking', domain: names.domain(domain, ['domain']), enable });

export const readDirty: Planner<'readDirty'> = (
  { domain, pageSize, clear, protocol, bitmapOffset, ...range },
  { names },
) =>
  one({
    kind: 'readDirty',
    domain: names.domain(domain, ['domain']),
    ...rangeText(range),
    ...(pageSize === undefined ? {} : { pageSize: sizeText(pageSize) }),
    clear,
    ...(protocol === undefined ? {} : { protocol }),
    ...(bitmapOffset === undefined ? {} : { bitmapOffset }),
  });

export const copy: Planner<'copy'> = (what) =>
  typeof what === 'string'
    ? one({ kind: 'copy', what })
    : one({ kind: 'copy', what: 'range', address: hex(what.address), length: formatSize(what.length) });
