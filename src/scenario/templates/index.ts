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
];
