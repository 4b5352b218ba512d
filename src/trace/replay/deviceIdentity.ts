import { type TraceTable } from '../model/table';
import { ATTACH, ChunkRows } from './chunkRows';
import { type SpaceIndex } from './spaceIndex';

/** `0000:00:02.0`, `00:03.0`, `00:03.00` and `sid 0x18` in one form; what is none of these stands as it is. */
function canonical(name: string): string {
  const function_ = /^(?:([0-9a-f]{4,}):)?([0-9a-f]{2,4}):([0-9a-f]{2})\.0?([0-7])$/i.exec(name);
  if (function_) {
    const [, segment = '0000', bus = '', slot = '', number = ''] = function_;
    return `${segment}:${bus.padStart(2, '0').slice(-2)}:${slot}.${number}`.toLowerCase();
  }
  const id = /^(?:sid|devid|rid)[ :=]*(?:0x)?([0-9a-f]{1,4})$/i.exec(name);
  if (!id) return name;
  const requester = parseInt(id[1] ?? '', 16);
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `0000:${hex(requester >> 8)}:${hex((requester >> 3) & 31)}.${requester & 7}`;
}

/** Which devices of a trace are one, and the space that each has: those of a group use the same tables. */
export class DeviceIdentity {
  readonly #table: TraceTable;
  readonly #index: SpaceIndex;
  /** By number of the name: the number of the first name of the same device, or of its group. */
  readonly #leads: number[] = [];
  readonly #byName = new Map<string, number>();
  readonly #byGroup = new Map<number, number>();
  readonly #spaces = new Map<number, number>();

  constructor(table: TraceTable, index: SpaceIndex) {
    this.#table = table;
    this.#index = index;
  }

  /** Learns the groups from `add_device_to_group`. */
  *readGroups(): Generator<number, void> {
    const rows = new ChunkRows(['operation', 'device', 'count'] as const);
    const table = this.#table;
    for (let chunk = 0; chunk < table.chunks.length; chunk++) {
      const { zone } = table.chunks[chunk] ?? {};
      if (!zone?.operations[ATTACH]) continue;
      rows.load(table, chunk);
      const { operation, device, count } = rows.columns;
      for (let row = 0; row < rows.rows; row++) {
        const [id = Number.NaN, group = Number.NaN] = [device[row], count[row]];
        if (operation[row] !== ATTACH || Number.isNaN(id) || Number.isNaN(group)) continue;
        const lead = this.#lead(id);
        const first = this.#byGroup.get(group) ?? lead;
        this.#byGroup.set(group, first);
        this.#byName.set(canonical(this.#table.names.devices.text(id)), first);
        this.#leads[id] = first;
      }
      yield rows.rows;
    }
  }

  /** The space of a device, made when it is asked for first. */
  space(device: number): number {
    const lead = this.#lead(device);
    const known = this.#spaces.get(lead);
    if (known !== undefined) return known;
    const made = this.#index.add(this.#table.names.devices.text(lead));
    this.#spaces.set(lead, made);
    return made;
  }

  /** The space of a device that has one; -1. */
  known(device: number): number {
    return Number.isNaN(device) ? -1 : (this.#spaces.get(this.#lead(device)) ?? -1);
  }

  #lead(device: number): number {
    const known = this.#leads[device];
    if (known !== undefined) return known;
    const name = canonical(this.#table.names.devices.text(device));
    const lead = this.#byName.get(name) ?? device;
    this.#byName.set(name, lead);
    this.#leads[device] = lead;
    return lead;
  }
}
