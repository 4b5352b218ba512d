import type { Command } from '../../app';
import { copyResultsMarkdown, exportResultsCsv, exportResultsPng } from './exportResults';
import { newScenario } from './newScenario';
import { exportScenarioResults, showScenarioResults } from './results';
import { runScenario, runScenarioVariant } from './run';
import { runSweep } from './runSweep';
import { saveScenario } from './saveScenario';

/** Ends everything that runs; each run keeps what it has. */
const stopScenario: Command = {
  id: 'iopte.stopScenario',
  run: ({ scenarios }) => {
    scenarios.runner.stop();
  },
};

/** What can be done with scenario files. */
export const scenarioCommands: readonly Command[] = [
  runScenario,
  runScenarioVariant,
  newScenario,
  runSweep,
  stopScenario,
  saveScenario,
  showScenarioResults,
  exportScenarioResults,
  exportResultsCsv,
  exportResultsPng,
  copyResultsMarkdown,
];
