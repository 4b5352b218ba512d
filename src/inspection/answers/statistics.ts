import { levelOf } from '../../engine/formats/compile';
import { permissionText } from '../../engine/pageTable/entry';
import { countSpace } from '../../engine/pageTable/statistics';
import { type Inspection } from '../inspection';
import { type DomainKey, type DomainStatistics, type Permission } from '../protocol';
import { type Work } from '../work';
import { bytesOf } from './addresses';

export function* statisticsOf(inspection: Inspection, domain: DomainKey): Work<DomainStatistics> {
  const { space } = yield* inspection.space(domain);
  const counted = yield* countSpace(inspection.memory, space);
  const sizes = new Map<number, number>();
  const permissions = new Map<Permission, number>();
  for (const { level, permission, leaves } of counted.leaves) {
    sizes.set(level, (sizes.get(level) ?? 0) + leaves);
    const text = permissionText(permission);
    permissions.set(text, (permissions.get(text) ?? 0) + leaves);
  }
  const total = [...sizes.values()].reduce((sum, leaves) => sum + leaves, 0);
  return {
    domain,
    mappedBytes: bytesOf(counted.mappedPages),
    leaves: BigInt(total),
    tablesByLevel: [...counted.tables]
      .map(([level, tables]) => ({ level, tables: BigInt(tables) }))
      .sort((a, b) => b.level - a.level),
    leavesBySize: [...sizes].map(([level, leaves]) => ({
      level,
      pageSize: bytesOf(levelOf(space.format, level).pagesPerEntry),
      leaves: BigInt(leaves),
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
