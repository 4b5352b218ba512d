import { makeCapabilities, type MachineCapabilities } from '../../engine/driver/capabilities/index';
import { EMULATED_KINDS, type EmulatedKind } from '../../engine/iommu/vendor';
import { tableChoices, type TableChoice, type TableShape } from '../../engine/machine/tableChoices';
import { zeroExtended } from '../../engine/pageTable/addressSpace';
import { assert } from '../../engine/result';
import { type TraceTable } from '../../trace/model/table';
import { RequestError, refuse } from '../requestError';

/** The IOMMU that tables are built for, and what they are made of. */
export interface ReplayShape {
  readonly capabilities: MachineCapabilities;
  readonly choice: TableChoice;
  readonly shape: TableShape;
}

/** What names of events say of the IOMMU that the trace is of. */
const SPEAKS: readonly (readonly [RegExp, EmulatedKind])[] = [
  [/^(?:vtd_|qi_submit|cache_tag_|dmar)/i, 'vt-d'],
  [/^amd[-_]?vi/i, 'amd-vi'],
  [/smmu/i, 'smmuv3'],
  [/^riscv_iommu/i, 'riscv'],
];

/** Tables that Linux uses for the DMA API, those for wider addresses behind. */
const CHOICES: Readonly<Record<EmulatedKind, readonly string[]>> = {
  'vt-d': ['second-stage'],
  'amd-vi': ['v1'],
  smmuv3: ['stage1-4k'],
  riscv: ['sv48', 'sv57'],
};

/** The vendor that was asked for, else the one that the trace speaks of, else VT-d. */
export function vendorOf({ names, eventCounts }: TraceTable, asked: string | undefined): EmulatedKind {
  if (asked !== undefined) {
    const kind = EMULATED_KINDS.find((each) => each === asked);
    return (
      kind ?? refuse('machine/vendor', `"${asked}" is no vendor.`, `Choose of ${EMULATED_KINDS.join(', ')}.`)
    );
  }
  for (const [event, name] of names.events.texts().entries()) {
    if ((eventCounts[event] ?? 0) === 0) continue;
    const speaks = SPEAKS.find(([words]) => words.test(name));
    if (speaks) return speaks[1];
  }
  return 'vt-d';
}

/** Tables of a vendor that take IOVAs up to a page, or as far as they can. */
export function shapeFor(vendor: EmulatedKind, endPage: number): ReplayShape {
  const shapes = CHOICES[vendor].map((id) => {
    const choice = tableChoices(vendor).find((each) => each.id === id);
    assert(choice, `${vendor} has tables ${id}`);
    const capabilities = capabilitiesOf(choice, {});
    return { capabilities, choice, shape: choice.shape(capabilities) };
  });
  if (vendor === 'vt-d') shapes.push(...shapes.slice(0, 1).map(({ choice }) => fiveLevels(choice)));
  const [last] = shapes.slice(-1);
  const found = shapes.find(({ shape }) => endPage <= pagesTaken(shape)) ?? last;
  assert(found, 'every vendor has tables');
  return found;
}

/** Pages that tables take from address 0 on. */
const pagesTaken = ({ mostAddressBits, ends }: TableShape): number =>
  mostAddressBits === undefined ? ends.lowEnd : 2 ** (mostAddressBits - 12);

/** CAP.SAGAW may have five levels, of 57 bits. */
function fiveLevels(choice: TableChoice): ReplayShape {
  const capabilities = capabilitiesOf(choice, { levels: [3, 4, 5], addressBits: 57 });
  const shape: TableShape = { ...choice.shape(capabilities), rootDepth: 5, ends: zeroExtended(57) };
  return { capabilities, choice, shape };
}

function capabilitiesOf({ vendor, capabilities }: TableChoice, changes: object): MachineCapabilities {
  const made = makeCapabilities(vendor, { ...capabilities, ...changes });
  if (!made.ok) throw new RequestError(made.failure);
  return made.value;
}
