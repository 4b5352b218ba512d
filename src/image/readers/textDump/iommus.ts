import { type ListedIommu, type ListedTables } from '../../../engine/directory/listed/index';
import { FRAME_BYTES, frameNumber, hex, pasid, type RequesterId } from '../../../engine/values';
import { type IdRange } from '../../description/types';
import { type DumpedIommu } from '../reader';
import { type DeviceTableRow } from './deviceTableRows';
import { type DmarUnit } from './dmarUnits';
import { type DomainSection } from './domainSections';
import { frameAt, joined } from './hex';
import { InventedFrames } from './inventedFrames';
import { stageOf } from './stages';
import { type TextDump } from './parser';

/** Frames of an AMD device table of 65,536 entries of 32 bytes. */
const DEVICE_TABLE_FRAMES = 512;
const LARGEST_DEVICE_TABLE = 0x1ffn;
const SCALABLE = 1n << 10n;

/** The IOMMUs that a text speaks of, with what leads to their tables; places the entries of device structures. */
export function iommusOf(dump: TextDump): DumpedIommu[] {
  const { units, store, domains, deviceTable } = dump;
  const invented = new InventedFrames();
  units.place(store, invented);
  const rootsOfUnits = units.units.map(rootsByDevice);
  const loose = domains.sections.filter((section) => !isKnown(dump, rootsOfUnits, section));
  const iommus = [
    ...units.units.map((unit) => dmarIommu(dump, unit)),
    ...bySegment(loose).map(([segment, sections], at) => tablesIommu(dump, segment, sections, at)),
    ...byIommu(deviceTable.rows).map(([name, rows]) => amdIommu(dump, invented, name, rows)),
  ];
  if (invented.used) {
    dump.notes.info(
      'invented-addresses',
      `The dump does not say where its ${deviceTable.rows.length > 0 ? 'device table' : 'PASID-table'} entries stand: ` +
        `addresses from ${hex(InventedFrames.first * FRAME_BYTES)} on are invented for them.`,
    );
  }
  return iommus;
}

type Roots = ReadonlyMap<RequesterId, ReadonlySet<number>>;

/** Frames of the roots of page tables that the entries of each device name. */
function rootsByDevice({ rows, scalable }: DmarUnit): Roots {
  const roots = new Map<RequesterId, Set<number>>();
  for (const { requester, context, process } of rows) {
    const words = scalable ? [process?.[0], process?.[2]] : [context?.[0]];
    const known = roots.get(requester) ?? new Set();
    for (const word of words) if (word) known.add(frameAt(word.lo, word.hi));
    roots.set(requester, known);
  }
  return roots;
}

/** True when the entries of the device lead to these tables. */
function isKnown({ notes, units }: TextDump, roots: readonly Roots[], section: DomainSection): boolean {
  const { device, root, line, name } = section;
  if (!device) return true;
  const at = roots.findIndex((each) => each.has(device.requester));
  if (at < 0) return false;
  if (roots.some((each) => each.get(device.requester)?.has(root))) return true;
  notes.warn(
    'contradiction',
    `Line ${line}: the tables of ${name} are at ${hex(root * FRAME_BYTES)}, and no entry of the device in ` +
      `${units.units[at]?.name ?? ''} leads there.`,
    'The device was given other tables between the two dumps; both are shown.',
  );
  return false;
}

function dmarIommu({ notes, registers, domains }: TextDump, unit: DmarUnit): DumpedIommu {
  const { name, rootTable, rows, scalable } = unit;
  const printed = registers.units.get(name);
  const values = new Map(printed?.values);
  const address = rootTable ? joined(rootTable) : 0n;
  const said = values.get('RTADDR');
  const same = said !== undefined && said >> 12n === address >> 12n;
  if (said !== undefined && rootTable && !same) {
    notes.warn(
      'contradiction',
      `Line ${unit.line}: the root table of ${name} is at ${hex(address)}, and its RTADDR is ${hex(said)}: the former is believed.`,
      'Put dumps of different machines or times into different files.',
    );
  }
  // The rows tell the mode; where there are none, the register does.
  if (rows.length > 0 || !same) values.set('RTADDR', address | (scalable ? SCALABLE : 0n));
  const requesters = new Set(rows.map(({ requester }) => requester));
  const section = domains.sections.find(({ device }) => device && requesters.has(device.requester));
  return {
    described: {
      name,
      kind: 'vt-d',
      segment: section?.device?.segment ?? 0,
      ...(printed ? { base: printed.base } : {}),
      requesters: rangesOf(requesters),
      registers: values,
    },
    listed: rootTable
      ? { kind: 'vt-d', registers: values }
      : { kind: 'tables', devices: [], off: `The dump says: DMA Remapping is not enabled on ${name}.` },
  };
}

function tablesIommu(
  { notes }: TextDump,
  segment: number,
  sections: readonly DomainSection[],
  at: number,
): DumpedIommu {
  const devices = sections.flatMap((section): ListedTables[] => {
    const { device, root, levels, name } = section;
    if (!device) return [];
    const { stage, marks, why, certain } = stageOf(section);
    const of = section.pasid === null || section.pasid === 0 ? null : pasid(section.pasid);
    if (levels > 0) {
      const text = `${name}${of === null ? '' : ` with PASID ${of}`}: read as ${stage === 1 ? 'first' : 'second'} stage of ${levels} levels: ${why}.`;
      if (certain) notes.info('format', text);
      else notes.warn('format', text, 'Add dmar_translation_struct to the file: it says which.');
    }
    return [{ requester: device.requester, pasid: of, root: frameNumber(root), levels, stage, marks }];
  });
  const listed: ListedIommu = { kind: 'tables', devices };
  const requesters = rangesOf(new Set(devices.map(({ requester }) => requester)));
  return {
    described: {
      name: at === 0 ? 'vt-d' : `vt-d-${segment.toString(16)}`,
      kind: 'vt-d',
      segment,
      requesters,
      registers: new Map(),
    },
    listed,
  };
}

function amdIommu(
  { notes, store }: TextDump,
  invented: InventedFrames,
  name: string,
  rows: readonly DeviceTableRow[],
): DumpedIommu {
  const table = invented.take(DEVICE_TABLE_FRAMES);
  for (const { device, words, line } of rows) {
    words.forEach(({ lo, hi }, word) => {
      const at = 4 * device.requester + word;
      notes.place(store, table + Math.floor(at / 512), at % 512, lo, hi, line);
    });
  }
  const requesters = [...new Set(rows.map(({ device }) => device.requester))].sort((a, b) => a - b);
  return {
    described: {
      name,
      kind: 'amd-vi',
      segment: rows[0]?.device.segment ?? 0,
      requesters: rangesOf(new Set(requesters)),
      registers: new Map(),
    },
    listed: { kind: 'amd-vi', base: (BigInt(table) << 12n) | LARGEST_DEVICE_TABLE, requesters },
  };
}

/** Half-open ranges of ids, ascending. */
function rangesOf(ids: ReadonlySet<RequesterId>): IdRange[] {
  const ranges: IdRange[] = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.end === id) ranges[ranges.length - 1] = { start: last.start, end: id + 1 };
    else ranges.push({ start: id, end: id + 1 });
  }
  return ranges;
}

function bySegment(sections: readonly DomainSection[]): [number, DomainSection[]][] {
  const groups = new Map<number, DomainSection[]>();
  for (const section of sections) {
    const segment = section.device?.segment ?? 0;
    const group = groups.get(segment) ?? [];
    group.push(section);
    groups.set(segment, group);
  }
  return [...groups];
}

function byIommu(rows: readonly DeviceTableRow[]): [string, DeviceTableRow[]][] {
  const groups = new Map<string, DeviceTableRow[]>();
  for (const row of rows) {
    const group = groups.get(row.iommu) ?? [];
    group.push(row);
    groups.set(row.iommu, group);
  }
  return [...groups];
}
