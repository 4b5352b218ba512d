import {
  hasAll,
  isEither,
  isFlag,
  isIn,
  isListOf,
  isNumber,
  isRecord,
  isText,
  orAbsent,
  type Check,
} from './jsonShape';
import { type MachineOperation } from './operation';

type Kind = MachineOperation['kind'];
type Fields<Of extends Kind> = Readonly<
  Record<Exclude<keyof Extract<MachineOperation, { kind: Of }>, 'kind'>, Check>
>;

const maybeText = orAbsent(isText);
const maybeNumber = orAbsent(isNumber);
const maybeFlag = orAbsent(isFlag);
const isPasid = orAbsent(isEither(isNumber, isIn(null)));
const RANGE = hasAll({ iova: isText, length: isText });
const COMMAND = hasAll({ name: isText, fields: isRecord });
const RESIZE = { domain: isNumber, iova: isText, length: maybeText, size: isText, protocol: maybeText };

/** What the fields of each kind of operation are made of; what they say is checked by whoever does it. */
const FIELDS: { readonly [Of in Kind]: Fields<Of> } = {
  dma: { requests: isListOf(isRecord) },
  traffic: {
    sources: isListOf(hasAll({ requester: isText, pasid: isPasid, traffic: isRecord })),
    requests: isNumber,
    seed: isNumber,
    skip: maybeNumber,
  },
  map: { domain: isNumber, iova: isText, length: isText, paddr: maybeText, permission: isIn('R', 'W', 'RW') },
  unmap: {
    domain: isNumber,
    iova: isText,
    length: isText,
    more: orAbsent(isListOf(RANGE)),
    through: maybeText,
    flush: orAbsent(isIn('gathered', 'everything')),
    protocol: maybeText,
  },
  split: RESIZE,
  collapse: RESIZE,
  setDirtyTracking: { domain: isNumber, enable: isFlag },
  readDirty: {
    domain: isNumber,
    iova: maybeText,
    length: maybeText,
    pageSize: maybeText,
    clear: isFlag,
    protocol: maybeText,
    bitmapOffset: maybeNumber,
  },
  invalidate: { domain: isNumber, iova: maybeText, length: maybeText },
  attach: {
    requester: isText,
    pasid: isPasid,
    to: isEither(isNumber, isIn('pass-through', 'blocked')),
    ats: maybeFlag,
  },
  createDomain: {
    dirtyTracking: isFlag,
    nestParent: maybeFlag,
    tables: maybeText,
    pages: orAbsent(isListOf(isText)),
  },
  evict: { iommu: isText, all: isFlag, cache: maybeText },
  writeWord: { address: isText, word: isText },
  createGuest: {
    parent: isNumber,
    tables: maybeText,
    memory: maybeText,
    memoryLength: maybeText,
    pages: orAbsent(isListOf(isText)),
    viommu: maybeNumber,
    iommu: maybeText,
  },
  guestMap: { guest: isNumber, iova: isText, length: isText, to: isText, permission: isIn('R', 'W', 'RW') },
  guestUnmap: { guest: isNumber, iova: isText, length: isText, invalidate: maybeFlag },
  guestInvalidate: { guest: isNumber, iova: maybeText, length: maybeText, command: maybeText },
  createVirtualIommu: { parent: isNumber, hardwareQueue: maybeFlag, iommu: maybeText },
  createVirtualDevice: { viommu: isNumber, requester: isText, virtualId: isText },
  guestCommands: { viommu: isNumber, commands: isListOf(COMMAND) },
  command: { iommu: isText, command: COMMAND },
  cpu: {
    accesses: isListOf(hasAll({ vcpu: maybeNumber, address: isText, length: maybeNumber, access: isText })),
  },
  hostWrite: { by: isText, address: isText, length: maybeText },
  zap: { address: isText, length: isText, reason: isText },
  harvestCpu: {},
  copy: { what: isText, address: maybeText, length: maybeText },
  deviceState: { requester: isText, state: isText },
  dmaLog: { requester: isText, action: isText, ranges: orAbsent(isListOf(RANGE)) },
  type1: {
    action: isText,
    group: maybeText,
    pins: maybeFlag,
    iova: maybeText,
    length: maybeText,
  },
  during: { operation: isRecord, moments: isListOf(isRecord), holdsCommands: maybeFlag },
};

/** What is wrong with the shape of an operation, which may be any JSON; undefined: nothing. */
export function operationProblem(operation: unknown): string | undefined {
  if (!isRecord(operation)) return 'an operation is an object with a kind';
  const given = operation as Readonly<Record<string, unknown>>;
  const { kind } = given;
  if (typeof kind !== 'string' || !Object.hasOwn(FIELDS, kind)) {
    const kinds = Object.keys(FIELDS).join(', ');
    return `${said(kind)} is no operation; there are ${kinds}`;
  }
  const fields: Readonly<Record<string, Check>> = FIELDS[kind as Kind];
  const unknown = Object.keys(given).find((name) => name !== 'kind' && !Object.hasOwn(fields, name));
  if (unknown !== undefined) return `${kind} has no "${unknown}"`;
  const wrong = Object.entries(fields).find(([name, check]) => !check(given[name]));
  if (!wrong) return undefined;
  const [name] = wrong;
  return given[name] === undefined
    ? `${kind}: "${name}" is missing`
    : `${kind}: "${name}" cannot be ${said(given[name])}`;
}

/** Characters of a text that are repeated. */
const MOST_SAID = 40;

const said = (value: unknown): string => {
  if (Array.isArray(value)) return 'this list';
  return isRecord(value) ? 'this object' : `"${String(value).slice(0, MOST_SAID)}"`;
};
