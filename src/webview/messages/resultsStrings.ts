import * as z from 'zod/mini';

const text = z.string();

/** Every word that the results show and that does not come from the engine; `{0}` stands for a value. */
export const resultsStrings = z.object({
  heading: text,
  runs: text,
  allPassed: text,
  someFailed: text,
  verdicts: z.object({ passed: text, failed: text, cancelled: text }),
  failures: text,
  line: text,
  expected: text,
  converged: text,
  notConverged: text,
  axis: text,
  byTime: text,
  byRounds: text,
  exportCsv: text,
  exportPng: text,
  copyMarkdown: text,
  comparison: text,
  figure: text,
  best: text,
  show: text,
  chart: text,
  keys: text,
  bytesOfRound: text,
  downtimeIfStopped: text,
  limit: text,
  blackout: text,
  preparation: text,
  timeSince: text,
  roundStart: text,
  round: text,
  roundSaid: text,
  table: text,
  leftOut: text,
  columns: z.object({
    ...{ round: text, start: text, seconds: text, pending: text, sent: text },
    ...{ written: text, reported: text, splits: text, estimatedDowntime: text },
  }),
  series: z.object({ sent: text, reported: text, written: text, pending: text }),
  figures: z.object({
    ...{ rounds: text, total: text, blackout: text, downtimeLimit: text, preparation: text },
    ...{ sent: text, deviceState: text, written: text, reported: text, amplification: text },
    ...{ over: text, lost: text, leavesBefore: text, leavesAfter: text },
    ...{ missesBefore: text, missesDuring: text, missesAdded: text, requests: text, faults: text },
  }),
  timeBy: text,
  spent: z.object({
    ...{ link: text, scan: text, flush: text, split: text, collapse: text, device: text },
  }),
  leaves: text,
  pageSize: text,
  before: text,
  after: text,
  dirty: text,
  byMachine: text,
  byModel: text,
});

export type ResultsStrings = z.infer<typeof resultsStrings>;
