import {
  hex,
  parseRequester,
  type AddressRange,
  type DomainKey,
  type TraceLifetime,
  type TraceRow,
  type TreeNode,
} from '../../inspection/protocol';
import { LatestOnly } from '../cancel';
import { isCancelled } from '../errors';
import type { Inspection, Inspections } from '../inspections';
import type { DomainsView } from '../views/domainsView';
import { domainOf, type Element } from '../views/elements';
import type { TraceDocument } from './traceDocument';
import type { TraceEditors } from './traceEditors';
import type { TracePanel, TraceSelection } from './tracePanel';

/** Waits this long for the cursor to rest: with an arrow key held down it is on another row each frame. */
const REST_MS = 150;
/** A selection that was made here is told within this. */
const TOLD_WITHIN_MS = 500;
/** Domains that a row is looked for in; more have no trace that this is quick for. */
const MOST_DOMAINS = 64;

/** Operations whose IOVA is or was in the tables. */
const MAPPING: readonly string[] = ['map', 'unmap', 'dma-map', 'dma-unmap'];

interface Parts {
  readonly inspections: Inspections;
  readonly domains: DomainsView;
  readonly editors: () => TraceEditors;
  readonly fail: (error: unknown) => void;
}

/** Keeps the selection in a trace's grid and in the tree of tables that were replayed from it one. Neither takes the focus. */
export class TraceSync {
  readonly #questions = new LatestOnly();
  #timer: unknown;
  /** Moves of cursors that were made here. */
  #moves = 0;
  /** What this itself has selected in the tree: it says nothing new. */
  readonly #shownNodes = new Set<string>();

  constructor(private readonly parts: Parts) {}

  /** The cursor of a grid moved. */
  rowSelected({ document }: TracePanel, { row, token }: TraceSelection): void {
    // By this itself, to a row that the tree had selected, or to the next one that a filter leaves.
    if (token !== undefined) return;
    this.#soon(() => this.#revealRow(document, row));
  }

  /** Something was selected in Domains. */
  nodeSelected(): void {
    const element = this.parts.domains.selected;
    if (!element?.inspection.replay) return;
    if (this.#shownNodes.has(element.id)) return;
    this.#soon(async () => {
      const row = await this.rowOf(element);
      const trace = element.inspection.replay?.trace;
      const [panel] = trace === undefined ? [] : this.parts.editors().panelsOf(trace);
      if (row === undefined || !panel) return;
      panel.goTo(row, false, ++this.#moves);
    });
  }

  /** Shows in Domains what a row mapped. */
  follow(document: TraceDocument, row: number): void {
    this.#soon(() => this.#revealRow(document, row));
  }

  /** The row that mapped what an element of replayed tables shows; undefined: nothing is mapped there, or its trace is not open. */
  async rowOf(element: Element): Promise<number | undefined> {
    const { inspection } = element;
    const { replay } = inspection;
    const document = replay && this.parts.editors().find(replay.trace);
    const mapped = await this.#mappedAt(element);
    if (!document || !mapped) return undefined;
    const { lifetimes } = await document.ask('traceHistory', {
      iova: hex(mapped.iova),
      page: { limit: 1 },
    });
    const live = lifetimes.filter(
      ({ mapRow, unmapRow }) => mapRow <= replay.row && (unmapRow === null || unmapRow > replay.row),
    );
    const same = live.filter((each) => physicalAt(each, mapped.iova) === mapped.paddr);
    return (same.at(-1) ?? live.at(-1))?.mapRow;
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#questions.dispose();
  }

  #soon(task: () => Promise<unknown>): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      task().catch((error: unknown) => {
        if (!isCancelled(error)) this.parts.fail(error);
      });
    }, REST_MS);
  }

  async #revealRow(document: TraceDocument, number: number): Promise<void> {
    const { inspections, domains } = this.parts;
    const inspection = inspections.all.find(({ replay }) => replay?.trace === document.id);
    if (!inspection || !domains.visible) return;
    const row = await document.row(number);
    const iova = row?.iova ?? undefined;
    if (!row || iova === undefined || !MAPPING.includes(row.operation)) return;
    const path = await this.#pathTo(inspection, row, BigInt(iova));
    const last = path?.at(-1);
    if (!path || !last) return;
    const node = `${inspection.id}/${last.id}`;
    this.#shownNodes.add(node);
    await domains.reveal(inspection, path, { focus: false });
    setTimeout(() => this.#shownNodes.delete(node), TOLD_WITHIN_MS);
  }

  /** The way to what a row is about in the tables: of several address spaces the one that has what the row mapped. */
  async #pathTo(
    inspection: Inspection,
    row: TraceRow,
    iova: bigint,
  ): Promise<readonly TreeNode[] | undefined> {
    const { inspections } = this.parts;
    const signal = this.#questions.next();
    const { where } = inspection;
    let nearest: readonly TreeNode[] | undefined;
    const locate = (domain: DomainKey): Promise<readonly TreeNode[]> =>
      inspections.ask(inspection, 'locate', { domain, iova, ...(where !== '' && { where }) }, { signal });
    const page = { limit: MOST_DOMAINS };
    const { rows: all } = await inspections.ask(inspection, 'domains', { page }, { signal });
    const requester = row.device === null ? undefined : parseRequester(row.device);
    const isOf = (requesters: readonly number[]): number =>
      Number(requester !== undefined && requesters.includes(requester));
    const sorted = [...all].sort((one, other) => isOf(other.requesters) - isOf(one.requesters));
    for (const domain of sorted) {
      const path = await locate(domain);
      const last = path.at(-1);
      nearest ??= path;
      if (last?.kind !== 'run') continue;
      const paddr = last.run.paddr + (iova - last.run.iova);
      if (row.paddr === null || paddr === BigInt(row.paddr)) return path;
      nearest = path;
    }
    return nearest;
  }

  /** The first address that an element's range maps, and what to. */
  async #mappedAt(element: Element): Promise<{ readonly iova: bigint; readonly paddr: bigint } | undefined> {
    if (element.kind !== 'node') return undefined;
    const { node, inspection } = element;
    if (node.kind === 'run') return node.run;
    const domain = domainOf(element);
    if (!domain || (node.kind !== 'table' && node.kind !== 'domain')) return undefined;
    const where = node.kind === 'table' ? rangeFilter(node.range) : '';
    const { rows } = await this.parts.inspections.ask(inspection, 'list', {
      ...{ domain, where, page: { limit: 1 } },
    });
    return rows[0];
  }
}

/** The filter for the mappings in a range, which may reach to the end of all addresses. */
const rangeFilter = ({ start, end }: AddressRange): string =>
  `iova in ${hex(start)}..${end >> 64n === 0n ? hex(end) : ''}`;

/** What a mapping leads an IOVA in it to. */
const physicalAt = ({ iova, paddr }: TraceLifetime, at: bigint): bigint | undefined =>
  paddr === null ? undefined : BigInt(paddr) + (at - BigInt(iova));
