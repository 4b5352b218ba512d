import { makeCapabilities, walksCoherently, type MachineCapabilities } from '../driver/capabilities/index';
import { DRIVER_FAULTS } from '../driver/driverFaults';
import { BITMAP_FAULTS } from '../driver/iommufd/bitmapFaults';
import { type BitmapFault } from '../driver/iommufd/dirtyBitmap';
import { type TableFault } from '../driver/pageTable/gather';
import { TABLE_FAULTS } from '../driver/pageTable/tableFaults';
import { DEFAULT_RULES, HARDWARE_MISTAKES, type CacheGeometry, type HardwareRules } from '../iommu/rules';
import { EMULATED_KINDS } from '../iommu/vendor';
import { failure, success, type Result } from '../result';
import { formatSize, parseDevice } from '../values';
import { pageShiftsOf } from './choices';
import { guestProblem } from './checkGuest';
import { shiftsIn } from './inputs';
import { layoutOf, type GuestLayout } from './layout';
import { type MachineSpec } from './spec';
import { shapeProblem } from './specShape';
import { tableChoices, type TableChoice, type TableShape } from './tableChoices';

/** A specification that a machine can be made from, with what follows from it. */
export interface CheckedSpec {
  readonly spec: MachineSpec;
  readonly capabilities: MachineCapabilities;
  readonly choice: TableChoice;
  readonly shape: TableShape;
  readonly layout: GuestLayout;
  /** log2 bytes of the smallest page. */
  readonly granuleShift: number;
  readonly rules: HardwareRules;
  /** log2 sizes that mapping uses; undefined: all. */
  readonly pageShifts: readonly number[] | undefined;
  readonly driverFaults: readonly string[];
  readonly tableFaults: readonly TableFault[];
  /** The first one that is asked for. */
  readonly bitmapFault: BitmapFault | undefined;
}

/** Leaf entries that a machine's memory holds, 4 GiB at most: as patterns of whole tables, or word by word. */
const MOST_LEAF_ENTRIES = 2 ** 30;
const MOST_LEAF_WORDS = 2 ** 27;
const MOST_DEVICES = 64;

/** Refuses what no hardware is, what does not fit, and what is no specification: each with what to do about it. */
export function checkSpec(spec: MachineSpec): Result<CheckedSpec> {
  const misshapen = shapeProblem(spec);
  if (misshapen !== undefined) return failure('machine/spec', misshapen, 'docs/engine.md shows one.');
  if (!EMULATED_KINDS.includes(spec.vendor)) {
    return failure(
      'machine/vendor',
      `"${spec.vendor}" is no vendor.`,
      `Choose of ${EMULATED_KINDS.join(', ')}.`,
    );
  }
  const choices = tableChoices(spec.vendor);
  const choice = choices.find(({ id }) => id === spec.tables);
  if (!choice) {
    const ids = choices.map(({ id }) => id).join(', ');
    return failure('machine/tables', `${spec.vendor} has no tables "${spec.tables}".`, `It has ${ids}.`);
  }
  const capabilities = makeCapabilities(spec.vendor, { ...choice.capabilities, ...spec.capabilities });
  if (!capabilities.ok) return capabilities;
  const shape = choice.shape(capabilities.value);
  const possible = pageShiftsOf(choice);
  const granuleShift = possible[0] ?? 12;
  const layout = layoutOf(spec.memory, 2 ** granuleShift);
  if (!layout.ok) return layout;
  const pages = shiftsIn(spec.mapping.pages, possible);
  if (!pages.ok) return pages;
  const wrong =
    checkSize(spec, layout.value, shape, pages.value ?? possible, walksCoherently(capabilities.value)) ??
    checkDevices(spec);
  if (wrong) return failure(wrong.code, wrong.message, wrong.hint);
  const guest = guestProblem(spec);
  if (guest !== undefined) return failure('machine/guest', guest, 'docs/engine.md shows specifications.');
  const rules = checkRules(spec.rules ?? {}, capabilities.value);
  if (!rules.ok) return rules;
  const faults = splitFaults(spec.driverFaults ?? []);
  if (!faults.ok) return faults;
  return success({
    spec,
    capabilities: capabilities.value,
    choice,
    shape,
    layout: layout.value,
    granuleShift,
    rules: rules.value,
    pageShifts: pages.value,
    ...faults.value,
  });
}

interface Wrong {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

function checkSize(
  { mapping }: MachineSpec,
  { bytes, regions }: GuestLayout,
  { ends, format }: TableShape,
  shifts: readonly number[],
  patterns: boolean,
): Wrong | undefined {
  const end = regions.at(-1)?.endPage ?? 0;
  if (end > ends.lowEnd) {
    const takes = formatSize(BigInt(ends.lowEnd) * 4096n);
    const message = `Guest memory ends at ${formatSize(BigInt(end) * 4096n)}, and ${format.title} take ${takes} here.`;
    return {
      code: 'machine/address-width',
      message,
      hint: 'Choose tables with more levels, or less memory.',
    };
  }
  const largest = 2 ** (shifts.at(-1) ?? 12);
  if (mapping.what === 'guest' && bytes / largest > (patterns ? MOST_LEAF_ENTRIES : MOST_LEAF_WORDS)) {
    const message = `${formatSize(bytes)} by pages of ${formatSize(largest)} take more entries than a machine holds.`;
    return { code: 'machine/too-large', message, hint: 'Allow larger pages, or give it less memory.' };
  }
  return undefined;
}

function checkDevices({ devices }: MachineSpec): Wrong | undefined {
  const wrong = devices.find(({ requester }) => parseDevice(requester) === undefined);
  const ids = devices.map(({ requester }) => parseDevice(requester)?.requester);
  const twice = devices.find((_, index) => ids.indexOf(ids[index]) < index);
  const hint = 'Name devices as 00:02.0, or by an id.';
  if (wrong) return { code: 'machine/device', message: `"${wrong.requester}" is no device.`, hint };
  if (twice) return { code: 'machine/device', message: `"${twice.requester}" is there twice.`, hint };
  if (devices.length === 0 || devices.length > MOST_DEVICES) {
    const message = `A machine has 1 to ${MOST_DEVICES} devices, not ${devices.length}.`;
    return { code: 'machine/devices', message, hint };
  }
  return undefined;
}

/** Rules that were given, over those that follow from the capabilities. */
function checkRules(given: Partial<HardwareRules>, capabilities: MachineCapabilities): Result<HardwareRules> {
  const rules: HardwareRules = {
    ...DEFAULT_RULES,
    snoopsCaches: walksCoherently(capabilities),
    bbml: capabilities.vendor === 'smmuv3' ? bbmlOf(capabilities.bbml) : 2,
    cachesNotPresent: cachesNotPresent(capabilities),
    ...given,
  };
  const [wrong] = [rules.iotlb, rules.walkCache].filter((geometry) => !isGeometry(geometry));
  if (wrong !== undefined) {
    const hint = 'Sets are a power of two, or 0 for no cache; ways are at most 64, and entries at most 2^18.';
    return failure('machine/geometry', `A cache is ${JSON.stringify(wrong)}.`, hint);
  }
  const problem = ruleProblem(given, rules);
  return problem === undefined
    ? success(inOrder(rules))
    : failure('machine/rule', problem, 'docs/hardware.md explains each rule.');
}

/** The sizes that an IOTLB holds are looked up from the smallest on. */
const inOrder = ({ cachedShifts, ...rules }: HardwareRules): HardwareRules =>
  cachedShifts ? { ...rules, cachedShifts: [...cachedShifts].sort((one, other) => one - other) } : rules;

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 2 ** 20;

/** What is wrong with rules, as JSON may say them. */
function ruleProblem(given: Partial<HardwareRules>, rules: HardwareRules): string | undefined {
  const unknown = Object.keys(given).find((name) => !RULE_NAMES.has(name));
  if (unknown !== undefined) return `"${unknown}" is no rule of hardware.`;
  if (!['compare', 'blind'].includes(rules.update))
    return `update is "${rules.update}", and not compare or blind.`;
  if (![0, 1, 2].includes(rules.bbml)) return `bbml is ${rules.bbml}, and not 0, 1 or 2.`;
  const { evictEvery, prefetchEvery, contextEntries, processEntries, deviceTlbEntries } = rules;
  const counts = { evictEvery, prefetchEvery, contextEntries, processEntries, deviceTlbEntries };
  const wrong = Object.entries(counts).find(([, value]) => !isCount(value));
  if (wrong) return `${wrong[0]} is ${wrong[1]}, and not a count of at most 2^20.`;
  const lists = [rules.cachedShifts ?? [], rules.mistakes ?? []];
  if (!lists.every((list) => Array.isArray(list))) return 'cachedShifts and mistakes are lists.';
  const { bareShift = 12 } = rules;
  if (!Number.isInteger(bareShift) || bareShift < 12 || bareShift > 63) return `bareShift is ${bareShift}.`;
  const shift = (rules.cachedShifts ?? []).find((each) => !Number.isInteger(each) || each < 12 || each > 52);
  if (shift !== undefined) return `cachedShifts has ${shift}, and page sizes are 2^12 to 2^52 bytes.`;
  const known: readonly string[] = HARDWARE_MISTAKES;
  const mistake = rules.mistakes?.find((each) => !known.includes(each));
  return mistake === undefined ? undefined : `"${mistake}" is no mistake that hardware can be given.`;
}

const RULE_NAMES = new Set([
  ...Object.keys(DEFAULT_RULES),
  ...['removesLarger', 'refusesFromCache', 'cachedShifts', 'bareShift', 'mistakes'],
]);

const bbmlOf = (level: number): 0 | 1 | 2 => (level === 0 ? 0 : level === 1 ? 1 : 2);

const cachesNotPresent = (of: MachineCapabilities): boolean =>
  (of.vendor === 'vt-d' && of.cachingMode) || (of.vendor === 'amd-vi' && of.cachesNotPresent);

/** At most 2^18 translations: what they take is laid out at once. */
const MOST_CACHED = 2 ** 18;

const isGeometry = (geometry: CacheGeometry): boolean => {
  const { sets, ways } = { ...geometry };
  const isSets = Number.isInteger(sets) && (sets === 0 || (sets > 0 && Number.isInteger(Math.log2(sets))));
  return isSets && Number.isInteger(ways) && ways >= 0 && ways <= 64 && sets * ways <= MOST_CACHED;
};

function splitFaults(
  ids: readonly string[],
): Result<Pick<CheckedSpec, 'driverFaults' | 'tableFaults' | 'bitmapFault'>> {
  const bitmapIds: readonly string[] = BITMAP_FAULTS.map(({ id }) => id);
  const tableIds: readonly string[] = TABLE_FAULTS.map(({ id }) => id);
  const driverIds: readonly string[] = DRIVER_FAULTS.map(({ id }) => id);
  const all = [...driverIds, ...tableIds, ...bitmapIds];
  const unknown = ids.find((id) => !all.includes(id));
  if (unknown !== undefined) {
    const hint = `There are ${all.join(', ')}.`;
    return failure('machine/driver-fault', `"${unknown}" is no omission of the driver.`, hint);
  }
  return success({
    driverFaults: ids.filter((id) => driverIds.includes(id)),
    tableFaults: ids.filter((id): id is TableFault => tableIds.includes(id)),
    bitmapFault: ids.find((id): id is BitmapFault => bitmapIds.includes(id)),
  });
}
