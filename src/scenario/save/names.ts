import { type MachineOperation } from '../../engine/machine/operation';
import { type MachineSpec } from '../../engine/machine/spec';
import { parseDevice } from '../../engine/values';

/** A device that operations name, and the specification does not. */
export interface Stranger {
  readonly name: string;
  readonly requester: string;
  readonly ats: boolean;
}

/** Names for what operations know by ids: nic0, domain1, guest0, viommu0. */
export class SavedNames {
  readonly strangers: Stranger[] = [];
  readonly firstDomain = 'domain0';
  readonly #devices = new Map<number, string>();
  readonly #domains = new Map<number, string>();
  readonly #guests = new Map<number, string>();
  readonly #viommus = new Map<number, string>();

  constructor({ devices }: MachineSpec, operations: readonly MachineOperation[]) {
    for (const { requester } of devices) this.#addDevice(requester);
    for (const { requester, ats } of operations.flatMap(attachments)) {
      const name = this.#addDevice(requester);
      if (name !== undefined) this.strangers.push({ name, requester, ats: ats === true });
    }
  }

  device(requester: string | number): string | undefined {
    const parsed = parseDevice(String(requester));
    return parsed && this.#devices.get(parsed.requester);
  }

  domain(id: number): string | undefined {
    return this.#domains.get(id);
  }

  guest(id: number): string | undefined {
    return this.#guests.get(id);
  }

  viommu(id: number): string | undefined {
    return this.#viommus.get(id);
  }

  addDomain(id: number | undefined): string {
    return add(this.#domains, id, 'domain');
  }

  addGuest(id: number | undefined): string {
    return add(this.#guests, id, 'guest');
  }

  addViommu(id: number | undefined): string {
    return add(this.#viommus, id, 'viommu');
  }

  /** Its name; undefined: it has one, or it is no device. */
  #addDevice(requester: string): string | undefined {
    const id = parseDevice(requester)?.requester;
    if (id === undefined || this.#devices.has(id)) return undefined;
    const name = `nic${this.#devices.size}`;
    this.#devices.set(id, name);
    return name;
  }
}

/** What was refused made nothing, and has no id: its name is used by nobody. */
function add(names: Map<number, string>, id: number | undefined, what: string): string {
  const name = `${what}${names.size}`;
  if (id === undefined) return `${name}-refused`;
  names.set(id, name);
  return name;
}

type Attachment = Extract<MachineOperation, { kind: 'attach' }>;

/** Devices that operations name first come to be by that. */
function attachments(operation: MachineOperation): readonly Attachment[] {
  if (operation.kind === 'attach') return [operation];
  if (operation.kind !== 'during') return [];
  return [operation.operation, ...operation.moments.flatMap(({ operations }) => operations)].flatMap(
    attachments,
  );
}
