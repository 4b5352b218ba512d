import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type EngineClient } from '../../../src/inspection/protocol';
import { inProcessEngine } from '../../unit/inspection/inProcess';

export const SAMPLES = path.join(__dirname, '../../../samples');
export const SUFFIX = '.iopte.yaml';

/** Scenarios on an engine that does not wait between slices of work. */
export class ScenarioRuns {
  readonly #engine: EngineClient = inProcessEngine(0).client;

  check(text: string) {
    return this.#engine.request('checkScenario', { text });
  }

  /** Runs one variant; files that it names are those beside it, in `folder`. */
  async run(text: string, file: string, variant: string | null, folder = SAMPLES) {
    const { outline } = await this.check(text);
    const files: Record<string, Uint8Array> = {};
    for (const name of outline?.files ?? []) files[name] = readFileSync(path.join(folder, name));
    const { outcome } = await this.#engine.request('runScenario', { text, file, variant, files });
    return outcome;
  }

  dispose(): Promise<void> {
    return this.#engine.dispose();
  }
}
