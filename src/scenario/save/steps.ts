import { type MachineOperation, type OperationReport } from '../../engine/machine/operation';
import { type CommandText } from '../../engine/machine/operations/nestingTypes';
import { formatSize, parseInteger } from '../../engine/values';
import { type SavedNames } from './names';
import { requestStep, type SavedFiles } from './requests';
import { type SavedTraffic } from './traffic';
import { type Written, type WrittenMap } from './yamlText';

/** What operations are written with. */
export interface Saving {
  readonly names: SavedNames;
  readonly files: SavedFiles;
  readonly traffic: SavedTraffic;
}

type Kind = MachineOperation['kind'];
/** The action of a step; undefined: it names what there is not, and so did nothing. */
type Writer<K extends Kind> = (
  of: Extract<MachineOperation, { kind: K }>,
  saving: Saving,
  report: OperationReport | undefined,
) => WrittenMap | undefined;

/** A number of up to 64 bits as text has it, to be written in hexadecimal; what is none stays as it is. */
const word = (text: string): Written => parseInteger(text) ?? text;
const optional = (key: string, text: string | undefined): WrittenMap =>
  text === undefined ? {} : { [key]: word(text) };

interface Range {
  readonly iova?: string;
  readonly length?: string;
}

/** A size with its unit. */
function size(text: string): string {
  const bytes = parseInteger(text);
  return bytes === undefined ? text : formatSize(bytes);
}

const range = ({ iova, length }: Range): WrittenMap => ({
  ...optional('iova', iova),
  ...(length === undefined ? {} : { length: size(length) }),
});

/** Of the first domain nothing needs to be said. */
function inDomain(id: number, { names }: Saving): WrittenMap | undefined {
  const name = names.domain(id);
  if (name === undefined) return undefined;
  return name === names.firstDomain ? {} : { domain: name };
}

const command = ({ name, fields }: CommandText): WrittenMap => ({ name, fields: { ...fields } });

/** An action of a domain. */
function ofDomain(action: string, id: number, saving: Saving, rest: WrittenMap): WrittenMap | undefined {
  const domain = inDomain(id, saving);
  return domain && { [action]: { ...domain, ...rest } };
}

function ofGuest(action: string, id: number, { names }: Saving, rest: WrittenMap): WrittenMap | undefined {
  const guest = names.guest(id);
  return guest === undefined ? undefined : { [action]: { guest, ...rest } };
}

function ofDevice(
  action: string,
  requester: string,
  { names }: Saving,
  rest: WrittenMap,
): WrittenMap | undefined {
  const device = names.device(requester);
  return device === undefined ? undefined : { [action]: { device, ...rest } };
}

const WRITERS: { readonly [K in Kind]: Writer<K> } = {
  dma: ({ requests }, { names, files }, report) => requestStep(requests, report, names, files),
  traffic: (operation, { traffic }, report) => traffic.step(operation, report),
  map: ({ domain, iova, length, paddr, permission }, saving) =>
    ofDomain('map', domain, saving, {
      ...range({ iova, length }),
      ...optional('to', paddr),
      ...(permission === 'RW' ? {} : { permission }),
    }),
  unmap: ({ domain, iova, length, more, through, flush, protocol }, saving) =>
    ofDomain('unmap', domain, saving, {
      ...range({ iova, length }),
      ...(more ? { more: more.map(range) } : {}),
      through,
      flush,
      protocol,
    }),
  split: ({ domain, size, protocol, ...rest }, saving) =>
    ofDomain('split', domain, saving, { ...range(rest), size, protocol }),
  collapse: ({ domain, size, protocol, ...rest }, saving) =>
    ofDomain('collapse', domain, saving, { ...range(rest), size, protocol }),
  setDirtyTracking: ({ domain, enable }, saving) => ofDomain('dirtyTracking', domain, saving, { enable }),
  readDirty: ({ domain, pageSize, clear, protocol, bitmapOffset, ...rest }, saving) =>
    ofDomain('readDirty', domain, saving, {
      ...range(rest),
      pageSize,
      ...(clear ? {} : { clear }),
      protocol,
      bitmapOffset,
    }),
  invalidate: ({ domain, ...rest }, saving) => ofDomain('invalidate', domain, saving, range(rest)),
  attach: ({ requester, pasid, to }, saving) => {
    const name = typeof to === 'number' ? (saving.names.domain(to) ?? saving.names.guest(to)) : to;
    if (name === undefined) return undefined;
    return ofDevice('attach', requester, saving, {
      ...(pasid === undefined || pasid === null ? {} : { pasid }),
      to: name,
    });
  },
  createDomain: ({ dirtyTracking, nestParent, tables, pages }, { names }, report) => ({
    createDomain: {
      name: names.addDomain(report?.counts['domain']),
      ...(dirtyTracking ? { dirtyTracking } : {}),
      ...(nestParent === true ? { nestParent } : {}),
      tables,
      ...(pages && pages.length > 0 ? { pages } : {}),
    },
  }),
  evict: ({ iommu, cache, all }) => ({ evict: { iommu, cache, ...(all ? {} : { all }) } }),
  writeWord: ({ address, word: value }) => ({ writeWord: { address: word(address), word: word(value) } }),
  during: (operation, saving, report) => during(operation, saving, report),
  cpu: ({ accesses }) => {
    const steps = accesses.map(({ address, vcpu, length, access }) => ({
      cpu: { address: word(address), vcpu, length, access },
    }));
    const [first] = steps;
    return steps.length === 1 && first ? first : { repeat: { times: 1, steps } };
  },
  hostWrite: ({ by, address, length }) => ({ hostWrite: { by, address: word(address), length } }),
  zap: ({ address, length, reason }) => ({ zap: { address: word(address), length, reason } }),
  harvestCpu: () => ({ harvestCpu: {} }),
  copy: ({ what, address = '0x0', length = '0' }) => ({
    copy: what === 'range' ? { address: word(address), length } : what,
  }),
  deviceState: ({ requester, state }, saving) => ofDevice('deviceState', requester, saving, { state }),
  dmaLog: ({ requester, action, ranges }, saving) =>
    ofDevice('dmaLog', requester, saving, { action, ...(ranges ? { ranges: ranges.map(range) } : {}) }),
  type1: ({ action, group, pins, ...rest }) => ({ type1: { action, group, pins, ...range(rest) } }),
  createGuest: ({ parent, tables, memory, memoryLength, pages, viommu }, { names }, report) => {
    const beneath = names.domain(parent);
    const of = viommu === undefined ? undefined : names.viommu(viommu);
    if (beneath === undefined || (viommu !== undefined && of === undefined)) return undefined;
    return {
      guest: {
        name: names.addGuest(report?.counts['domain']),
        parent: beneath,
        tables,
        ...optional('memory', memory),
        memoryLength,
        ...(pages && pages.length > 0 ? { pages } : {}),
        viommu: of,
      },
    };
  },
  guestMap: ({ guest, iova, length, to, permission }, saving) =>
    ofGuest('guestMap', guest, saving, {
      ...range({ iova, length }),
      to: word(to),
      ...(permission === 'RW' ? {} : { permission }),
    }),
  guestUnmap: ({ guest, iova, length, invalidate = false }, saving) =>
    ofGuest('guestUnmap', guest, saving, {
      ...range({ iova, length }),
      ...(invalidate ? {} : { invalidate }),
    }),
  guestInvalidate: ({ guest, command: name, ...rest }, saving) =>
    ofGuest('guestInvalidate', guest, saving, { ...range(rest), command: name }),
  createVirtualIommu: ({ parent, hardwareQueue }, { names }, report) => {
    const beneath = names.domain(parent);
    if (beneath === undefined) return undefined;
    const name = names.addViommu(report?.counts['viommu']);
    return { viommu: { name, parent: beneath, ...(hardwareQueue === true ? { hardwareQueue } : {}) } };
  },
  createVirtualDevice: ({ viommu, requester, virtualId }, { names }) => {
    const [of, device] = [names.viommu(viommu), names.device(requester)];
    if (of === undefined || device === undefined) return undefined;
    return { vdevice: { viommu: of, device, id: word(virtualId) } };
  },
  guestCommands: ({ viommu, commands }, { names }) => {
    const of = names.viommu(viommu);
    return of === undefined ? undefined : { guestCommands: { viommu: of, commands: commands.map(command) } };
  },
  command: ({ iommu, command: given }) => ({ command: { ...command(given), iommu } }),
};

/** An operation as a step. `report`: what became of it; absent: within another operation, nobody knows. */
export function stepOf(
  operation: MachineOperation,
  report: OperationReport | undefined,
  saving: Saving,
): WrittenMap {
  const writer = WRITERS[operation.kind] as Writer<Kind> | undefined;
  const action = writer?.(operation, saving, report);
  if (!action) {
    const note = `Left out: ${operation.kind}, which was refused${report ? `: ${report.summary}` : '.'}`;
    return { wait: { cycles: 0 }, note: note.slice(0, MOST_NOTE) };
  }
  return report?.errno === undefined ? action : { ...action, errno: report.errno };
}

const MOST_NOTE = 500;

function during(
  { operation, moments, holdsCommands }: Extract<MachineOperation, { kind: 'during' }>,
  saving: Saving,
  report: OperationReport | undefined,
): WrittenMap {
  // Its own errno is told by the step around it.
  const own = report?.errno === undefined ? report : { ...report, counts: {} };
  const { errno: _errno, ...step } = stepOf(operation, own, saving);
  return {
    during: {
      step,
      moments: moments.map(({ after, every, runsCommands, operations }, moment) => ({
        after,
        every,
        runsCommands,
        steps: operations.map((each, place) => {
          const found = (report?.meanwhile ?? []).filter(
            (one) => one.moment === moment && one.place === place,
          );
          const isWhole = report?.counts['meanwhile'] === report?.meanwhile?.length;
          return within(each, found, isWhole, saving);
        }),
      })),
      ...(holdsCommands === true ? { holdsCommands } : {}),
    },
  };
}

/**
 * What is done within another operation, once or many times, with one end or another each time. `isWhole`: all of its reports are
 * there.
 */
function within(
  operation: MachineOperation,
  reports: readonly OperationReport[],
  isWhole: boolean,
  saving: Saving,
): WrittenMap {
  const isRefused = reports.some(({ counts }) => (counts['refused'] ?? 0) > 0);
  const isRequests = operation.kind === 'dma' || operation.kind === 'traffic';
  return stepOf(operation, isRequests && (isRefused || !isWhole) ? undefined : reports[0], saving);
}
