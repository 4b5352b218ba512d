import { type Planner, one } from './planned';
import { sizesText } from '../specOf';

export const attach: Planner<'attach'> = ({ device, pasid, to }, { names }) =>
  one({
    kind: 'attach',
    requester: names.device(device, ['device']),
    ...(pasid === undefined ? {} : { pasid }),
    to: names.target(to, ['to']),
  });

export const createDomain: Planner<'createDomain'> = (
  { name, dirtyTracking, nestParent, tables, pages },
  { names },
) => ({
  operations: [
    {
      kind: 'createDomain',
      dirtyTracking,
      ...(nestParent ? { nestParent } : {}),
      ...(tables === undefined ? {} : { tables }),
      ...(pages ? { pages: sizesText(pages) } : {}),
    },
  ],
  learn: ({ counts }) => {
    names.nameDomain(name, counts['domain']);
  },
});
