import { type CachedRow } from '../../../engine/machine/cachedRows';
import { formatSize, hex, parseDevice } from '../../../engine/values';
import { below, type Mismatch } from '../mismatch';
import { yesOrNo } from '../texts';
import { type Aspect, type Expectations, type Look, same } from './look';

type Cached = NonNullable<Expectations['cached']>[number];

export const cached: Aspect<'cached'> = (expected, look) => {
  const rows = [...look.machine.cached()];
  return expected.flatMap((each, index) => mismatches(each, rows, look).map((one) => below([index], one)));
};

function mismatches(expected: Cached, rows: readonly CachedRow[], { names }: Look): Mismatch[] {
  const { device, iova } = expected;
  const requester =
    device === undefined ? undefined : parseDevice(names.device(device, ['device']))?.requester;
  const unknown = names.takeProblem();
  if (unknown) return [unknown];
  const page = Number(iova >> 12n);
  const found = rows.filter(
    ({ requester: of, entry }) =>
      of === requester && entry.page <= page && page < entry.page + 2 ** (entry.shift - 12),
  );
  const place = (each: Mismatch): Mismatch => ({ ...each, actual: `${each.actual}, at ${hex(iova)}` });
  if (!expected.present || found.length === 0)
    return same(['present'], expected.present, found.length > 0, yesOrNo).map(place);
  // Several tags may hold the address: one of them is what is meant.
  const all = found.map((row) => rowMismatches(expected, row));
  return all.some((each) => each.length === 0) ? [] : (all[0] ?? []).map(place);
}

const rowMismatches = (expected: Cached, { entry, stale }: CachedRow): Mismatch[] => [
  ...same(['stale'], expected.stale, stale !== undefined, yesOrNo).map((each) =>
    stale ? { ...each, actual: `${each.actual}: ${stale.says.replace(/\.$/, '')}` } : each,
  ),
  ...same(['dirtyDone'], expected.dirtyDone, entry.dirtyDone, yesOrNo),
  ...same(['size'], expected.size, 1n << BigInt(entry.shift), formatSize),
];
