import { failure, type Result, success } from '../../engine/result';
import { type ByteSource } from '../../bytes/byteSource';
import { ProblemList } from '../problems';
import { placeRecords, RearrangedSource } from './flattened/rearranged';
import { readRecords } from './flattened/records';
import { type ImageReader, type ReaderOptions, type ReadImage, startsWith } from './reader';

const SIGNATURE = 'makedumpfile\0';
const HEAD_BYTES = 4096;

/**
 * A dump that was written to a pipe: makedumpfile -F, QEMU's dump-guest-memory -z, -l, -s. It is read where it stands, by an
 * index of its records.
 *
 * @param inner Readers of what may be flattened.
 */
export const flattened = (inner: readonly ImageReader[]): ImageReader => ({
  id: 'flattened',
  title: 'flattened dump',
  needsSegments: false,
  recognise: (head) => startsWith(head, SIGNATURE),
  async open(source, options) {
    const problems = new ProblemList();
    const records = await readRecords(source, problems, options);
    if (!records.ok) return records;
    const pieces = await placeRecords(records.value, source.name, options);
    if (!pieces.ok) return pieces;
    const result = await openInner(new RearrangedSource(source, pieces.value), inner, options);
    if (!result.ok) return result;
    return success({ ...result.value, problems: [...problems.all(), ...result.value.problems] });
  },
});

async function openInner(
  source: ByteSource,
  inner: readonly ImageReader[],
  options: ReaderOptions,
): Promise<Result<ReadImage>> {
  const bytes = new Uint8Array(HEAD_BYTES);
  const head = bytes.subarray(0, source.read(0, bytes));
  const reader = inner.find((candidate) => candidate.recognise(head, source.name));
  if (reader) return await reader.open(source, { ...options, wrapped: 'flattened' });
  return failure(
    'image/flattened-unknown',
    `${source.name} is a flattened dump, but what it holds is neither ${inner.map(({ title }) => title).join(' nor ')}.`,
    'Put the dump together with makedumpfile -R DUMPFILE < FLATTENED and open DUMPFILE; if that fails, copy or dump it again.',
  );
}
