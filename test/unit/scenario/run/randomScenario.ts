import * as fc from 'fast-check';

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const page = fc.integer({ min: 0, max: 5000 }).map((number) => `0x${(number * 4096).toString(16)}`);
const length = pick('4K', '8K', '64K', '2M', '16M', '3K', '0');
const domain = pick('', ', domain: vm', ', domain: other');
const size = pick('4K', '2M', '1G', '8K');
const device = pick('nic', 'gpu');
const range = fc.tuple(page, length).map(([iova, bytes]) => `iova: ${iova}, length: ${bytes}`);

/** Most go as they like: whether the driver refuses them nobody knows before. */
const dma = fc
  .tuple(device, page, pick('read', 'write', 'atomic'), fc.integer({ min: 1, max: 40 }), pick(1, 64, 5000))
  .map(
    ([of, iova, access, count, bytes]) =>
      `dma: { device: ${of}, iova: ${iova}, access: ${access}, count: ${count}, length: ${bytes} }`,
  );

const plain = fc.oneof(
  { weight: 5, arbitrary: dma },
  fc
    .tuple(range, page, pick('R', 'W', 'RW'), domain)
    .map(([at, to, permission, of]) => `map: { ${at}, to: ${to}, permission: ${permission}${of} }`),
  fc
    .tuple(range, pick('iommufd', 'tables'), domain)
    .map(([at, through, of]) => `unmap: { ${at}, through: ${through}${of} }`),
  fc.tuple(range, size, domain).map(([at, to, of]) => `split: { ${at}, size: ${to}${of} }`),
  fc.tuple(range, size, domain).map(([at, to, of]) => `collapse: { ${at}, size: ${to}${of} }`),
  fc.tuple(fc.boolean(), domain).map(([enable, of]) => `dirtyTracking: { enable: ${enable}${of} }`),
  fc
    .tuple(range, fc.boolean(), domain)
    .map(([at, clear, of]) => `readDirty: { ${at}, clear: ${clear}${of} }`),
  pick('copy: everything', 'copy: populated', 'harvestCpu: {}', 'invalidate: {}', 'wait: { cycles: 5 }'),
  fc
    .tuple(device, pick('vm', 'other', 'blocked', 'pass-through'))
    .map(([of, to]) => `attach: { device: ${of}, to: ${to} }`),
  pick('iotlb', 'walk', 'contexts', 'processes', 'device-tlb').map((cache) => `evict: { cache: ${cache} }`),
  page.map((address) => `cpu: { vcpu: 1, address: ${address} }`),
  page.map((address) => `hostWrite: { by: vhost, address: ${address} }`),
  page.map((address) => `zap: { address: ${address}, length: 4K, reason: balloon }`),
  fc
    .tuple(device, pick('rx-ring', 'nvme', 'gpu-bulk', 'descriptor-ring'), fc.integer({ min: 1, max: 60 }))
    .map(
      ([of, kind, requests]) =>
        `traffic: { devices: [${of}], requests: ${requests}, traffic: { kind: ${kind} } }`,
    ),
  page.map(
    (iova) =>
      `expect: { clean: true, entries: [{ iova: ${iova}, dirty: true }], cached: [{ iova: ${iova} }], translations: [{ device: nic, iova: ${iova} }], faults: 0, dirty: { pages: 1 } }`,
  ),
);

const during = fc
  .tuple(
    plain,
    fc.array(plain, { minLength: 1, maxLength: 3 }),
    pick('after: 0', 'after: 3', 'every: 5', 'every: poll'),
  )
  .filter(
    ([main, others]) =>
      ![main, ...others].some((each) => each.startsWith('expect') || each.startsWith('wait')),
  )
  .map(
    ([main, others, when]) =>
      `during: { step: { ${main} }, moments: [{ ${when}, steps: [${others.map((each) => `{ ${each} }`).join(', ')}] }] }`,
  );

const step = fc.oneof(
  { weight: 6, arbitrary: plain },
  { weight: 1, arbitrary: during },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.array(plain, { minLength: 1, maxLength: 3 }))
      .map(
        ([times, steps]) =>
          `repeat: { times: ${times}, steps: [${steps.map((each) => `{ ${each} }`).join(', ')}] }`,
      ),
  },
);

export interface RandomScenario {
  readonly vendor: string;
  readonly steps: readonly string[];
  readonly domain: string;
  readonly ats: boolean;
}

/** Scenarios of two devices and two domains on a small machine. */
export const randomScenario: fc.Arbitrary<RandomScenario> = fc.record({
  vendor: pick('vt-d', 'amd-vi', 'smmuv3', 'riscv'),
  steps: fc.array(step, { minLength: 1, maxLength: 12 }),
  domain: pick('pages: [4K]', 'pages: [4K, 2M]', 'maps: nothing', '{}'),
  ats: fc.boolean(),
});

export function textOf({ vendor, steps, domain, ats }: RandomScenario): string {
  const tracks = vendor === 'riscv' ? '' : 'dirtyTracking: on, ';
  const first = domain === '{}' ? '' : `${domain}, `;
  return `version: 2
title: Anything
machine: { vendor: ${vendor}, memory: 16M, cpu: { vcpus: 2 } }
devices:
  nic: { requester: 00:02.0 }
  gpu: { requester: 00:03.0, ats: ${String(ats)} }
domains:
  vm: { ${tracks}${first}devices: [nic] }
  other: { pages: [4K], devices: [gpu] }
steps:
${steps.map((each) => `  - ${each}`).join('\n')}
expect: { lost: 0, stale: 0 }
`;
}
