import { type DecodedFault } from '../../../engine/iommu/vendor';
import { type Machine } from '../../../engine/machine/machine';
import { formatRequester, hex, parseDevice, requesterId } from '../../../engine/values';
import { type Mismatch } from '../mismatch';
import { expectedText, isWithin, RECORDS } from '../texts';
import { type Aspect, counted, differs, type Expectations, type Look } from './look';

type Fault = Extract<NonNullable<Expectations['faults']>, readonly unknown[]>[number];

/** Records of all fault logs, oldest first in each. */
export const loggedFaults = ({ units }: Machine): DecodedFault[] =>
  units.flatMap(({ iommu }) => [...iommu.faults.entries()]);

export const faults: Aspect<'faults'> = (expected, look) => {
  const logged = loggedFaults(look.machine);
  if (!Array.isArray(expected)) {
    const [first] = logged;
    return counted([], expected, logged.length, RECORDS, first ? `; the first: ${faultText(first)}` : '');
  }
  return expected.flatMap((each, index) => mismatches(each, index, logged, look));
};

function mismatches(
  expected: Fault,
  index: number,
  logged: readonly DecodedFault[],
  { names }: Look,
): Mismatch[] {
  const { device, iova, code, count } = expected;
  const requester =
    device === undefined ? undefined : parseDevice(names.device(device, [index, 'device']))?.requester;
  const unknown = names.takeProblem();
  if (unknown) return [unknown];
  const matching = logged.filter(
    (each) =>
      (requester === undefined || each.requester === requester) &&
      (iova === undefined || each.address >> 12n === iova >> 12n) &&
      (code === undefined || each.code.toLowerCase().includes(code.toLowerCase())),
  ).length;
  const wanted = count ?? { atLeast: 1, atMost: Infinity };
  if (isWithin(wanted, matching)) return [];
  const others = logged.slice(0, 3).map(faultText).join(', ');
  const actual = `${RECORDS(matching)} of ${logged.length}${others === '' ? '' : `: ${others}`}`;
  return [differs([index], `${expectedText(wanted, RECORDS)} that match`, actual)];
}

const faultText = ({ requester, address, code }: DecodedFault): string =>
  `${formatRequester(requesterId(requester))} ${hex(address)} ${code}`;
