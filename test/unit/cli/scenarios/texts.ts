/** Scenarios that tests write into folders of their own. */

/** A device writes one page; two variants expect the truth, and one expects what is not so. */
export const WRITE = `version: 2
title: A device writes a page
machine: { vendor: vt-d, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  vm: { pages: [4K], dirtyTracking: on, devices: [nic] }
steps:
  - dma: { iova: 0x5000, lands: 0x5000 }
  - readDirty: {}
variants:
  right:
    expect: { requests: 1, dirty: { ranges: [{ start: 0x5000, end: 0x6000 }] } }
  clean: { expect: { clean: true } }
  wrong:
    expect:
      requests: 3
`;

/** Nothing expected, no variants. */
export const PLAIN = `version: 2
title: One write
machine: { vendor: smmuv3, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  vm: { pages: [4K], devices: [nic] }
steps:
  - dma: { iova: 0x5000, length: 4096 }
`;

/** Moves a small guest. */
export const MIGRATION = `version: 2
title: A small guest moves
machine: { vendor: vt-d, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  vm: { pages: [4K, 2M], dirtyTracking: on, devices: [nic] }
steps:
  - dma: { iova: 0x201000 }
migrate: { link: 10Gbps, downtimeLimit: 300ms, pages: { policy: as-is } }
expect: { migration: { converged: true } }
`;

/** Runs for a minute or more, unless it is stopped. */
export const LONG = `version: 2
title: Many requests
machine: { vendor: vt-d, memory: 64M }
devices:
  gpu: { requester: 00:02.0, traffic: { kind: gpu-bulk } }
domains:
  vm: { pages: [4K], dirtyTracking: on, devices: [gpu] }
steps:
  - repeat:
      times: 150
      steps:
        - traffic: { devices: [gpu], requests: 1000000 }
        - readDirty: {}
`;
