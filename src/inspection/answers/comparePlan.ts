import { type AddressSpace } from '../../engine/pageTable/addressSpace';
import { domainRow, type Inspection, type OpenIommu } from '../inspection';
import { type SharedSpace } from '../deviceTable';
import { type Difference, type DeviceWay, type IommuState, type Unread } from '../questions';
import { domainKey } from '../spaces';
import { type Work } from '../work';
import { listsAll, unreadOf } from './unread';
import { readUsers, SPACE_ROLES, type User } from './users';

/** An address space that both sides have. */
export interface SpacePair {
  readonly before: AddressSpace;
  readonly after: AddressSpace;
  /** Names of the IOMMUs. */
  readonly iommus: { readonly before: string; readonly after: string };
}

/** What there is to compare: differences above the tables, and the tables that belong together. */
interface ComparePlan {
  readonly heads: readonly Difference[];
  readonly pairs: readonly SpacePair[];
  readonly unread: Pick<Unread, 'unreadIommus' | 'problems'>;
}

/** Plans of each source and the other one it is compared with, kept as long as both are open. */
const plans = new WeakMap<Inspection, WeakMap<Inspection, ComparePlan>>();

export function* planOf(before: Inspection, after: Inspection): Work<ComparePlan> {
  const kept = plans.get(before) ?? new WeakMap<Inspection, ComparePlan>();
  plans.set(before, kept);
  const known = kept.get(after);
  if (known) return known;
  const heads: Difference[] = [];
  const pairs: SpacePair[] = [];
  const others = new Set(after.iommus);
  for (const iommu of before.iommus) {
    const other = partnerOf(iommu, before, after);
    if (other) others.delete(other);
    yield* compareIommus(before, after, iommu, other, heads, pairs);
  }
  for (const other of others) yield* compareIommus(before, after, undefined, other, heads, pairs);
  const sides = [unreadOf(before.iommus), unreadOf(after.iommus)];
  const unread = {
    unreadIommus: [...new Set(sides.flatMap((side) => side.unreadIommus))],
    problems: [...new Set(sides.flatMap((side) => side.problems))],
  };
  const plan = { heads, pairs, unread };
  kept.set(after, plan);
  return plan;
}

/** The IOMMU of that name; else the only one of that kind, where both sides have one and no name is the same. */
function partnerOf(iommu: OpenIommu, before: Inspection, after: Inspection): OpenIommu | undefined {
  const { name, kind } = iommu.summary;
  const named = after.iommus.find(({ summary }) => summary.name === name);
  if (named) return named;
  const isLike = ({ summary }: OpenIommu): boolean => summary.kind === kind;
  const alike = after.iommus.filter(isLike);
  const [only] = alike;
  const isOnly = before.iommus.filter(isLike).length === 1 && alike.length === 1;
  return isOnly && !before.iommus.some(({ summary }) => summary.name === only?.summary.name)
    ? only
    : undefined;
}

function* compareIommus(
  before: Inspection,
  after: Inspection,
  one: OpenIommu | undefined,
  other: OpenIommu | undefined,
  heads: Difference[],
  pairs: SpacePair[],
): Work<void> {
  const name = (one ?? other)?.summary.name ?? '';
  const [old, now] = [one && stateOf(one), other && stateOf(other)];
  const isSame =
    old?.mode === now?.mode && old?.translating === now?.translating && old?.failure === now?.failure;
  if (!isSame) {
    const change = !old ? 'added' : !now ? 'removed' : 'changed';
    heads.push({
      kind: 'iommu',
      change,
      iommu: name,
      ...(old && { before: old }),
      ...(now && { after: now }),
    });
  }
  // What cannot be read has not gone, and what can be read only later is not new.
  if ((one && !one.directory) || (other && !other.directory)) return;
  const left = one ? (yield* before.devices(one.summary.name)).spaces : [];
  const right = other ? (yield* after.devices(other.summary.name)).spaces : [];
  const [oldUsers, newUsers] = [yield* readUsers(one?.directory), yield* readUsers(other?.directory)];
  const matched = matchSpaces(left, right, yield* signatures(oldUsers), yield* signatures(newUsers));
  yield* compareDevices(one, other, oldUsers, newUsers, matched, heads);
  // Where devices may be missing, none has gone, and none is new.
  const [wasWhole, isWhole] = [listsAll(one), listsAll(other)];
  const found = new Set(matched.values());
  const sharedOf = new Map(right.map((shared) => [shared.space, shared]));
  for (const shared of left) {
    const partner = matched.get(shared.space);
    const match = partner && sharedOf.get(partner);
    const row = one && domainRow(one, shared);
    const otherRow = other && match && domainRow(other, match);
    if (row && otherRow) {
      pairs.push({
        before: shared.space,
        after: partner,
        iommus: { before: row.iommu, after: otherRow.iommu },
      });
      if (isSameDomain(row, otherRow)) continue;
      heads.push({ kind: 'domain', change: 'changed', before: row, after: otherRow });
    } else if (row && isWhole) heads.push({ kind: 'domain', change: 'removed', before: row });
    yield 64;
  }
  for (const shared of right) {
    if (!other || !wasWhole || found.has(shared.space)) continue;
    heads.push({ kind: 'domain', change: 'added', after: domainRow(other, shared) });
  }
}

function stateOf({ summary }: OpenIommu): IommuState {
  const { mode, translating, failure } = summary;
  return { mode, translating, ...(failure ? { failure: failure.message } : {}) };
}

type Row = ReturnType<typeof domainRow>;

const isSameDomain = (one: Row, other: Row): boolean =>
  one.domainId === other.domainId &&
  one.root === other.root &&
  one.levels === other.levels &&
  one.format === other.format &&
  one.below?.domainId === other.below?.domainId &&
  one.below?.root === other.below?.root;

/** Which devices and processes use each address space, and as what, in one text. */
function* signatures(users: readonly User[]): Work<ReadonlyMap<AddressSpace, string>> {
  const parts = new Map<AddressSpace, string[]>();
  for (const { requester, pasid, spaces } of users) {
    for (const role of SPACE_ROLES) {
      const space = spaces[role];
      if (!space) continue;
      const list = parts.get(space) ?? [];
      list.push(`${role}:${requester}/${pasid ?? ''}`);
      parts.set(space, list);
    }
    yield 8;
  }
  return new Map([...parts].map(([space, list]) => [space, list.join(' ')]));
}

/** Address spaces that belong together: first those with the same users, then those with the same stage and id. */
function matchSpaces(
  left: readonly SharedSpace[],
  right: readonly SharedSpace[],
  leftUsers: ReadonlyMap<AddressSpace, string>,
  rightUsers: ReadonlyMap<AddressSpace, string>,
): ReadonlyMap<AddressSpace, AddressSpace> {
  const matched = new Map<AddressSpace, AddressSpace>();
  const taken = new Set<AddressSpace>();
  const byKey = (keyOf: (space: AddressSpace) => string | undefined, otherKeyOf: typeof keyOf): void => {
    const partners = new Map<string, AddressSpace>();
    for (const { space } of right) {
      const key = otherKeyOf(space);
      // The first of several with one key: none of them is nearer than another.
      if (key !== undefined && !taken.has(space) && !partners.has(key)) partners.set(key, space);
    }
    for (const { space } of left) {
      const key = keyOf(space);
      const partner = key === undefined || matched.has(space) ? undefined : partners.get(key);
      if (!partner || taken.has(partner)) continue;
      matched.set(space, partner);
      taken.add(partner);
    }
  };
  byKey(
    (space) => withStage(space, leftUsers.get(space)),
    (space) => withStage(space, rightUsers.get(space)),
  );
  byKey(idAndRoot, idAndRoot);
  byKey(idOf, idOf);
  return matched;
}

const withStage = ({ stage }: AddressSpace, users: string | undefined): string | undefined =>
  users === undefined ? undefined : `${stage} ${users}`;
const idOf = ({ stage, domainId, stage2 }: AddressSpace): string =>
  `${stage} ${domainId} ${stage2?.domainId ?? ''}`;
const idAndRoot = (space: AddressSpace): string => `${idOf(space)} ${space.root} ${space.rootEntry}`;

function* compareDevices(
  one: OpenIommu | undefined,
  other: OpenIommu | undefined,
  oldUsers: readonly User[],
  newUsers: readonly User[],
  matched: ReadonlyMap<AddressSpace, AddressSpace>,
  heads: Difference[],
): Work<void> {
  const keyOf = ({ requester, pasid }: User): string => `${requester}/${pasid ?? ''}`;
  const now = new Map(newUsers.map((user) => [keyOf(user), user]));
  const iommu = (one ?? other)?.summary.name ?? '';
  const isWhole = listsAll(other);
  for (const user of oldUsers) {
    const { requester, pasid } = user;
    const device = { requester, pasid };
    const partner = now.get(keyOf(user));
    now.delete(keyOf(user));
    yield 8;
    const before = wayOf(one, user);
    if (!partner) {
      if (isWhole) heads.push({ kind: 'device', change: 'removed', iommu, device, before });
    } else if (!isSameWay(user, partner, matched)) {
      heads.push({ kind: 'device', change: 'changed', iommu, device, before, after: wayOf(other, partner) });
    }
  }
  if (!listsAll(one)) return;
  for (const user of now.values()) {
    const { requester, pasid } = user;
    const after = wayOf(other, user);
    heads.push({ kind: 'device', change: 'added', iommu, device: { requester, pasid }, after });
    yield 8;
  }
}

function wayOf(iommu: OpenIommu | undefined, { state, spaces }: User): DeviceWay {
  const name = iommu?.summary.name ?? '';
  const domains = SPACE_ROLES.flatMap((role) => {
    const space = spaces[role];
    return space ? [domainKey(name, space)] : [];
  });
  return { translation: state, domains };
}

function isSameWay(one: User, other: User, matched: ReadonlyMap<AddressSpace, AddressSpace>): boolean {
  return (
    one.state === other.state &&
    SPACE_ROLES.every((role) => {
      const space = one.spaces[role];
      return (space && matched.get(space)) === other.spaces[role];
    })
  );
}
