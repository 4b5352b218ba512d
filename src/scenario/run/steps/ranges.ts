import { formatSize, hex } from '../../../engine/values';

interface Range {
  readonly iova?: bigint | undefined;
  readonly length?: bigint | undefined;
}

/** A range as operations have it; what is left out stays out. */
export const rangeText = ({ iova, length }: Range): { iova?: string; length?: string } => ({
  ...(iova === undefined ? {} : { iova: hex(iova) }),
  ...(length === undefined ? {} : { length: formatSize(length) }),
});

export const mustRangeText = ({ iova, length }: { readonly iova: bigint; readonly length: bigint }) => ({
  iova: hex(iova),
  length: formatSize(length),
});

export const sizeText = (size: bigint): string => formatSize(size);
