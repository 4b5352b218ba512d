/** A starting point: a whole scenario that runs. */
export interface ScenarioTemplate {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly text: string;
}

const FIRST = `version: 2
title: First steps
about: A device writes a page, and the dirty bitmap names it.

machine:
  vendor: vt-d
  memory: 64M

devices:
  nic: { requester: 00:02.0 }

domains:
  # All guest memory is mapped, IOVA = guest physical address.
  all: { pages: [4K], dirtyTracking: off, devices: [nic] }

steps:
  # Switching it on copies all of memory to the destination.
  - dirtyTracking: { enable: true }
  - dma: { iova: 0x3f000, length: 64, lands: 0x3f000 }
  - expect:
      entries: [{ iova: 0x3f000, size: 4K, dirty: true }]
  # Reports and clears: what is reported is copied.
  - readDirty: {}
  - expect:
      dirty: { ranges: [{ start: 0x3f000, end: 0x40000 }] }
      entries: [{ iova: 0x3f000, dirty: false }]

expect:
  lost: 0
  faults: 0
`;

const SPLIT = `version: 2
title: A 2M entry is split while its device writes
about: Before each step of the split the device writes; nothing may be lost, whichever entry the write went through.
parameters: { protocol: split.xchg-sprinkle }

machine:
  vendor: vt-d
  memory: 64M

devices:
  nic: { requester: 00:02.0 }

domains:
  all: { pages: [2M], dirtyTracking: on, devices: [nic] }

steps:
  - copy: everything
  - dma: { iova: 0x200000 }
  - during:
      step: { split: { iova: 0x200000, length: 2M, size: 4K, protocol: $protocol } }
      moments:
        - every: 1
          steps:
            - dma: { iova: 0x277000 }
  - expect:
      entries: [{ iova: 0x277000, size: 4K }]
  - readDirty: {}

expect:
  lost: 0
`;

const NESTED = `version: 2
title: A guest with tables of its own
about: The guest maps a page in its stage 1, a device behind it writes there, and the guest takes it away again.

machine:
  vendor: vt-d
  memory: 64M

devices:
  nic: { requester: 00:02.0 }

domains:
  # Stage 2, beneath what the guest maps.
  parent: { pages: [4K], nestParent: true }

steps:
  - guest: { name: os }
  - guestMap: { guest: os, iova: 0x201000, length: 4K, to: 0x333000 }
  - attach: { device: nic, to: os }
  - dma: { iova: 0x201000, lands: 0x333000 }
  - guestUnmap: { guest: os, iova: 0x201000, length: 4K }
  - dma: { iova: 0x201000, refused: not-present }

expect:
  stale: 0
`;

const MIGRATION = `version: 2
title: A migration while a network card receives
about: How often memory is sent, how long the guest stands still, and what large pages make of it.

machine:
  vendor: vt-d
  memory: 16G

devices:
  nic:
    requester: 00:02.0
    traffic: { kind: rx-ring, rate: 10Gbps, buffers: recycled, entries: 1024 }

domains:
  all: { dirtyTracking: off, devices: [nic] }

migrate:
  link: 100Gbps
  downtimeLimit: 300ms

variants:
  as-is: {}
  split-eagerly: { migrate: { pages: { policy: split-eagerly, to: 4K } } }
  split-on-dirty: { migrate: { pages: { policy: split-on-dirty, to: 4K } } }
`;

const BUG = `version: 2
title: A parent's flush that forgets nested domains
about: The kernel unmaps a page of the parent, and its flush names the parent's own domain id only.
source: 'Linux 821985301124, iommu/vt-d: Add missing iotlb flush for parent domain'
parameters: { page: 0x333000 }

machine:
  vendor: vt-d
  memory: 64M

devices:
  nic: { requester: 00:02.0 }

domains:
  parent: { pages: [4K], nestParent: true }

steps:
  - guest: { name: os }
  - guestMap: { guest: os, iova: 0x201000, length: 4K, to: $page }
  - attach: { device: nic, to: os }
  - dma: { iova: 0x201000, lands: $page }
  - unmap: { iova: $page, length: 4K, through: tables }

variants:
  broken:
    machine: { driverFaults: [parent-flush-own-did-only] }
    steps:
      - guest: { name: os }
      - guestMap: { guest: os, iova: 0x201000, length: 4K, to: $page }
      - attach: { device: nic, to: os }
      - dma: { iova: 0x201000, lands: $page }
      - unmap: { iova: $page, length: 4K, through: tables }
      # Through the IOTLB, to a page that is not the guest's any more.
      - dma: { iova: 0x201000 }
    expect: { stale: 1 }
  fixed:
    expect: { clean: true }
`;

const VFIO = `version: 2
title: A device with migration states
about: The device stops, writes back what it caches, and its last pages are looked for after that.

machine:
  vendor: smmuv3
  memory: 64M

devices:
  acc:
    requester: 75:00.1
    vfio: { model: hisi-acc, writesBack: stop, writeBackTo: 0x1f000 }

domains:
  all: { pages: [4K], dirtyTracking: off, devices: [acc] }

steps:
  - dirtyTracking: { enable: true }
  - deviceState: { device: acc, state: STOP }
  - readDirty: {}
  - expect:
      dirty: { holds: [0x1f000] }
  - deviceState: { device: acc, state: STOP_COPY }

expect:
  lost: 0
`;

/** What New Scenario offers, from the simplest on. */
export const SCENARIO_TEMPLATES: readonly ScenarioTemplate[] = [
  template('first', FIRST),
  template('split', SPLIT),
  template('nested', NESTED),
  template('migration', MIGRATION),
  template('bug', BUG),
  template('vfio', VFIO),
];

/** Title and purpose stand in the text. */
function template(id: string, text: string): ScenarioTemplate {
  const line = (key: string): string => new RegExp(`^${key}: (.*)$`, 'm').exec(text)?.[1] ?? '';
  return { id, title: line('title'), about: line('about'), text };
}
