import { type Scenario } from '../language/schema/scenario';
import { type Mismatch, type Path } from './mismatch';

/** Stands for what has no id: the name is reported, and no operation is made of it. */
const UNKNOWN = -1;

/** What the names of a scenario stand for in the machine. Ids come with the reports of what makes them. */
export class Names {
  readonly #requesters: ReadonlyMap<string, string>;
  readonly #domains = new Map<string, number>();
  readonly #guests = new Map<string, number>();
  readonly #viommus = new Map<string, number>();
  #problem: Mismatch | undefined;

  constructor({ devices }: Pick<Scenario, 'devices'>) {
    this.#requesters = new Map(Object.entries(devices).map(([name, { requester }]) => [name, requester]));
  }

  /** The first name since the last call that stands for nothing; undefined: all were known. */
  takeProblem(): Mismatch | undefined {
    const problem = this.#problem;
    this.#problem = undefined;
    return problem;
  }

  get deviceNames(): readonly string[] {
    return [...this.#requesters.keys()];
  }

  /** Requester of a device; no name: of the first one. */
  device(name: string | undefined, at: Path): string {
    const known = name ?? this.deviceNames[0];
    const requester = known === undefined ? undefined : this.#requesters.get(known);
    if (requester !== undefined) return requester;
    this.#unknown(known, at, 'device', this.deviceNames);
    return '';
  }

  /** Id of a domain; no name: of the first one. */
  domain(name: string | undefined, at: Path): number {
    const [first] = this.#domains.values();
    const id = name === undefined ? first : this.#domains.get(name);
    return id ?? this.#unknown(name, at, 'domain', [...this.#domains.keys()]);
  }

  /** A domain or a guest, or what takes the place of one. */
  target(name: string, at: Path): number | 'pass-through' | 'blocked' {
    if (name === 'pass-through' || name === 'blocked') return name;
    const id = this.#domains.get(name) ?? this.#guests.get(name);
    return (
      id ?? this.#unknown(name, at, 'domain or guest', [...this.#domains.keys(), ...this.#guests.keys()])
    );
  }

  /** A domain or a guest, which have tables; no name: the first domain. */
  tables(name: string | undefined, at: Path): number {
    const id = name === undefined ? undefined : this.#guests.get(name);
    return id ?? this.domain(name, at);
  }

  guest(name: string, at: Path): number {
    return this.#guests.get(name) ?? this.#unknown(name, at, 'guest', [...this.#guests.keys()]);
  }

  viommu(name: string, at: Path): number {
    return this.#viommus.get(name) ?? this.#unknown(name, at, 'vIOMMU', [...this.#viommus.keys()]);
  }

  nameDomain(name: string, id: number | undefined): void {
    if (id !== undefined) this.#domains.set(name, id);
  }

  nameGuest(name: string, id: number | undefined): void {
    if (id !== undefined) this.#guests.set(name, id);
  }

  nameViommu(name: string, id: number | undefined): void {
    if (id !== undefined) this.#viommus.set(name, id);
  }

  #unknown(name: string | undefined, at: Path, what: string, known: readonly string[]): number {
    this.#problem ??= {
      at,
      what: String(at.at(-1) ?? what),
      expected: known.length === 0 ? `a ${what} that a step made` : `a ${what}: ${known.join(', ')}`,
      actual: name === undefined ? 'none' : `"${name}"`,
    };
    return UNKNOWN;
  }
}
