/** The engine as the product runs it: in a worker of the built files. */
import path from 'node:path';
import { startEngine } from '../../src/inspection/node/startEngine';
import {
  type DomainRow,
  type EngineClient,
  type InspectionSummary,
  type Run,
} from '../../src/inspection/protocol';
import { ENGINE_WORKER, ensureBuilt } from '../built';
import { CORPUS, descriptionOf, type ImageForm, type Manifest } from './manifest';

export function startTestEngine(): Promise<EngineClient> {
  ensureBuilt();
  return startEngine({ workerPath: ENGINE_WORKER });
}

export function openForm(
  engine: EngineClient,
  inspection: string,
  manifest: Manifest,
  form: ImageForm,
): Promise<InspectionSummary> {
  return engine.request('open', {
    inspection,
    description: descriptionOf(manifest, form),
    image: { kind: 'path', path: path.join(CORPUS, form.file) },
  });
}

/** All runs of a domain, in pages small enough that there are several. */
export async function listAll(
  engine: EngineClient,
  inspection: string,
  { iommu, domainId, root, levels }: DomainRow,
): Promise<readonly Run[]> {
  const runs: Run[] = [];
  let cursor: string | undefined;
  do {
    const page = await engine.request('list', {
      inspection,
      domain: { iommu, domainId, root, levels },
      where: '',
      page: { limit: 100, ...(cursor === undefined ? {} : { cursor }) },
    });
    runs.push(...page.rows);
    cursor = page.next;
  } while (cursor !== undefined);
  return runs;
}
