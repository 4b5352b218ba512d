import { formatSize, hex } from '../../../engine/values';
import { sizesText } from '../specOf';
import { commandText } from './hardware';
import { type Planner, one } from './planned';
import { mustRangeText, rangeText } from './ranges';

export const guest: Planner<'guest'> = (
  { name, parent, tables, memory, memoryLength, pages, viommu: of },
  { names },
) => ({
  operations: [
    {
      kind: 'createGuest',
      parent: names.domain(parent, ['parent']),
      ...(tables === undefined ? {} : { tables }),
      ...(memory === undefined ? {} : { memory: hex(memory) }),
      ...(memoryLength === undefined ? {} : { memoryLength: formatSize(memoryLength) }),
      ...(pages ? { pages: sizesText(pages) } : {}),
      ...(of === undefined ? {} : { viommu: names.viommu(of, ['viommu']) }),
    },
  ],
  learn: ({ counts }) => {
    names.nameGuest(name, counts['domain']);
  },
});

export const guestMap: Planner<'guestMap'> = ({ guest: of, iova, length, to, permission }, { names }) =>
  one({
    kind: 'guestMap',
    guest: names.guest(of, ['guest']),
    ...mustRangeText({ iova, length }),
    to: hex(to),
    permission,
  });

export const guestUnmap: Planner<'guestUnmap'> = ({ guest: of, invalidate, ...range }, { names }) =>
  one({ kind: 'guestUnmap', guest: names.guest(of, ['guest']), ...mustRangeText(range), invalidate });

export const guestInvalidate: Planner<'guestInvalidate'> = ({ guest: of, command, ...range }, { names }) =>
  one({
    kind: 'guestInvalidate',
    guest: names.guest(of, ['guest']),
    ...rangeText(range),
    ...(command === undefined ? {} : { command }),
  });

export const viommu: Planner<'viommu'> = ({ name, parent, hardwareQueue }, { names }) => ({
  operations: [
    {
      kind: 'createVirtualIommu',
      parent: names.domain(parent, ['parent']),
      ...(hardwareQueue ? { hardwareQueue } : {}),
    },
  ],
  learn: ({ counts }) => {
    names.nameViommu(name, counts['viommu']);
  },
});

export const vdevice: Planner<'vdevice'> = ({ viommu: of, device, id }, { names }) =>
  one({
    kind: 'createVirtualDevice',
    viommu: names.viommu(of, ['viommu']),
    requester: names.device(device, ['device']),
    virtualId: hex(id),
  });

export const guestCommands: Planner<'guestCommands'> = ({ viommu: of, commands }, { names }) =>
  one({
    kind: 'guestCommands',
    viommu: names.viommu(of, ['viommu']),
    commands: commands.map(commandText),
  });
