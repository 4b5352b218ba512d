import { type CpuLogging } from '../driver/cpu/secondStage';
import { type DmaLoggingLimits } from '../driver/vfio/dmaLogging';
import { isVfioModel, VFIO_MODELS } from '../driver/vfio/models';
import { type Type1Rules } from '../driver/vfio/type1';
import { parseInteger } from '../values';
import { type MachineCpu, type MachineDevice, type MachineSpec } from './spec';

const MOST_VCPUS = 256;
/** Of a device: more than any has. */
const MOST_STATE = 2n ** 44n;
const LOGGING: readonly CpuLogging[] = ['none', 'dirty-bits', 'write-protect'];
const WRITES_BACK: readonly string[] = ['never', 'stop', 'save'];
const POPULATES: readonly Type1Rules['populates'][] = ['never', 'at-detach', 'ahead'];
const isFlag = (value: unknown): boolean => value === true || value === false;
const isCount = (value: unknown): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;

/** What a specification says of CPUs, migrating devices and containers that cannot be; undefined: nothing. */
export function guestProblem({ cpu, devices, type1 }: MachineSpec): string | undefined {
  const device = devices.map((each) => deviceProblem(each)).find((each) => each !== undefined);
  return (cpu && cpuProblem(cpu)) ?? device ?? (type1 && type1Problem(type1));
}

function cpuProblem({ vcpus, logging }: MachineCpu): string | undefined {
  if (!isCount(vcpus) || vcpus > MOST_VCPUS) return `cpu: there are 1 to ${MOST_VCPUS} vCPUs, not ${vcpus}.`;
  if (LOGGING.includes(logging)) return undefined;
  return `cpu: "${logging}" is no way to log. There are ${LOGGING.join(', ')}.`;
}

function deviceProblem({ requester, vfio, log }: MachineDevice): string | undefined {
  const problem = (vfio && vfioProblem(vfio)) ?? (log && logProblem(log));
  return problem === undefined ? undefined : `${requester}: ${problem}`;
}

function vfioProblem({
  model,
  writesBack,
  writeBackTo,
  state,
}: NonNullable<MachineDevice['vfio']>): string | undefined {
  if (!isVfioModel(model))
    return `"${model}" is no model of a device that migrates. There are ${Object.keys(VFIO_MODELS).join(', ')}.`;
  if (writesBack !== undefined && !WRITES_BACK.includes(writesBack))
    return `writesBack is "${writesBack}", and not one of ${WRITES_BACK.join(', ')}.`;
  if (writeBackTo !== undefined && addressIn(writeBackTo) === undefined)
    return `writeBackTo is ${JSON.stringify(writeBackTo)}, and no address of 64 bits.`;
  const bytes = state === undefined ? 0n : addressIn(state);
  return bytes === undefined || bytes > MOST_STATE
    ? `state is ${JSON.stringify(state)}, and no size of at most 16T.`
    : undefined;
}

const addressIn = (text: unknown): bigint | undefined =>
  typeof text === 'string' ? parseInteger(text) : undefined;

const LIMITS: Readonly<Record<keyof DmaLoggingLimits, (value: unknown) => boolean>> = {
  mostRanges: isCount,
  mostBytes: isCount,
  atomicBytes: isFlag,
};

const logProblem = (log: object): string | undefined => recordProblem('log', log, LIMITS);

const RULES: Readonly<Record<keyof Type1Rules, (value: unknown) => boolean>> = {
  populates: (value) => POPULATES.some((each) => each === value),
  newMappings: isFlag,
  promotions: isFlag,
};

const type1Problem = (rules: object): string | undefined => recordProblem('type1', rules, RULES);

function recordProblem(
  name: string,
  given: object,
  fields: Readonly<Record<string, (value: unknown) => boolean>>,
): string | undefined {
  for (const [field, value] of Object.entries(given)) {
    const check = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (!check) return `${name} has no "${field}". It has ${Object.keys(fields).join(', ')}.`;
    if (!check(value)) return `${name}: ${field} is ${JSON.stringify(value)}, which it cannot be.`;
  }
  return undefined;
}
