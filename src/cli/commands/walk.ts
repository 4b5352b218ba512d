import { formatSize, hex, type WalkResult } from '../../inspection/protocol';
import { parseAddress, parseDevice, parsePasid } from '../arguments';
import { type CliCommand, type CommonOptions } from '../command';
import { type Output } from '../output';
import { answerOf, deviceName } from '../words';

interface WalkOptions extends CommonOptions {
  readonly device: number;
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
    'vtd.elf.gz --device 00:07.0 --iova 0x5000 --write --json',
  ],
  configure(command) {
    command
      .requiredOption('--device <device>', 'requester: 00:02.0 or 0x10', parseDevice)
      .requiredOption('--iova <address>', 'IO virtual address: 0xffed8000', parseAddress)
      .option('--write', 'walk for a write; without it for a read')
      .option('--pasid <number>', 'PASID of the request', parsePasid)
      .option('--iommu <name>', 'which IOMMU, when the description has several');
  },
  async run({ session, output, options }) {
    if (options.iommu !== undefined) session.iommus(options.iommu);
    const result = await session.request('walk', {
      inspection: session.inspection,
      ...(options.iommu === undefined ? {} : { iommu: options.iommu }),
      request: {
        requester: options.device,
        pasid: options.pasid ?? null,
        iova: options.iova,
        access: options.write === true ? 'write' : 'read',
      },
    });
    await (options.json === true ? writeJson(output, result) : writeText(output, result));
  },
};

async function writeJson(output: Output, result: WalkResult): Promise<void> {
  await output.json([
    ...result.steps.map((step) => ({
      type: 'step',
      role: step.entry.role,
      level: step.entry.level ?? null,
      address: step.entry.address,
      index: step.index,
      words: step.words,
      title: step.title,
      says: step.says,
      perm: step.perm,
      problems: step.problems.map(({ code, severity, message }) => ({ code, severity, message })),
    })),
    { type: 'result', iommu: result.iommu, ...answerOf(result.translation), summary: result.summary },
  ]);
}

async function writeText(output: Output, result: WalkResult): Promise<void> {
  const { request, translation } = result;
  const pasid = request.pasid === null ? '' : `, PASID ${request.pasid}`;
  await output.title(
    `${request.access} of ${hex(request.iova)} by ${deviceName(request.requester)}${pasid}, through ${result.iommu}`,
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
    result.steps.flatMap((step) => [
      [
        step.title,
        String(step.index),
        hex(step.entry.address),
        // The highest word first, as a number is read.
        [...step.words].reverse().map(hex).join(' '),
        step.perm,
        step.says,
      ],
      ...step.problems.map((problem) => ['', '', '', '', '', `${problem.severity}: ${problem.message}`]),
    ]),
  );
  const verdict = translation.ok
    ? `${hex(request.iova)} -> ${hex(translation.paddr)} (${formatSize(translation.size)} page, ${translation.perm})`
    : output.red(`fault: ${translation.fault}`);
  // Of a translation that went through its tables the summary would only say the same again.
  const more = translation.ok && translation.level !== null ? [] : [result.summary];
  const hint = result.hint === undefined ? [] : [`hint: ${result.hint}`];
  await output.lines(['', output.bold(verdict), ...more, ...hint]);
}
