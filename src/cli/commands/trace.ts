import {
  quoteForFilter,
  type TraceFindingKind,
  type TraceGroupBy,
  type TraceSpaces,
} from '../../inspection/protocol';
import { parseLimit } from '../arguments';
import { type Call, type CliCommand, type CommonOptions } from '../command';
import { badUsage } from '../errors';
import { writeFindings, writeGroups, writeHistory, writeLifetimes, type Into } from '../traces/answers';
import {
  parseGroup,
  parseIova,
  parseKinds,
  parseReplayRow,
  parseRows,
  parseSpaces,
  type RowRange,
} from '../traces/arguments';
import { replayTo } from '../traces/replay';
import { filterOf, writeRows, type AskedRows, type RowFormat } from '../traces/rows';
import { statsJson, writeStats } from '../traces/stats';
import { CliTrace } from '../traces/trace';

interface TraceOptions extends CommonOptions {
  readonly where?: string;
  readonly find?: string;
  readonly rows?: RowRange;
  readonly limit?: number;
  readonly tsv?: boolean;
  readonly csv?: boolean;
  readonly stats?: boolean;
  readonly group?: TraceGroupBy;
  readonly findings?: true | readonly TraceFindingKind[];
  readonly history?: string;
  readonly space?: string;
  readonly lifetimes?: boolean;
  readonly spaces?: TraceSpaces;
  readonly replayTo?: number | 'end';
  readonly save?: string;
  readonly vendor?: string;
}

/** What else than rows can be asked for; one at a time. */
const ANSWERS = ['stats', 'group', 'findings', 'history', 'lifetimes', 'replayTo'] as const;
const OPTION: Readonly<Record<(typeof ANSWERS)[number], string>> = {
  stats: '--stats',
  group: '--group',
  findings: '--findings',
  history: '--history',
  lifetimes: '--lifetimes',
  replayTo: '--replay-to',
};

export const trace: CliCommand<TraceOptions> = {
  name: 'trace',
  summary: 'read a trace of mappings: find rows, sum up, list what is wrong, rebuild the tables at a row',
  examples: [
    'trace.txt.gz --stats',
    'trace.txt.gz --where "op = unmap and size >= 2M" --limit 20',
    'trace.txt.gz --group device',
    'trace.txt.gz --findings --json',
    'trace.txt.gz --history 0xffe10000',
    'trace.txt.gz --replay-to 12000 --save tables.elf',
  ],
  opensNothing: true,
  fileHelp: 'trace, or - for standard input',
  about: `
FILE is a trace in text (ftrace, trace-cmd report, perf script, QEMU's log, dmesg, CSV, JSON lines), trace.dat or a dirty bitmap;
each also gzipped. Its format is recognised by its content.`,
  configure(command) {
    command
      .option('--where <filter>', 'only rows that match: op = map and size >= 2M (docs/filter.md)')
      .option('--find <text>', 'only rows whose line has this text, in either case')
      .option(
        '--rows <range>',
        'only these rows, from 1: 100..200 (without the last), 100+20, 100',
        parseRows,
      )
      .option('--limit <rows>', 'at most so many rows of the answer', parseLimit)
      .option('--tsv', 'write rows with tabs between')
      .option('--csv', 'write rows as CSV')
      .option('--stats', 'what is in the trace, instead of rows')
      .option('--group <by>', 'sums by device, task, size, operation, event, cpu or space', parseGroup)
      .option('--findings [kinds]', 'double maps, unmaps of nothing, leaks, missing flushes', parseKinds)
      .option('--history <iova>', 'every row about an IOVA, and the mappings that held it', parseIova)
      .option('--space <name>', 'with --history: in this address space')
      .option('--lifetimes', 'mappings with the rows that made and ended them')
      .option(
        '--spaces <how>',
        'how address spaces are told apart: auto, device, domain, or NAME=FILTER; may be repeated',
        parseSpaces,
      )
      .option('--replay-to <row>', 'tables as they stood after this row (or: end)', parseReplayRow)
      .option('--save <file>', 'with --replay-to: write them as an image, and its description beside it')
      .option('--vendor <vendor>', 'with --save: whose tables (vt-d, amd-vi, smmuv3, riscv)');
  },
  async run(call) {
    checkOptions(call.options);
    const opened = await CliTrace.open(call.session, call.file);
    try {
      await answer(call, opened);
      opened.tellProblems(call.note);
    } finally {
      await opened.close();
    }
  },
};

/** Refuses options that do not go together, before anything is read. */
function checkOptions(options: TraceOptions): void {
  const asked = ANSWERS.filter((name) => options[name] !== undefined);
  if (asked.length > 1) {
    throw badUsage(`${asked.map((name) => OPTION[name]).join(' and ')} cannot be given together`);
  }
  const formats = [options.json, options.tsv, options.csv].filter((format) => format === true);
  if (formats.length > 1) throw badUsage('give one of --json, --tsv and --csv');
  if (asked.length > 0 && (options.tsv === true || options.csv === true)) {
    throw badUsage('--tsv and --csv are for rows', `${optionOf(asked)} has --json`);
  }
  if (options.replayTo === undefined && (options.save !== undefined || options.vendor !== undefined)) {
    throw badUsage(
      '--save and --vendor need --replay-to',
      'iopte trace FILE --replay-to ROW --save NAME.elf',
    );
  }
  if (options.vendor !== undefined && options.save === undefined) throw badUsage('--vendor needs --save');
  if (options.space !== undefined && options.history === undefined) throw badUsage('--space needs --history');
  const [kind = 'group'] = asked;
  const narrows = kind === 'group' || kind === 'lifetimes' || kind === 'findings';
  if (!narrows && (options.where ?? options.find ?? options.rows) !== undefined) {
    throw badUsage(
      `--where, --find and --rows do not go with ${optionOf(asked)}: it is about the whole trace`,
    );
  }
}

const optionOf = ([first]: readonly (typeof ANSWERS)[number][]): string =>
  first === undefined ? '' : OPTION[first];

async function answer(call: Call<TraceOptions>, opened: CliTrace): Promise<void> {
  const { options, output, session, note } = call;
  const asked = askedRows(options);
  const into: Into = { output, json: options.json === true, limit: options.limit ?? Infinity };
  const kind = ANSWERS.find((name) => options[name] !== undefined);
  if (kind === undefined) {
    // Rows have no address spaces before they are told apart.
    if (options.spaces || /\bspace\b/i.test(asked.where)) await tellSpaces(call, opened);
    await opened.checkFilter(asked.where);
    if (await writeRows(opened, output, asked, formatOf(options))) noteLimit(call);
    return;
  }
  if (!opened.summary.complete) await opened.readAll();
  if (kind === 'stats') {
    if (into.json) await output.json([statsJson(opened.summary)]);
    else await writeStats(opened.summary, output);
    return;
  }
  if (kind === 'replayTo') {
    const { replayTo: row = 'end', spaces = AUTO, vendor, save } = options;
    await opened.checkSpaces(spaces);
    const replay = { row, spaces, ...(vendor && { vendor }), ...(save !== undefined && { save }) };
    await replayTo(session, opened, replay, { output, json: into.json, note });
    return;
  }
  if (kind !== 'group' || options.group === 'space') await tellSpaces(call, opened);
  await opened.checkFilter(asked.where);
  if (await writeAnswer(opened, kind, options, filterOf(asked), into, note)) noteLimit(call);
}

const AUTO: TraceSpaces = { by: 'auto' };

/** Tells address spaces apart, and says what the trace did not let be told. */
async function tellSpaces({ note, options }: Call<TraceOptions>, opened: CliTrace): Promise<void> {
  const { spaces = AUTO } = options;
  if (!opened.summary.complete) await opened.readAll();
  await opened.checkSpaces(spaces);
  const { notes } = await opened.request('traceSpaces', { spaces });
  for (const { message } of notes) note(`note: ${message}`);
}

/** True when the limit ended it. */
function writeAnswer(
  opened: CliTrace,
  kind: 'group' | 'findings' | 'history' | 'lifetimes',
  { group, findings, history, space }: TraceOptions,
  where: string,
  into: Into,
  note: (text: string) => void,
): Promise<boolean> {
  switch (kind) {
    case 'group':
      return writeGroups(opened, group ?? 'device', where, into, note);
    case 'findings':
      return writeFindings(
        opened,
        { ...(findings === true || !findings ? {} : { kinds: findings }), where },
        into,
      );
    case 'history':
      return writeHistory(opened, history ?? '0x0', space, into);
    case 'lifetimes':
      return writeLifetimes(opened, where, into);
  }
}

const noteLimit = ({ note, options }: Call<TraceOptions>): void =>
  note(`stopped at --limit ${options.limit ?? 0}`);

const formatOf = ({ json, csv, tsv }: TraceOptions): RowFormat =>
  json === true ? 'jsonl' : csv === true ? 'csv' : tsv === true ? 'tsv' : 'table';

function askedRows({ where = '', find, rows, limit }: TraceOptions): AskedRows {
  const text = find === undefined ? '' : `text has ${quoteForFilter(find)}`;
  return {
    where: where !== '' && text !== '' ? `(${where}) and ${text}` : where + text,
    ...(rows ? { range: rows } : {}),
    ...(limit === undefined ? {} : { limit }),
  };
}
