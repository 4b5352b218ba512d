import { addAbortSignal } from 'node:stream';
import { formatSize, hex, type Translation, type TranslateRequest } from '../../inspection/protocol';
import { type CliCommand, type CommonOptions } from '../command';
import { cancelled, CliError } from '../errors';
import { openRequests, parseRequest, readLines, type NumberedLine } from '../requests';
import { answerLine, askedName } from '../words';

interface TranslateOptions extends CommonOptions {
  readonly requests: string;
  readonly iommu?: string;
}

export const translate: CliCommand<TranslateOptions> = {
  name: 'translate',
  summary: 'answer translation requests, one JSON object a line, in order',
  examples: [
    'vtd.elf.gz --requests requests.jsonl --json',
    `vtd.elf.gz --requests - --json <<< '{"sid": "0x10", "pasid": null, "iova": "0xffed8000", "access": "read"}'`,
  ],
  configure(command) {
    command
      .requiredOption('--requests <file>', 'requests as JSON lines; - reads standard input')
      .option('--iommu <name>', 'which IOMMU, when the description has several');
  },
  async run({ session, output, options }) {
    if (options.iommu !== undefined) session.iommus(options.iommu);
    const fromInput = options.requests === '-';
    const name = fromInput ? 'standard input' : options.requests;
    const stream = addAbortSignal(session.signal, fromInput ? process.stdin : await openRequests(name));
    let heading = true;
    try {
      for await (const lines of readLines(stream, name)) {
        const { requests, refused } = parseAll(lines, name);
        const answers = await session.request('translate', {
          inspection: session.inspection,
          ...(options.iommu === undefined ? {} : { iommu: options.iommu }),
          requests,
        });
        if (options.json === true) await output.lines(answers.map(answerLine));
        else if (requests.length > 0) await output.table(COLUMNS, cellsOf(requests, answers), { heading });
        heading = false;
        if (refused) throw refused;
      }
    } catch (error) {
      throw session.signal.aborted ? cancelled() : error;
    } finally {
      stream.destroy();
    }
  },
};

/** The requests before the first line that is none, and why that one is none. */
function parseAll(
  lines: readonly NumberedLine[],
  name: string,
): { readonly requests: readonly TranslateRequest[]; readonly refused?: CliError } {
  const requests: TranslateRequest[] = [];
  for (const line of lines) {
    try {
      requests.push(parseRequest(line, name));
    } catch (error) {
      if (error instanceof CliError) return { requests, refused: error };
      throw error;
    }
  }
  return { requests };
}

/** With widths, so that the parts of a long table stand under each other. */
const COLUMNS = [
  { title: 'DEVICE', width: 7 },
  { title: 'PASID', align: 'right', width: 7 },
  { title: 'ACCESS', width: 6 },
  { title: 'IOVA', align: 'right', width: 18 },
  { title: 'RESULT', align: 'right', width: 24 },
  { title: 'PAGE', align: 'right', width: 4 },
  { title: 'PERM', width: 4 },
  { title: 'LEVEL', align: 'right' },
  { title: 'ENTRY', align: 'right', width: 18 },
] as const;

function cellsOf(
  requests: readonly TranslateRequest[],
  answers: readonly Translation[],
): readonly (readonly string[])[] {
  return requests.map((request, index) => {
    const device = [
      askedName(request),
      request.pasid === null ? '-' : hex(request.pasid),
      request.access,
      hex(request.iova),
    ];
    const result = answers[index];
    if (!result?.ok) return [...device, result?.fault ?? '', '', '', String(result?.level ?? '-'), ''];
    const { paddr, size, perm, level, entry } = result;
    return [
      ...device,
      hex(paddr),
      formatSize(size),
      perm,
      String(level ?? '-'),
      entry === null ? '-' : hex(entry),
    ];
  });
}
