import { type Mismatch } from '../mismatch';
import { PLAIN } from '../texts';
import { type Aspect, counted, differs } from './look';

/** Counters of IOMMUs, and of the run itself by the name `machine`. */
export const counters: Aspect<'counters'> = (expected, { machine, cycles, requests }) => {
  const known = new Map<string, Readonly<Record<string, number>>>(
    machine.units.map(({ name, iommu }) => [name, { ...iommu.counters }]),
  );
  known.set('machine', { cycles, requests });
  return Object.entries(expected).flatMap(([name, each]): Mismatch[] => {
    const counts = known.get(name);
    if (!counts) return [differs([name], `one of ${[...known.keys()].join(', ')}`, `"${name}"`)];
    return Object.entries(each).flatMap(([counter, of]): Mismatch[] => {
      const value = Object.hasOwn(counts, counter) ? counts[counter] : undefined;
      if (value !== undefined) return counted([name, counter], of, value, PLAIN);
      return [differs([name, counter], `one of ${Object.keys(counts).join(', ')}`, `"${counter}"`)];
    });
  });
};
