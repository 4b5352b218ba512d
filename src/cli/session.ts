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
import { badInput, fromFailure, pointAt, positionOf } from './errors';
import { type ProgressLine } from './progress';
import { type Source } from './source';

/** Rows asked for at once. */
const PAGE = 1000;

/** One opened source, and the questions that commands ask of it. */
export class Session {
  #summary: InspectionSummary | undefined;

  constructor(
    readonly engine: EngineClient,
    readonly signal: AbortSignal,
    readonly progress: ProgressLine,
    /** Names the opened source in requests. */
    readonly inspection = 'cli',
  ) {}

  async open(source: Source): Promise<InspectionSummary> {
    const { description, descriptionPath } = source;
    const problems = description === '' ? [] : await this.request('checkDescription', { text: description });
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

  /** Has the engine close its files, also after a cancel. An engine that is gone has closed them. */
  async close(): Promise<void> {
    await this.engine.request('close', { inspection: this.inspection }).catch(() => undefined);
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
    if (name === undefined) {
      const readable = all.filter((iommu) => iommu.failure === undefined);
      const [first] = all;
      if (readable.length === 0 && first?.failure) throw fromFailure(first.failure);
      return readable;
    }
    const found = all.find((iommu) => iommu.name === name);
    if (!found)
      throw badInput(`there is no IOMMU "${name}"`, `IOMMUs here: ${listOf(all.map((one) => one.name))}`);
    if (found.failure) throw fromFailure(found.failure);
    return [found];
  }

  /** Every device with a context entry; without a name of all IOMMUs. */
  devices(name?: string): Promise<readonly DeviceRow[]> {
    return this.#ofEachIommu(name, (iommu) =>
      allRows((page) => this.request('devices', { inspection: this.inspection, iommu, page })),
    );
  }

  domains(name?: string): Promise<readonly DomainRow[]> {
    return this.#ofEachIommu(name, (iommu) =>
      allRows((page) => this.request('domains', { inspection: this.inspection, iommu, page })),
    );
  }

  async #ofEachIommu<Row>(
    name: string | undefined,
    fetch: (iommu: string) => Promise<readonly Row[]>,
  ): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (const iommu of this.iommus(name)) rows.push(...(await fetch(iommu.name)));
    return rows;
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

/** Names that a message mentions in full. */
const NAMED = 20;

export function listOf(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
