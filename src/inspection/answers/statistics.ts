import { levelOf } from '../../engine/formats/compile';
import { permissionText } from '../../engine/pageTable/entry';
import { countSpace } from '../../engine/pageTable/statistics';
import { type Inspection } from '../inspection';
import { type DomainKey, type DomainStatistics, type Permission } from '../protocol';
import { type Work } from '../work';
import { bytesOf } from './addresses';

export function* statisticsOf(inspection: Inspection, domain: DomainKey): Work<DomainStatistics> {
  const { space } = yield* inspection.space(domain);
  const counted = yield* countSpace(space);
  const { format } = space;
  const sizes = new Map<string, { level: number; pageSize: bigint; leaves: number }>();
  const permissions = new Map<Permission, number>();
  let total = 0;
  for (const { depth, pageShift, permission, leaves } of counted.leaves) {
    const key = `${depth}/${pageShift}`;
    const level = levelOf(format, depth).rule.level;
    const size = sizes.get(key) ?? { level, pageSize: 1n << BigInt(pageShift), leaves: 0 };
    sizes.set(key, { ...size, leaves: size.leaves + leaves });
    const text = permissionText(permission);
    permissions.set(text, (permissions.get(text) ?? 0) + leaves);
    total += leaves;
  }
  const markedBytes = (level: number, pageSize: bigint) => {
    const found = counted.marks.find(
      ({ depth, pageShift }) =>
        levelOf(format, depth).rule.level === level && 1n << BigInt(pageShift) === pageSize,
    );
    return {
      accessedBytes: BigInt(found?.accessed ?? 0) * pageSize,
      dirtyBytes: BigInt(found?.dirty ?? 0) * pageSize,
    };
  };
  return {
    domain,
    mappedBytes: bytesOf(counted.mappedPages),
    leaves: BigInt(total),
    tablesByLevel: [...counted.tables]
      .sort(([a], [b]) => b - a)
      .map(([depth, tables]) => ({ level: levelOf(format, depth).rule.level, tables: BigInt(tables) })),
    leavesBySize: [...sizes.values()].map(({ level, pageSize, leaves }) => ({
      level,
      pageSize,
      leaves: BigInt(leaves),
      ...markedBytes(level, pageSize),
    })),
    leavesByPermission: [...permissions].map(([perm, leaves]) => ({ perm, leaves: BigInt(leaves) })),
    accessed: BigInt(counted.accessed),
    dirty: BigInt(counted.dirty),
    problems: BigInt(counted.problems),
    unreadableTables: BigInt(counted.unreadableTables),
    complete: counted.complete,
    ...(counted.complete
      ? {}
      : { why: 'These tables claim to map more than can be counted; the numbers are lower bounds.' }),
  };
}
