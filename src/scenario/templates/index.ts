/** A starting point for a scenario: a text that runs as it is. */
export interface Template {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly text: string;
}

/** The first one is the smallest. */
export const TEMPLATES: readonly Template[] = [
  {
    id: 'first',
    title: 'A device writes a page',
    about: 'One machine, one device, one write: which page gets dirty.',
    text: `version: 2
title: A device writes a page
machine: { vendor: vt-d, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  vm: { pages: [4K], dirtyTracking: on, devices: [nic] }
steps:
  - dma: { iova: 0x5000, lands: 0x5000 }
  - expect:
      entries: [{ iova: 0x5000, dirty: true }, { iova: 0x6000, dirty: false }]
  - readDirty: {}
expect:
  dirty: { ranges: [{ start: 0x5000, end: 0x6000 }] }
  clean: true
`,
  },
  {
    id: 'split',
    title: 'A large page is split under DMA',
    about:
      'A device writes just before software replaces a leaf of 2M by leaves of 4K: by a protocol that forgets the write, and by one that does not.',
    text: `version: 2
title: A large page is split under DMA
parameters: { protocol: split.snapshot-store }
machine: { vendor: vt-d, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  vm: { pages: [4K, 2M], dirtyTracking: on, devices: [nic] }
steps:
  - dma: { iova: 0x200000, access: read }
  - during:
      step: { split: { iova: 0x200000, length: 2M, size: 4K, protocol: $protocol } }
      moments:
        - after: 5
          steps:
            - dma: { iova: 0x203000 }
  - readDirty: {}
variants:
  careless: { expect: { lostAt: [0x203000] } }
  careful: { parameters: { protocol: split.xchg-sprinkle }, expect: { lost: 0 } }
`,
  },
  {
    id: 'stale',
    title: 'An unmapped page that is still reached',
    about: 'What a device reaches after an unmap: nothing, and with a bug of a driver what was there before.',
    text: `version: 2
title: An unmapped page that is still reached
machine: { vendor: vt-d, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  vm: { pages: [4K], devices: [nic] }
variants:
  broken:
    machine: { driverFaults: [gather-never-filled] }
    steps:
      - dma: { iova: 0x7000 }
      - unmap: { iova: 0x7000, length: 4K, through: tables }
      - dma: { iova: 0x7000, lands: 0x7000 }
    expect: { stale: 1 }
  fixed:
    steps:
      - dma: { iova: 0x7000 }
      - unmap: { iova: 0x7000, length: 4K, through: tables }
      - dma: { iova: 0x7000, refused: not-present }
    expect: { stale: 0 }
`,
  },
  {
    id: 'traffic',
    title: 'Traffic of a network interface',
    about: 'A receive ring and what it makes dirty, by pages of 4K and of 2M.',
    text: `version: 2
title: Traffic of a network interface
machine: { vendor: smmuv3, memory: 256M }
devices:
  nic:
    requester: 00:02.0
    traffic: { kind: rx-ring, entries: 512, packet: 1500, buffers: recycled }
domains:
  vm: { pages: [4K], dirtyTracking: on, devices: [nic] }
steps:
  - traffic: { requests: 10000 }
  - readDirty: {}
expect:
  clean: true
variants:
  small: {}
  large: { domains: { vm: { pages: [4K, 2M] } } }
`,
  },
  {
    id: 'migration',
    title: 'A machine moves while its device works',
    about: 'Rounds of a migration over 100 Gb/s with pages as they are, and split first.',
    text: `version: 2
title: A machine moves while its device works
machine: { vendor: amd-vi, memory: 64G }
devices:
  nic:
    requester: 00:02.0
    traffic: { kind: rx-ring, entries: 4096, packet: 1500, buffers: recycled, rate: 10Gbps }
domains:
  vm: { dirtyTracking: off, devices: [nic] }
migrate:
  link: 100Gbps
  downtimeLimit: 300ms
variants:
  as-is: {}
  split:
    migrate: { pages: { policy: split-eagerly, to: 4K } }
    expect: { migration: { converged: true } }
`,
  },
  {
    id: 'nested',
    title: 'A guest with tables of its own',
    about: 'A stage 1 in guest memory, a device behind it, and what is left after the guest unmaps.',
    text: `version: 2
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
`,
  },
  {
    id: 'bug',
    title: 'A bug of a kernel, and its fix',
    about: 'A flush of Linux that forgot nested domains: one variant with the bug, one without.',
    text: `version: 2
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
`,
  },
  {
    id: 'vfio',
    title: 'A device with migration states',
    about: 'The device stops and writes back what it caches; its last pages are looked for after that.',
    text: `version: 2
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
`,
  },
];
