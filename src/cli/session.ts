import path from 'node:path';
import {
  type DeviceRow,
  type DomainRow,
  type EngineClient,
  type InspectionSummary,
  type IommuSummary,
  type Method,
  type Page,
  type PageRequest,
  type Params,
  type ResultOf,
} from '../inspection/protocol';
import { badInput, badUsage, fromFailure, pointAt, positionOf, type CliError } from './errors';
import { type ProgressLine } from './progress';
import { type Source } from './source';

/** Rows asked for at once. */
const PAGE = 1000;

/** One opened source, and the questions that commands ask of it. */
export class Session {
  /** Names the opened source in requests. */
  readonly inspection = 'cli';
  #summary: InspectionSummary | undefined;
  #devices: Promise<readonly DeviceRow[]> | undefined;

  constructor(
    readonly engine: EngineClient,
    readonly signal: AbortSignal,
    readonly progress: ProgressLine,
  ) {}

  async open(source: Source): Promise<InspectionSummary> {
    const { description, descriptionPath } = source;
    const problems = await this.request('checkDescription', { text: description });
    const error = problems.find((problem) => problem.severity === 'error');
    if (error) {
      const at = positionOf(description, error.start);
      const where = descriptionPath === undefined ? '' : `${descriptionPath}:${at.line}:${at.column}: `;
      throw badInput(`${where}${error.message}\n${pointAt(description, error)}`, error.hint);
    }
    this.#summary = await this.request('open', {
      inspection: this.inspection,
      description,
      image: { kind: 'path', path: path.resolve(source.imagePath) },
    });
    return this.#summary;
  }

  get summary(): InspectionSummary {
    if (this.#summary === undefined) throw new Error('nothing is open');
    return this.#summary;
  }

  request<M extends Method>(method: M, params: Params<M>): Promise<ResultOf<M>> {
    return this.engine.request(method, params, {
      signal: this.signal,
      onProgress: (progress) => this.progress.show(progress),
    });
  }

  /** Refuses a filter with a caret at the place. */
  async checkFilter(where: string): Promise<void> {
    const problems = await this.request('checkFilter', { where });
    const error = problems.find((problem) => problem.severity === 'error');
    if (error) throw badInput(`filter: ${error.message}\n${pointAt(where, error)}`, error.hint);
  }

  /** The IOMMU of that name; without a name all that can be read. */
  iommus(name?: string): readonly IommuSummary[] {
    const all = this.summary.iommus;
    if (name === undefined) return all.filter((iommu) => iommu.failure === undefined);
    const found = all.find((iommu) => iommu.name === name);
    if (!found)
      throw badInput(`there is no IOMMU "${name}"`, `IOMMUs here: ${listOf(all.map((one) => one.name))}`);
    if (found.failure) throw fromFailure(found.failure);
    return [found];
  }

  /** Every device with a context entry, of all IOMMUs; asked for once. */
  devices(): Promise<readonly DeviceRow[]> {
    this.#devices ??= this.#ofEachIommu((iommu) =>
      allRows((page) => this.request('devices', { inspection: this.inspection, iommu, page })),
    );
    return this.#devices;
  }

  domains(): Promise<readonly DomainRow[]> {
    return this.#ofEachIommu((iommu) =>
      allRows((page) => this.request('domains', { inspection: this.inspection, iommu, page })),
    );
  }

  /**
   * The IOMMU that translates for a device: the one named; else the only one; else the one that has a context entry
   * for it. An image of a machine with several IOMMUs does not hold the ACPI tables that would say it otherwise.
   */
  async iommuOf(requester: number, device: string, name?: string): Promise<string> {
    const all = this.iommus(name);
    const [only] = all;
    if (only === undefined) throw this.#nothingReadable();
    if (all.length === 1) return only.name;
    const names = new Set(
      (await this.devices()).filter((row) => row.requester === requester).map((row) => row.iommu),
    );
    const [found] = names;
    if (found !== undefined && names.size === 1) return found;
    throw badUsage(
      names.size === 0
        ? `no IOMMU has a context entry for device ${device}`
        : `device ${device} has a context entry in more than one IOMMU: ${listOf([...names])}`,
      `choose with --iommu: ${listOf(all.map((iommu) => iommu.name))}`,
    );
  }

  async #ofEachIommu<Row>(fetch: (iommu: string) => Promise<readonly Row[]>): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (const iommu of this.iommus()) rows.push(...(await fetch(iommu.name)));
    return rows;
  }

  #nothingReadable(): CliError {
    const [first] = this.summary.iommus;
    return first?.failure ? fromFailure(first.failure) : badInput('the description has no IOMMU');
  }
}

async function allRows<Row>(fetch: (page: PageRequest) => Promise<Page<Row>>): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let page = await fetch({ limit: PAGE });
  rows.push(...page.rows);
  while (page.next !== undefined) {
    page = await fetch({ limit: PAGE, cursor: page.next });
    rows.push(...page.rows);
  }
  return rows;
}

export const listOf = (names: readonly string[]): string => names.join(', ');
