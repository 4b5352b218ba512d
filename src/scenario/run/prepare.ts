import { type GuestLayout } from '../../engine/machine/layout';
import { hex } from '../../engine/values';
import { type Scenario } from '../language/schema/scenario';
import { type Path } from './mismatch';
import { type Planned } from './steps/planned';
import { type Names } from './names';
import { attachedTo, type Domain, sizesText, tablesOf } from './specOf';

/** Something that is done before the first step, and where the scenario says so. */
export interface Preparation {
  readonly path: Path;
  /** Made when its turn comes: ids are known then. */
  readonly plan: () => Planned;
}

/** What is done for domains that are not the machine's own, and for processes of devices. */
export function preparations(scenario: Scenario, names: Names, layout: GuestLayout): Preparation[] {
  return Object.entries(scenario.domains).flatMap(([name, domain], index) => {
    const path = ['domains', name];
    const processes = attachedTo(domain).flatMap(({ device, pasid }, place): Preparation[] => {
      if (index === 0 && pasid === null) return [];
      const at = [...path, 'devices', place];
      return [{ path: at, plan: () => attaching(names, name, device, pasid) }];
    });
    return index === 0 ? processes : others(scenario, name, domain, names, layout, processes);
  });
}

const attaching = (names: Names, domain: string, device: string, pasid: number | null): Planned => ({
  operations: [
    {
      kind: 'attach',
      requester: names.device(device, []),
      ...(pasid === null ? {} : { pasid }),
      to: names.domain(domain, []),
    },
  ],
});

/** As the machine makes its own: the domain, its devices, its memory, and tracking, which copies all of it. */
function others(
  scenario: Scenario,
  name: string,
  domain: Domain,
  names: Names,
  { regions }: GuestLayout,
  attach: readonly Preparation[],
): Preparation[] {
  const path = ['domains', name];
  const tables = domain.tables ?? tablesOf(scenario);
  const created: Preparation = {
    path,
    plan: () => ({
      operations: [
        {
          kind: 'createDomain',
          dirtyTracking: domain.dirtyTracking !== 'none',
          ...(domain.nestParent === true ? { nestParent: true } : {}),
          tables,
          pages: sizesText(domain.pages),
        },
      ],
      learn: ({ counts }) => {
        names.nameDomain(name, counts['domain']);
      },
    }),
  };
  const mapped = (domain.maps === 'guest' ? regions : []).map(({ startPage, endPage }): Preparation => ({
    path: [...path, 'maps'],
    plan: () => ({
      operations: [
        {
          kind: 'map',
          domain: names.domain(name, []),
          iova: hex(BigInt(startPage) * 4096n),
          length: hex(BigInt(endPage - startPage) * 4096n),
          permission: 'RW',
        },
      ],
    }),
  }));
  const tracked: Preparation = {
    path: [...path, 'dirtyTracking'],
    plan: () => ({
      operations: [{ kind: 'setDirtyTracking', domain: names.domain(name, []), enable: true }],
    }),
  };
  return [created, ...attach, ...mapped, ...(domain.dirtyTracking === 'on' ? [tracked] : [])];
}
