import { type Planner, one } from './planned';
import { mustRangeText, rangeText } from './ranges';

export const deviceState: Planner<'deviceState'> = ({ device, state }, { names }) =>
  one({ kind: 'deviceState', requester: names.device(device, ['device']), state });

export const dmaLog: Planner<'dmaLog'> = ({ device, action, ranges }, { names }) =>
  one({
    kind: 'dmaLog',
    requester: names.device(device, ['device']),
    action,
    ...(ranges ? { ranges: ranges.map(mustRangeText) } : {}),
  });

export const type1: Planner<'type1'> = ({ action, group, pins, ...range }) =>
  one({
    kind: 'type1',
    action,
    ...(group === undefined ? {} : { group }),
    ...(pins === undefined ? {} : { pins }),
    ...rangeText(range),
  });
