import { formatSize, hex } from '../../../engine/values';
import { type Planner, one } from './planned';

export const cpu: Planner<'cpu'> = ({ vcpu, address, length, access }) =>
  one({ kind: 'cpu', accesses: [{ vcpu, address: hex(address), length, access }] });

export const hostWrite: Planner<'hostWrite'> = ({ by, address, length }) =>
  one({
    kind: 'hostWrite',
    by,
    address: hex(address),
    ...(length === undefined ? {} : { length: formatSize(length) }),
  });

export const zap: Planner<'zap'> = ({ address, length, reason }) =>
  one({ kind: 'zap', address: hex(address), length: formatSize(length), reason });

export const harvestCpu: Planner<'harvestCpu'> = () => one({ kind: 'harvestCpu' });
