import { hasAll, isIn, isListOf, isRecord, isText, orAbsent, type Check } from './jsonShape';
import { type MachineSpec } from './spec';

/** What each field is, and how a problem with it is told. */
const FIELDS: Readonly<Record<keyof MachineSpec, { readonly check: Check; readonly what: string }>> = {
  version: { check: isIn(1), what: '1' },
  vendor: { check: isText, what: 'a vendor, as text' },
  tables: { check: isText, what: 'the id of a table format, as text' },
  memory: { check: isText, what: 'a size, as text: 64G' },
  mapping: {
    check: hasAll({ what: isIn('guest', 'none'), pages: isListOf(isText) }),
    what: 'what is mapped (guest or none) and a list of page sizes',
  },
  devices: {
    check: isListOf(
      hasAll({
        requester: isText,
        ats: orAbsent(isIn(true, false)),
        attached: orAbsent(isIn(true, false)),
        vfio: orAbsent(hasAll({ model: isText, writesBack: orAbsent(isText), state: orAbsent(isText) })),
        log: orAbsent(isRecord),
      }),
    ),
    what: 'a list of devices, each with a requester',
  },
  dirtyTracking: { check: isIn('none', 'off', 'on'), what: 'none, off or on' },
  iommus: { check: isIn(1, 2), what: '1 or 2' },
  seed: { check: Number.isSafeInteger, what: 'a whole number' },
  rules: { check: orAbsent(isRecord), what: 'a record of rules' },
  capabilities: { check: orAbsent(isRecord), what: 'a record of capabilities' },
  driverFaults: { check: orAbsent(isListOf(isText)), what: 'a list of ids' },
  nestParent: { check: orAbsent(isIn(true, false)), what: 'true or false' },
  cpu: {
    check: orAbsent(
      hasAll({
        vcpus: Number.isSafeInteger,
        logging: isText,
        logsHostWriters: isIn(true, false),
        harvestsOnZap: isIn(true, false),
      }),
    ),
    what: 'a record of vcpus, logging, logsHostWriters and harvestsOnZap',
  },
  type1: { check: orAbsent(isRecord), what: 'a record of rules' },
};

/** What is wrong with the shape of a specification that came from a file, a journal or a program; undefined: nothing. */
export function shapeProblem(spec: unknown): string | undefined {
  if (!isRecord(spec)) return 'A specification is an object.';
  const given = spec as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(FIELDS, name));
  if (unknown !== undefined) return `"${unknown}" is no field of a machine.`;
  const wrong = Object.entries(FIELDS).find(([name, { check }]) => !check(given[name]));
  if (!wrong) return undefined;
  const [name, { what }] = wrong;
  const said = given[name] === undefined ? 'missing' : JSON.stringify(given[name]);
  return `"${name}" is ${said}, and not ${what}.`;
}
