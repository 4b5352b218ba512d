import { BYTES, PLAIN, ROUNDS, SECONDS, yesOrNo } from '../texts';
import { type Aspect, counted, differs, same } from './look';

export const migration: Aspect<'migration'> = (expected, { migration: result }) => {
  if (!result) return [differs([], 'a migration', 'none was made')];
  const { bytes, blackout, why } = result;
  const stood =
    expected.blackout === undefined || blackout !== null
      ? counted(['blackout'], expected.blackout, blackout ?? 0, SECONDS)
      : [differs(['blackout'], 'the guest stands still', `it never stopped: ${why}`)];
  const converged = same(['converged'], expected.converged, result.converged, yesOrNo);
  return [
    ...converged.map((each) => ({ ...each, actual: `${each.actual}: ${why}` })),
    ...counted(['rounds'], expected.rounds, result.rounds.length, ROUNDS),
    ...stood,
    ...counted(['total'], expected.total, result.total, SECONDS),
    ...counted(['preparation'], expected.preparation, result.preparation, SECONDS),
    ...counted(['sent'], expected.sent, bytes.sent, BYTES),
    ...counted(['amplification'], expected.amplification, result.amplification, PLAIN),
    ...counted(['missesAdded'], expected.missesAdded, result.iotlb.missesAdded, PLAIN),
    ...counted(['lost'], expected.lost, bytes.lost, BYTES),
  ];
};
