import { decodeFields } from '../engine/bits/bitFields';
import { type DeviceDirectory, type VendorWords } from '../engine/directory/deviceDirectory';
import { type Result } from '../engine/result';
import { type DescribedIommu } from '../image/description/index';
import { type OpenIommu } from './inspection';
import { type IommuSummary, type RegisterValue } from './protocol';

/** For an IOMMU whose directory cannot be opened. */
const ANY_WORDS: VendorWords = {
  requester: 'requester id',
  pasid: 'PASID',
  stage1Tag: 'domain',
  stage2Tag: 'domain',
  contextEntry: 'device entry',
};

/** An IOMMU of a source with its directory, or with the reason why it cannot be read. */
export function withDirectory(described: DescribedIommu, opened: Result<DeviceDirectory>): OpenIommu {
  const { name, kind, segment } = described;
  const directory = opened.ok ? opened.value : undefined;
  const summary: IommuSummary = {
    name,
    kind,
    segment,
    mode: directory?.mode ?? kind,
    translating: directory !== undefined && directory.off === undefined,
    ...(directory?.off ? { off: directory.off.why } : {}),
    words: directory?.words ?? ANY_WORDS,
    registers: directory ? decoded(directory) : [],
    ...(opened.ok ? {} : { failure: opened.failure }),
  };
  return { summary, described, directory };
}

function decoded(directory: DeviceDirectory): RegisterValue[] {
  return directory.registers.map(({ name, value, layout }) => ({
    name,
    value,
    fields: decodeFields(value, layout),
  }));
}
