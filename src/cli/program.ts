import { Command } from 'commander';
import { parseRegisters } from './arguments';
import { type CliCommand, type CommonOptions, type ScenarioCommand, type ScenarioOptions } from './command';
import { clearCaches } from './commands/clearCaches';
import { diff } from './commands/diff';
import { find } from './commands/find';
import { inspect } from './commands/inspect';
import { list } from './commands/list';
import { roots } from './commands/roots';
import { run as runScenarios } from './commands/run';
import { sweep } from './commands/sweep';
import { trace } from './commands/trace';
import { translate } from './commands/translate';
import { walk } from './commands/walk';

export interface Runner {
  /** Opens FILE and runs the command on it. */
  source<Options extends CommonOptions>(
    command: CliCommand<Options>,
    file: string,
    options: Options,
    operand: string | undefined,
  ): Promise<void>;
  /** Runs a command on scenario files. */
  scenarios<Options extends ScenarioOptions>(
    command: ScenarioCommand<Options>,
    operands: readonly string[],
    options: Options,
  ): Promise<void>;
}

export interface Streams {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
}

const FILE_HELP = `
FILE is one of
  an image with a description (*.iopte.json) beside it that names it
  an image, with --registers
  a text dump of the Linux kernel's debugfs (domain_translation_struct, dmar_translation_struct, devtbl)
  a description`;

const ANY_FILE_HELP = `
FILE is one of
  an image; one without headers is taken from physical address 0 on
  a description, which says where the bytes of its image belong`;

/** The command line's grammar; errors in it are thrown as CommanderError after they were written. */
export function createProgram(version: string, streams: Streams, run: Runner): Command {
  const program = new Command('iopte')
    .description(
      'Reads IO page tables from memory images: domains, tables, IOPTEs, walks. Runs scenarios on emulated IOMMUs.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: streams.out,
      writeErr: streams.error,
      outputError: (text, write) => write(text.replace(/^error: /, 'iopte: ')),
    })
    .showHelpAfterError('hint: iopte --help')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 bad input, 2 bad usage, 130 cancelled; diff, run and sweep have their own.\nExamples:\n' +
        '  $ iopte inspect vtd.elf.gz\n  $ iopte walk vtd.elf.gz --device 00:02.0 --iova 0xffed8000\n' +
        '  $ iopte run samples',
    );
  add(program, inspect, run);
  add(program, walk, run);
  add(program, list, run);
  add(program, translate, run);
  add(program, find, run);
  add(program, diff, run);
  add(program, roots, run);
  add(program, trace, run);
  add(program, clearCaches, run);
  addScenarios(program, runScenarios, run);
  addScenarios(program, sweep, run);
  return program;
}

function add<Options extends CommonOptions>(program: Command, spec: CliCommand<Options>, run: Runner): void {
  const command = program
    .command(spec.name)
    .summary(spec.summary)
    .description(spec.summary)
    .showHelpAfterError(`hint: iopte ${spec.name} --help`);
  if (spec.takesNoFile !== true) command.argument('<FILE>', spec.fileHelp ?? 'memory image or description');
  if (spec.operand) command.argument(spec.operand.syntax, spec.operand.help);
  spec.configure(command);
  command.option('--json', 'write JSON lines, addresses as hex strings');
  if (spec.opensNothing !== true) {
    command
      .option(
        '--registers <NAME=VALUE,...>',
        'registers of the IOMMU, for an image without description',
        parseRegisters,
      )
      .option('--kind <kind>', 'kind of IOMMU that --registers are of (default: vt-d)');
  }
  command
    .addHelpText(
      'after',
      [spec.about ?? (spec.opensNothing === true ? ANY_FILE_HELP : FILE_HELP), '', ...examplesOf(spec)].join(
        '\n',
      ),
    )
    .action((file: unknown, operand: unknown) =>
      run.source(
        spec,
        typeof file === 'string' ? file : '',
        command.opts<Options>(),
        typeof operand === 'string' ? operand : undefined,
      ),
    );
}

function addScenarios<Options extends ScenarioOptions>(
  program: Command,
  spec: ScenarioCommand<Options>,
  run: Runner,
): void {
  const command = program
    .command(spec.name)
    .summary(spec.summary)
    .description(spec.summary)
    .argument(spec.operand.syntax, spec.operand.help)
    .showHelpAfterError(`hint: iopte ${spec.name} --help`);
  spec.configure(command);
  command
    .option('--json', 'write JSON lines')
    .addHelpText('after', [spec.about, '', ...examplesOf(spec)].join('\n'))
    .action((operands: string | string[]) => run.scenarios(spec, [operands].flat(), command.opts<Options>()));
}

const examplesOf = ({ name, examples }: { readonly name: string; readonly examples: readonly string[] }) => [
  'Examples:',
  ...examples.map((line) => `  $ iopte ${name} ${line}`.trimEnd()),
];
