/**
 * Lines of traces, read with a regular expression for each kind and nothing of the reader's: as tracefs, trace-cmd, perf and
 * QEMU print them.
 */
import { type TraceRow } from '../../../src/inspection/protocol';

/** What a test holds against a row: only the members that it names. */
export type Facts = Partial<Omit<TraceRow, 'time' | 'iova' | 'paddr' | 'row' | 'line' | 'cut' | 'space'>> & {
  /** Nanoseconds, not since the origin. */
  readonly time?: bigint;
  readonly iova?: bigint | null;
  readonly paddr?: bigint | null;
};

export interface Context {
  readonly event: string;
  readonly payload: string;
  readonly facts: Facts;
}

/** Nanoseconds of `seconds` with up to nine digits behind the point. */
const nanoseconds = (seconds: string): bigint => {
  const [whole = '0', part = ''] = seconds.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(part.padEnd(9, '0'));
};

const CONTEXTS: readonly (readonly [RegExp, (groups: Record<string, string>) => Facts])[] = [
  // perf script: the name may have blanks, the event has its system before it.
  [
    /^ *(?<task>\S.*?) +(?<pid>\d+) \[(?<cpu>\d+)\] +(?<time>[\d.]+): +\w+:(?<event>\w+): (?<payload>.*)$/,
    ({ task, pid, cpu, time = '' }) => ({
      task: task ?? '',
      pid: Number(pid),
      cpu: Number(cpu),
      time: nanoseconds(time),
    }),
  ],
  // tracefs and trace-cmd report; the group of threads and the flags may be absent.
  [
    /^ *(?<task>\S.*)-(?<pid>\d+) +(?:\( *[\d-]+\) )?\[(?<cpu>\d+)\](?: [^\s\d]\S*| \.\S*)? +(?<time>[\d.]+): (?<event>\w+): +(?<payload>.*)$/,
    ({ task, pid, cpu, time = '' }) => ({
      task: task ?? '',
      pid: Number(pid),
      cpu: Number(cpu),
      time: nanoseconds(time),
    }),
  ],
  // The latency format: the CPU is glued to its flags, and times are microseconds with a mark of the delay.
  [
    /^ *(?<task>\S.*)-(?<pid>\d+) +(?<cpu>\d)[^\s\d]\S* +(?<time>\d+)us.?: (?<event>\w+): (?<payload>.*)$/,
    ({ task, pid, cpu, time = '' }) => ({
      task: task ?? '',
      pid: Number(pid),
      cpu: Number(cpu),
      time: BigInt(time) * 1000n,
    }),
  ],
  [/^(?<event>\w+): (?<payload>.*)$/, () => ({ task: null, pid: null, cpu: null })],
];

/** An event's line of the kernel's tracers, or undefined. */
export function contextOf(line: string): Context | undefined {
  for (const [pattern, facts] of CONTEXTS) {
    const groups = pattern.exec(line)?.groups;
    if (groups)
      return { event: groups['event'] ?? '', payload: groups['payload'] ?? '', facts: facts(groups) };
  }
  return undefined;
}

type Read = (found: readonly string[]) => Facts;

const hex = (digits = ''): bigint => BigInt(`0x${digits.replace(/^0x/, '')}`);

/** The direction of a DMA is the memory's: what goes to the device is read. */
const direction = (name = ''): Facts['flags'] =>
  name === 'TO_DEVICE' ? ['read'] : name === 'FROM_DEVICE' ? ['write'] : ['read', 'write'];

/** Of the invalidation descriptors: bits 31:16 the domain, the address above bit 12, bits 5:0 log2 of pages. */
const invalidation: Read = ([, low, high]) => ({
  operation: 'flush',
  domain: Number((hex(low) >> 16n) & 0xffffn),
  iova: hex(high) & ~0xfffn,
  size: 4096 * 2 ** Number(hex(high) & 0x3fn),
});

/** Payloads by event: include/trace/events/iommu.h, dma.h and intel_iommu.h of Linux. */
const KERNEL: readonly (readonly [RegExp, RegExp, Read])[] = [
  [
    /^map$/,
    /^IOMMU: iova=0x(\w+) - 0x\w+ paddr=0x(\w+) size=(\d+)$/,
    ([, iova, paddr, size]) => ({
      operation: 'map',
      device: null,
      iova: hex(iova),
      paddr: hex(paddr),
      size: Number(size),
    }),
  ],
  [
    /^unmap$/,
    /^IOMMU: iova=0x(\w+) - 0x\w+ size=(\d+) unmapped_size=(\d+)$/,
    ([, iova, size, done]) => ({
      operation: 'unmap',
      device: null,
      iova: hex(iova),
      paddr: null,
      size: Number(size),
      done: done === size ? null : Number(done),
    }),
  ],
  [
    /^attach_device_to_domain$/,
    /^IOMMU: device=(\S+)$/,
    ([, device = '']) => ({ operation: 'attach', device }),
  ],
  [
    /^add_device_to_group$/,
    /^IOMMU: groupID=\d+ device=(\S+)$/,
    ([, device = '']) => ({ operation: 'attach', device }),
  ],
  [
    /^dma_map_(?:page|phys)$/,
    /^(\S+) dir=(\w+) dma_addr=(\w+) size=(\d+) phys_addr=(\w+) attrs=/,
    ([, device = '', way, iova, size, paddr]) => ({
      operation: 'dma-map',
      device,
      flags: direction(way) ?? [],
      iova: hex(iova),
      size: Number(size),
      paddr: hex(paddr),
    }),
  ],
  [
    /^dma_unmap_(?:page|phys)$/,
    /^(\S+) dir=(\w+) dma_addr=(\w+) size=(\d+) attrs=/,
    ([, device = '', way, iova, size]) => ({
      operation: 'dma-unmap',
      device,
      flags: direction(way) ?? [],
      iova: hex(iova),
      size: Number(size),
      paddr: null,
    }),
  ],
  [
    /^dma_map_sg$/,
    /^(\S+) dir=\w+ nents=\S+ ents=\S+ dma_addrs=\{0x(\w+)[^}]*\} sizes=\{0x(\w+)[^}]*\} phys_addrs=\{0x(\w+)/,
    ([, device = '', iova, size, paddr]) => ({
      operation: 'dma-map',
      device,
      iova: hex(iova),
      size: Number(hex(size)),
      paddr: hex(paddr),
    }),
  ],
  [/^dma_unmap_sg$/, /^(\S+) dir=/, ([, device = '']) => ({ operation: 'dma-unmap', device, iova: null })],
  // trace-cmd 3.1 cannot print what it holds of the lists; the device is there all the same.
  [
    /^dma_map_sg$/,
    /^\[FAILED TO PARSE\] device=(\S+)/,
    ([, device = '']) => ({ operation: 'dma-map', device }),
  ],
  [
    /^dma_unmap_sg$/,
    /^\[FAILED TO PARSE\] device=(\S+)/,
    ([, device = '']) => ({ operation: 'dma-unmap', device }),
  ],
  [/^qi_submit$/, /^(?:p_)?iotlb_inv \w+: 0x(\w+) 0x(\w+) /, invalidation],
  [
    /^cache_tag_flush_range$/,
    / did (\d+) \[0x(\w+)-0x(\w+)\] addr/,
    ([, did, first, last]) => ({
      operation: 'flush',
      domain: Number(did),
      iova: hex(first),
      size: Number(hex(last) - hex(first)) + 1,
    }),
  ],
];

/** What an event of the kernel says; undefined: nothing is known of it here. */
export function kernelFacts(event: string, payload: string): Facts | undefined {
  for (const [name, pattern, read] of KERNEL) {
    if (!name.test(event)) continue;
    const found = pattern.exec(payload);
    if (found) return read(found);
  }
  return undefined;
}

/** Lines of QEMU's log, without process and time. */
const QEMU: readonly (readonly [RegExp, Read])[] = [
  [
    /^vtd_dmar_translate dev (\w+:\w+)\.(\w+) iova (\w+) -> gpa (\w+) mask (\w+)$/,
    ([, slot = '', fn = '', iova, paddr, mask]) => ({
      operation: 'translate',
      device: `${slot}.${fn}`,
      iova: hex(iova),
      paddr: hex(paddr),
      size: Number(hex(mask)) + 1,
    }),
  ],
  [
    /^vtd_iotlb_page_hit IOTLB page hit sid (\w+) iova (\w+) slpte \w+ domain (\w+)$/,
    ([, , iova, domain]) => ({
      operation: 'translate',
      iova: hex(iova),
      domain: Number(domain),
      flags: ['cached'],
    }),
  ],
  [
    /^vtd_inv_desc_iotlb_pages iotlb invalidate domain (\w+) addr (\w+) mask (\w+)$/,
    ([, domain, iova, mask]) => ({
      operation: 'flush',
      domain: Number(domain),
      iova: hex(iova),
      size: 4096 * 2 ** Number(mask),
    }),
  ],
  [
    /^vtd_inv_desc invalidate desc type p-iotlb high (\w+) low (\w+)$/,
    ([line = '', high = '', low = '']) => invalidation([line, low, high]),
  ],
  [/^vtd_inv_desc_iotlb_global /, () => ({ operation: 'flush', flags: ['global'] })],
  [
    /^vtd_dmar_fault sid \w+ fault \w+ addr (\w+) write (\d)$/,
    ([, iova, write]) => ({ operation: 'fault', iova: hex(iova), flags: [write === '1' ? 'write' : 'read'] }),
  ],
  [
    /^amdvi_translation_result devid: (\S+) gpa (\w+) hpa (\w+)$/,
    ([, device = '', iova, paddr]) => ({
      operation: 'translate',
      device,
      iova: hex(iova),
      paddr: hex(paddr) === 0n ? null : hex(paddr),
    }),
  ],
  [
    /^amdvi_iotlb_hit hit iotlb devid (\S+) gpa (\w+) hpa (\w+)$/,
    ([, device = '', iova, paddr]) => ({
      operation: 'translate',
      device,
      iova: hex(iova),
      paddr: hex(paddr),
      flags: ['cached'],
    }),
  ],
  [
    /^smmuv3_translate_success \S+ sid=\w+ iova=(\w+) translated=(\w+) perm=\w+/,
    ([, iova, paddr]) => ({ operation: 'translate', iova: hex(iova), paddr: hex(paddr) }),
  ],
  [
    /^smmuv3_(?:s1_)?range_inval vmid=\w+ asid=\S+ addr=(\w+) tg=(\w+) num_pages=(\w+) /,
    // TG: 1 is 4K, 2 is 16K, 3 is 64K.
    ([, iova, tg, pages]) => ({
      operation: 'flush',
      iova: hex(iova),
      ...(tg !== '0' && { size: Number(pages) * 4 ** (Number(tg) - 1) * 4096 }),
    }),
  ],
  [
    /^riscv_iommu_dma \S+ translate (\S+) #\w+ (RO|WR) (\w+) -> 0x([1-9a-f]\w*)$/,
    ([, , way, iova, paddr]) => ({
      operation: 'translate',
      iova: hex(iova),
      paddr: hex(paddr),
      flags: [way === 'RO' ? 'read' : 'write'],
    }),
  ],
  [
    /^riscv_iommu_flt \S+ fault \S+ reason: \w+ iova: (\w+)$/,
    ([, iova]) => ({ operation: 'fault', iova: hex(iova) }),
  ],
];

/** A line of QEMU's log: the event, and what is known of it. */
export function qemuLine(line: string): { readonly event: string; readonly facts: Facts } {
  const stamped = /^\d+@([\d.]+):(.*)$/.exec(line);
  const rest = stamped?.[2] ?? line;
  const time = stamped ? { time: nanoseconds(stamped[1] ?? '') } : {};
  for (const [pattern, read] of QEMU) {
    const found = pattern.exec(rest);
    if (found) return { event: rest.slice(0, rest.indexOf(' ')), facts: { ...time, ...read(found) } };
  }
  return { event: rest.split(' ', 1)[0] ?? '', facts: time };
}

/** What a row does not say as the facts do; empty: all is the same. */
export function differences(row: TraceRow, facts: Facts, origin: string): string[] {
  const wrong: string[] = [];
  for (const [name, wanted] of Object.entries(facts)) {
    if (name === 'flags') {
      for (const flag of facts.flags ?? [])
        if (!row.flags.includes(flag)) wrong.push(`flags: ${row.flags.join('|')} without ${flag}`);
      continue;
    }
    const got = valueOf(row, name as keyof Facts, origin);
    if (got !== wanted) wrong.push(`${name}: ${String(got)} for ${String(wanted)}`);
  }
  return wrong;
}

function valueOf(row: TraceRow, name: keyof Facts, origin: string): unknown {
  if (name === 'time') return row.time === null ? null : BigInt(origin) + BigInt(row.time);
  if (name !== 'iova' && name !== 'paddr') return row[name];
  return row[name] === null ? null : BigInt(row[name]);
}
