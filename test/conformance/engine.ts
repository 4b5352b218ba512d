/** The engine as the product runs it: in a worker of the built files. */
import path from 'node:path';
import { startEngine } from '../../src/inspection/node/startEngine';
import {
  domainKeyOf,
  type DomainKey,
  type EngineClient,
  type InspectionSummary,
  type Run,
} from '../../src/inspection/protocol';
import { ENGINE_WORKER, ensureBuilt } from '../built';
import { CORPUS, descriptionOf, type ImageForm, type Manifest } from './manifest';

let started: Promise<EngineClient> | undefined;
const opened = new Map<string, Promise<OpenForm>>();

// Of the whole run: the worker would keep the process alive.
after(async () => (await started)?.dispose());

/** One engine for all suites. */
export function sharedEngine(): Promise<EngineClient> {
  if (started === undefined) {
    ensureBuilt();
    started = startEngine({ workerPath: ENGINE_WORKER });
  }
  return started;
}

export interface OpenForm {
  readonly engine: EngineClient;
  readonly inspection: string;
  readonly summary: InspectionSummary;
}

/** Opens one form of a guest's memory, once for all suites: the full-size ones take a while to inflate. */
export function openForm(manifest: Manifest, form: ImageForm): Promise<OpenForm> {
  const inspection = `${manifest.name}:${form.file}`;
  const known = opened.get(inspection) ?? open(inspection, manifest, form);
  opened.set(inspection, known);
  return known;
}

async function open(inspection: string, manifest: Manifest, form: ImageForm): Promise<OpenForm> {
  const engine = await sharedEngine();
  const summary = await engine.request('open', {
    inspection,
    description: descriptionOf(manifest, form),
    image: { kind: 'path', path: path.join(CORPUS, form.file) },
  });
  return { engine, inspection, summary };
}

/** All runs of a domain, in pages small enough that there are several. */
export async function listAll({ engine, inspection }: OpenForm, domain: DomainKey): Promise<readonly Run[]> {
  const runs: Run[] = [];
  let cursor: string | undefined;
  do {
    const page = await engine.request('list', {
      inspection,
      domain: domainKeyOf(domain),
      where: '',
      page: { limit: 100, ...(cursor === undefined ? {} : { cursor }) },
    });
    runs.push(...page.rows);
    cursor = page.next;
  } while (cursor !== undefined);
  return runs;
}
