import { formatRequester, hex, parseInteger, parseRequester, requesterId } from '../../engine/values';
import { type IommuKind } from './registers';
import { type IdRange } from './types';

/**
 * How each kind calls the id that it knows a device by, and its bits: PCI requester ids have 16; Arm SMMUv3 (IHI 0070)
 * §3.3.1; RISC-V IOMMU 1.0 §2.1. A guest has none, and any is taken for it.
 */
export const DEVICE_IDS: Readonly<Record<IommuKind, { readonly name: string; readonly bits: number }>> = {
  'vt-d': { name: 'a requester id', bits: 16 },
  'amd-vi': { name: 'a DeviceID', bits: 16 },
  smmuv3: { name: 'a StreamID', bits: 32 },
  riscv: { name: 'a device_id', bits: 24 },
  ept: { name: 'a number', bits: 16 },
};

const BDF = '[0-9a-fA-F]{1,2}:[01]?[0-9a-fA-F][.][0-7]';
const ID = `(${BDF}|0[xX][0-9a-fA-F]+|[0-9]+)`;
/** One id or two with a `-` between, both belonging to the range: `00:02.0`, `00:00.0-00:1f.7`, `0x100-0x1ff`. */
export const REQUESTERS_TEXT = new RegExp(`^${ID}(-${ID})?$`);

/** Both ends as people write them, hence inclusive. Undefined for what `REQUESTERS_TEXT` does not match. */
export function parseRequesters(text: string): { readonly first: bigint; readonly last: bigint } | undefined {
  if (!REQUESTERS_TEXT.test(text)) return undefined;
  const [from = '', to = from] = text.split('-');
  const [first, last] = [parseId(from), parseId(to)];
  return first === undefined || last === undefined ? undefined : { first, last };
}

function parseId(text: string): bigint | undefined {
  if (!text.includes(':')) return parseInteger(text);
  const requester = parseRequester(text);
  return requester === undefined ? undefined : BigInt(requester);
}

/** `parseRequesters` gives the same range back. */
export function formatRequesters({ start, end }: IdRange, kind: IommuKind): string {
  const id = (value: number): string =>
    DEVICE_IDS[kind].bits === 16 ? formatRequester(requesterId(value)) : hex(value);
  return end - start === 1 ? id(start) : `${id(start)}-${id(end - 1)}`;
}
