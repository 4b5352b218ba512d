import { formatSize, hex, type VendorWords, type WalkResult, type WalkStep } from '../../inspection/protocol';
import { parseAddress, parseDevice, parsePasid, type AskedDevice } from '../arguments';
import { type CliCommand, type CommonOptions } from '../command';
import { type Output } from '../output';
import { answerOf, askedName } from '../words';

interface WalkOptions extends CommonOptions {
  readonly device: AskedDevice;
  readonly iova: bigint;
  readonly write?: boolean;
  readonly pasid?: number;
  readonly iommu?: string;
}

export const walk: CliCommand<WalkOptions> = {
  name: 'walk',
  summary: 'translate one IOVA of a device and show every entry on the way',
  examples: [
    'vtd.elf.gz --device 00:02.0 --iova 0xffed8000',
    'vtd.elf.gz --device 0000:00:07.0 --iova 0x5000 --write --json',
    'smmu.elf.gz --device 0x10 --pasid 1 --iova 0x1000',
  ],
  configure(command) {
    command
      .requiredOption('--device <device>', 'requester: 00:02.0, 0001:00:02.0 or 0x10', parseDevice)
      .requiredOption('--iova <address>', 'IO virtual address: 0xffed8000', parseAddress)
      .option('--write', 'walk for a write; without it for a read')
      .option('--pasid <number>', 'PASID, SubstreamID or process_id of the request', parsePasid)
      .option('--iommu <name>', 'which IOMMU, when the description has several');
  },
  async run({ session, output, options }) {
    if (options.iommu !== undefined) session.iommus(options.iommu);
    const result = await session.request('walk', {
      inspection: session.inspection,
      ...(options.iommu === undefined ? {} : { iommu: options.iommu }),
      request: {
        ...options.device,
        pasid: options.pasid ?? null,
        iova: options.iova,
        access: options.write === true ? 'write' : 'read',
      },
    });
    if (options.json === true) {
      await writeJson(output, result);
      return;
    }
    const words = session.summary.iommus.find(({ name }) => name === result.iommu)?.words;
    await writeText(output, result, words);
  },
};

async function writeJson(output: Output, result: WalkResult): Promise<void> {
  const { iommu, translation, vendorFault, summary } = result;
  await output.json([
    ...result.steps.map((step) => ({ type: 'step', ...stepJson(step) })),
    {
      type: 'result',
      iommu,
      ...answerOf(translation),
      ...(vendorFault === undefined ? {} : { vendorFault }),
      summary,
    },
  ]);
}

/** A step, with the stage-2 walk that found its entry. */
function stepJson(step: WalkStep): object {
  const { entry, stage, input, under } = step;
  return {
    role: entry.role,
    level: entry.level ?? null,
    ...(stage === undefined ? {} : { stage }),
    ...(input === undefined ? {} : { input }),
    address: entry.address,
    index: step.index,
    words: step.words,
    title: step.title,
    says: step.says,
    perm: step.perm,
    problems: step.problems.map(({ code, severity, message }) => ({ code, severity, message })),
    ...(under === undefined ? {} : { under: under.map(stepJson) }),
  };
}

async function writeText(output: Output, result: WalkResult, words: VendorWords | undefined): Promise<void> {
  const { request, translation, vendorFault } = result;
  const pasid = request.pasid === null ? '' : `, ${words?.pasid ?? 'PASID'} ${hex(request.pasid)}`;
  const id = words === undefined ? '' : ` (${words.requester} ${hex(request.requester)})`;
  await output.title(
    `${request.access} of ${hex(request.iova)} by ${askedName(request)}${id}${pasid}, through ${result.iommu}`,
  );
  await output.table(
    [
      { title: 'ENTRY' },
      { title: 'INDEX', align: 'right' },
      { title: 'ADDRESS', align: 'right' },
      { title: 'WORD', align: 'right' },
      { title: 'PERM' },
      { title: 'SAYS', wrap: true },
    ],
    stepRows(result.steps),
  );
  const code = vendorFault === undefined ? '' : `, ${vendorFault}`;
  const verdict = translation.ok
    ? `${hex(request.iova)} -> ${hex(translation.paddr)} (${formatSize(translation.size)} page, ${translation.perm})`
    : output.red(`fault: ${translation.fault}${code}`);
  // Of a translation that went through its tables the summary would only say the same again.
  const more = translation.ok && translation.level !== null ? [] : [result.summary];
  const hint = result.hint === undefined ? [] : [`hint: ${result.hint}`];
  await output.lines(['', output.bold(verdict), ...more, ...hint]);
}

/** Rows of a walk; the stage-2 walk of what a stage 1 gave stands below a heading, indented. */
function stepRows(steps: readonly WalkStep[]): readonly (readonly string[])[] {
  const nested = steps.some(({ stage }) => stage === 1);
  const after = nested ? steps.filter(({ stage }) => stage === 2) : [];
  return [
    ...steps.filter((step) => !after.includes(step)).flatMap((step) => rowsOf(step, '')),
    ...stage2Rows(after, ''),
  ];
}

function stage2Rows(steps: readonly WalkStep[], indent: string): readonly (readonly string[])[] {
  const [first] = steps;
  if (!first) return [];
  const of = first.input === undefined ? '' : ` of ${hex(first.input)}`;
  return [[`${indent}stage-2 walk${of}`], ...steps.flatMap((step) => rowsOf(step, `${indent}  `))];
}

/** The entry, its problems, and the stage-2 walk that found it. */
function rowsOf(step: WalkStep, indent: string): readonly (readonly string[])[] {
  return [
    [
      indent + step.title,
      String(step.index),
      hex(step.entry.address),
      wordsText(step.words),
      step.perm,
      step.says,
    ],
    ...step.problems.map((problem) => ['', '', '', '', '', `${problem.severity}: ${problem.message}`]),
    ...stage2Rows(step.under ?? [], `${indent}  `),
  ];
}

/** The highest word first, as a number is read; of a long entry without the zeros above. */
function wordsText(words: readonly bigint[]): string {
  const shown = [...words];
  while (shown.length > 2 && shown.at(-1) === 0n) shown.pop();
  return shown.reverse().map(hex).join(' ');
}
