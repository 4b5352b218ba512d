import assert from 'node:assert/strict';
import { readTrace, rowsOf, said } from '../../../builders/readTrace';

/** A line that makes the file a QEMU log, in front of each. */
const KNOWN = 'vtd_dmar_enable enable 1\n';

/** What the rule for a line's event reads out of it. */
function read(line: string): Record<string, unknown> {
  const index = readTrace(`${KNOWN.repeat(4)}${line}\n`);
  assert.equal(index.rows, 5);
  return said(rowsOf(index)[4]);
}

type Case = readonly [line: string, said: Record<string, unknown>];

function eachReads(cases: readonly Case[]): void {
  for (const [line, facts] of cases) assert.deepEqual(read(line), facts, line);
}

describe('events of QEMU', () => {
  // Lines are those of real guests (see ../../../fixtures/traces), or printed by hand by the formats of QEMU's trace-events.
  it('reads VT-d', () => {
    eachReads([
      [
        'vtd_iotlb_page_update IOTLB page update sid 0x18 iova 0xffffd002 slpte 0x14dd5f003 domain 0x5',
        { operation: 'translate', device: 'sid 0x18', iova: '0xffffd002', paddr: '0x14dd5f000', domain: 5 },
      ],
      [
        // A first-level entry with XD: no bit above 51 is an address.
        'vtd_iotlb_page_update IOTLB page update sid 0x18 iova 0xffffd002 slpte 0x800000014dd5f067 domain 0x5',
        { operation: 'translate', device: 'sid 0x18', iova: '0xffffd002', paddr: '0x14dd5f000', domain: 5 },
      ],
      [
        'vtd_iotlb_page_hit IOTLB page hit sid 0x38 iova 0x3ff000 slpte 0x7c800083 domain 0x2',
        {
          operation: 'translate',
          device: 'sid 0x38',
          iova: '0x3ff000',
          paddr: '0x7c800000',
          domain: 2,
          flags: 'cached',
        },
      ],
      [
        'vtd_dmar_translate dev 00:03.00 iova 0x40000000 -> gpa 0x140000000 mask 0x3fffffff',
        {
          operation: 'translate',
          device: '00:03.00',
          iova: '0x40000000',
          paddr: '0x140000000',
          size: 2 ** 30,
        },
      ],
      [
        'vtd_dmar_fault sid 0x38 fault 113 addr 0x5004 write 1',
        { operation: 'fault', device: 'sid 0x38', iova: '0x5004', count: 113, flags: 'write' },
      ],
      [
        'vtd_frr_new index 0 high 0x40ffff0600000038 low 0x5000',
        { operation: 'fault', device: 'sid 0x38', iova: '0x5000', count: 6, flags: 'read' },
      ],
      [
        // PP and a PASID; T is 0, a write.
        'vtd_frr_new index 0 high 0x7180000038 low 0x3000000000',
        {
          operation: 'fault',
          device: 'sid 0x38',
          iova: '0x3000000000',
          pasid: 0,
          count: 0x71,
          flags: 'write',
        },
      ],
      ['vtd_inv_desc_iotlb_global iotlb invalidate global', { operation: 'flush', flags: 'global' }],
      [
        'vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x9',
        { operation: 'flush', domain: 9, flags: 'domainWide' },
      ],
      [
        'vtd_inv_desc_iotlb_pages iotlb invalidate domain 0x5 addr 0xffff8000 mask 0x9',
        { operation: 'flush', iova: '0xffe00000', size: 2 ** 21, domain: 5 },
      ],
      [
        'vtd_inv_desc_iotlb_pages iotlb invalidate domain 0x5 addr 0x7ffffffffffff000 mask 0x3f',
        { operation: 'flush', iova: '0x7ffffffffffff000', domain: 5, flags: 'domainWide' },
      ],
      [
        'vtd_inv_desc_iotlb_pasid_pages iotlb invalidate domain 0x5 addr 0xffff8000 mask 0x0 pasid 0x7',
        { operation: 'flush', iova: '0xffff8000', size: 4096, domain: 5, pasid: 7 },
      ],
      [
        'vtd_inv_desc_iotlb_pasid iotlb invalidate domain 0x5 pasid 0x7',
        { operation: 'flush', domain: 5, pasid: 7, flags: 'domainWide' },
      ],
      ['vtd_inv_desc invalidate desc type iec high 0x0 low 0x4', { operation: 'other' }],
      ['vtd_inv_desc invalidate desc type wait high 0x1052c04 low 0x200000025', { operation: 'other' }],
      [
        'vtd_iotlb_reset IOTLB reset (reason: iotlb exceeds size limit)',
        { operation: 'other', flags: 'global' },
      ],
      [
        'vtd_switch_address_space Device 00:07.0 switching address space (iommu enabled=1)',
        { operation: 'other', device: '00:07.0', flags: 'on' },
      ],
      [
        'vtd_translate_pt source id 0x38, iova 0x51234004',
        { operation: 'translate', device: 'sid 0x38', iova: '0x51234004', paddr: '0x51234004' },
      ],
    ]);
  });

  it('reads invalidation descriptors of VT-d by their words', () => {
    eachReads([
      [
        // PASID-based, page-selective: G 3, DID 5, PASID 0, AM 0, IH.
        'vtd_inv_desc invalidate desc type p-iotlb high 0xffff8040 low 0x50036',
        { operation: 'flush', iova: '0xffff8000', size: 4096, domain: 5, pasid: 0, flags: 'stage1' },
      ],
      [
        // G 2: all of PASID 0x12.
        'vtd_inv_desc invalidate desc type p-iotlb high 0x0 low 0x1200050026',
        { operation: 'flush', domain: 5, pasid: 0x12, flags: 'stage1|domainWide' },
      ],
      ['vtd_inv_desc invalidate desc type iotlb high 0x0 low 0x12', { operation: 'flush', flags: 'global' }],
      [
        'vtd_inv_desc invalidate desc type iotlb high 0x0 low 0x700f2',
        // AM 0 of domain 7: DR and DW are set.
        { operation: 'flush', iova: '0x0', size: 4096, domain: 7 },
      ],
      ['vtd_inv_desc invalidate desc type context-cache high 0x0 low 0x11', { operation: 'other' }],
    ]);
  });

  it('reads AMD-Vi', () => {
    eachReads([
      [
        'amdvi_cache_update  update iotlb domid 0x4 devid: 00:04.0 gpa 0xffffd002 hpa 0x148876000',
        { operation: 'translate', device: '00:04.0', iova: '0xffffd002', paddr: '0x148876000', domain: 4 },
      ],
      [
        'amdvi_iotlb_hit hit iotlb devid 00:04.0 gpa 0xffffd002 hpa 0x148876000',
        {
          operation: 'translate',
          device: '00:04.0',
          iova: '0xffffd002',
          paddr: '0x148876000',
          flags: 'cached',
        },
      ],
      [
        'amdvi_translation_result devid: 00:04.0 gpa 0xffffd002 hpa 0x148876000',
        { operation: 'translate', device: '00:04.0', iova: '0xffffd002', paddr: '0x148876000' },
      ],
      [
        'amdvi_translation_result devid: 00:07.0 gpa 0x5000 hpa 0x0',
        { operation: 'translate', device: '00:07.0', iova: '0x5000', flags: 'failed' },
      ],
      [
        'amdvi_pages_inval AMD-Vi pages for domain 0x1 invalidated',
        { operation: 'flush', domain: 1, flags: 'domainWide' },
      ],
      [
        'amdvi_all_inval Invalidation of all AMD-Vi cache requested ',
        { operation: 'flush', flags: 'global' },
      ],
      ['amdvi_iotlb_reset IOTLB exceed size limit - reset ', { operation: 'other', flags: 'global' }],
      [
        'amdvi_devtab_inval device table entry for devid: 00:00.1 invalidated',
        { operation: 'other', device: '00:00.1' },
      ],
      [
        'amdvi_page_fault error: page fault accessing guest physical address 0x5000',
        { operation: 'fault', iova: '0x5000' },
      ],
      ['amdvi_control_status MMIO_STATUS state 0x0', { operation: 'other' }],
    ]);
  });

  it('reads SMMUv3 as 7.2 and as 10.0 print it', () => {
    const page = { operation: 'other', iova: '0xfffff000', paddr: '0x8090000', flags: 'stage1' };
    const name = 'smmuv3-iommu-memory-region-8-1';
    const translated = { operation: 'translate', device: 'sid 0x8', iova: '0xfffff040', paddr: '0x8090040' };
    eachReads([
      [
        `smmuv3_translate_success ${name} sid=0x8 iova=0xfffff040 translated=0x8090040 perm=0x3`,
        { ...translated, flags: 'read|write' },
      ],
      [
        `smmuv3_translate_success ${name} sid=0x8 iova=0xfffff040 translated=0x8090040 perm=0x1 stage=2`,
        { ...translated, flags: 'read|stage2' },
      ],
      [
        `smmuv3_translate_success ${name} sid=0x8 iova=0xfffff040 translated=0x8090040 perm=0x2 stage=3`,
        { ...translated, flags: 'write|stage1|stage2' },
      ],
      [
        `smmuv3_translate_bypass ${name} sid=0x8 STE bypass iova:0x8090040 is_write=1`,
        { ...translated, iova: '0x8090040', flags: 'write' },
      ],
      [
        `smmuv3_translate_abort ${name} sid=0x8 abort on iova:0x8090040 is_write=0`,
        { operation: 'fault', device: 'sid 0x8', iova: '0x8090040', flags: 'read' },
      ],
      [
        'smmuv3_record_event SMMU_EVT_F_PERMISSION sid=0x38',
        { operation: 'fault', device: 'sid 0x38', count: 0x13 },
      ],
      [
        'smmuv3_s1_range_inval vmid=0 asid=2 addr=0xffff6000 tg=1 num_pages=0x10 ttl=3 leaf=1',
        { operation: 'flush', iova: '0xffff6000', size: 65_536, domain: 2, flags: 'stage1' },
      ],
      [
        'smmuv3_range_inval vmid=0 asid=2 addr=0xfffe4000 tg=2 num_pages=0x2 ttl=3 leaf=1 stage=1',
        { operation: 'flush', iova: '0xfffe4000', size: 32_768, domain: 2, flags: 'stage1' },
      ],
      [
        // Second stage: no ASID.
        'smmuv3_range_inval vmid=3 asid=-1 addr=0xfffe0000 tg=3 num_pages=0x1 ttl=3 leaf=1 stage=2',
        { operation: 'flush', iova: '0xfffe0000', size: 65_536, domain: 3, flags: 'stage2' },
      ],
      [
        // TG 0: one page of whatever size.
        'smmuv3_range_inval vmid=0 asid=2 addr=0xfffe4000 tg=0 num_pages=0x1 ttl=0 leaf=0 stage=1',
        { operation: 'flush', iova: '0xfffe4000', size: 4096, domain: 2, flags: 'stage1' },
      ],
      ['smmuv3_cmdq_tlbi_nh ', { operation: 'flush', flags: 'global' }],
      ['smmuv3_cmdq_tlbi_nh vmid=0', { operation: 'flush', flags: 'global' }],
      ['smmuv3_cmdq_tlbi_nh_asid asid=2', { operation: 'flush', domain: 2, flags: 'stage1|domainWide' }],
      ['smmuv3_cmdq_tlbi_s12_vmid vmid=4', { operation: 'flush', domain: 4, flags: 'domainWide' }],
      ['smmuv3_cmdq_cfgi_ste streamid= 0x8', { operation: 'other', device: 'sid 0x8' }],
      ['smmuv3_cmdq_cfgi_cd sid=0x8', { operation: 'other', device: 'sid 0x8' }],
      ['smmuv3_find_ste sid=0x8 features:0x1, sid_split:0x8', { operation: 'other', device: 'sid 0x8' }],
      ['smmu_iotlb_inv_all IOTLB invalidate all', { operation: 'flush', flags: 'global' }],
      [
        'smmu_iotlb_inv_asid_vmid IOTLB invalidate asid=2 vmid=0',
        { operation: 'flush', domain: 2, flags: 'domainWide' },
      ],
      [
        'smmu_ptw_level level=1 iova=0xfffff000 subpage_sz=0x40000000 baseaddr=0x10d54a000 offset=3 => pte=0x108c19003',
        { operation: 'other', iova: '0xfffff000' },
      ],
      [
        'smmu_ptw_level stage=1 level=0 iova=0xffffc040 subpage_sz=0x800000000000 baseaddr=0x10afe4000 offset=0 => pte=0x10ae50003',
        { operation: 'other', iova: '0xffffc040', flags: 'stage1' },
      ],
      [
        'smmu_ptw_page_pte stage=1 level=3 iova=0xfffff000 base@=0x10d50a000 pte@=0x10d50aff8 pte=0x60000008090e4b page address = 0x8090000',
        page,
      ],
      [
        'smmu_ptw_block_pte stage=2 level=2 base@=0x10e11a000 pte@=0x10e11a010 pte=0x10a00077d iova=0x5a5000 block address = 0x10a000000 block size = 2 MiB',
        { operation: 'other', iova: '0x5a5000', paddr: '0x10a000000', size: 2 ** 21, flags: 'stage2' },
      ],
      [
        'smmu_iotlb_lookup_hit IOTLB cache HIT asid=2 addr=0x10000 hit=1 miss=1 hit rate=50',
        { operation: 'other', iova: '0x10000', domain: 2, flags: 'cached' },
      ],
      [
        'smmu_iotlb_lookup_miss IOTLB cache MISS asid=1 vmid=0 addr=0xfffff040 hit=0 miss=1 hit rate=0',
        { operation: 'other', iova: '0xfffff040', domain: 1 },
      ],
    ]);
  });

  it('reads RISC-V', () => {
    eachReads([
      [
        'riscv_iommu_dma (null): translate 0000:06.0 #0 RO 0x20000 -> 0x10b77f000',
        { operation: 'translate', device: '0000:06.0', iova: '0x20000', paddr: '0x10b77f000', flags: 'read' },
      ],
      [
        'riscv_iommu_dma iommu0: translate 0000:06.0 #12 WR 0x20000 -> 0x10b77f000',
        {
          operation: 'translate',
          device: '0000:06.0',
          iova: '0x20000',
          paddr: '0x10b77f000',
          pasid: 12,
          flags: 'write',
        },
      ],
      [
        'riscv_iommu_dma (null): translate 0000:06.0 #0 RO 0x5000 -> 0x0',
        { operation: 'translate', device: '0000:06.0', iova: '0x5000', flags: 'read|failed' },
      ],
      [
        'riscv_iommu_flt (null): fault 0000:06.0 reason: 0x300d0000000d iova: 0x5000',
        { operation: 'fault', device: '0000:06.0', iova: '0x5000', pasid: 0, count: 13, flags: 'read' },
      ],
      [
        // IOTINVAL.VMA with AV and PSCV, PSCID 9; bits 63:10 of the second word are address bits 63:12.
        'riscv_iommu_cmd (null): command 0x100009401 0x3fffe400',
        { operation: 'flush', iova: '0xffff9000', size: 4096, domain: 9, flags: 'stage1' },
      ],
      [
        'riscv_iommu_cmd (null): command 0x100001001 0x0',
        { operation: 'flush', domain: 1, flags: 'stage1|domainWide' },
      ],
      ['riscv_iommu_cmd (null): command 0x1 0x0', { operation: 'flush', flags: 'stage1|global' }],
      ['riscv_iommu_cmd (null): command 0x3002 0x0', { operation: 'other' }],
      ['riscv_iommu_cmd (null): command 0x300200000003 0x0', { operation: 'other' }],
      ['riscv_iommu_new (null): device attached 0000:06.0', { operation: 'other', device: '0000:06.0' }],
    ]);
  });

  it('reads vfio and iommufd', () => {
    const range = { iova: '0x100000000', size: 2 ** 21 };
    eachReads([
      [
        'vfio_listener_region_add_ram region_add [ram] 0x100000000 - 0x1001fffff [0x7f1234000000]',
        { operation: 'map', ...range },
      ],
      ['vfio_listener_region_del region_del 0x100000000 - 0x1001fffff', { operation: 'unmap', ...range }],
      ['vfio_iommu_map_notify iommu MAP @ 0x100000000 - 0x1001fffff', { operation: 'map', ...range }],
      ['vfio_iommu_map_notify iommu UNMAP @ 0x100000000 - 0x1001fffff', { operation: 'unmap', ...range }],
      [
        'vfio_iommu_map_notify iommu UNMAP @ 0x0 - 0xffffffffffffffff',
        { operation: 'unmap', iova: '0x0', flags: 'domainWide' },
      ],
      [
        'vfio_get_dirty_bitmap container fd=21, iova=0x100000000 size= 0x200000 bitmap_size=0x40 start=0x100000000',
        { operation: 'dirty', ...range },
      ],
      [
        'vfio_get_dirty_bitmap iova=0x100000000 size= 0x200000 bitmap_size=0x40 start=0x100000000 dirty_pages=17',
        { operation: 'dirty', ...range, count: 17 },
      ],
      [
        'vfio_container_query_dirty_bitmap iova=0x100000000 size=0x200000 backend_flag=0x0 bitmap_size=0x40 gpa=0x100000000 dirty_pages=17',
        { operation: 'dirty', ...range, count: 17 },
      ],
      [
        'vfio_device_dirty_tracking_start nr_ranges 2 32:[0x0 - 0xbfffffff], 64:[0x100000000 - 0x13fffffff], pci64:[0xffffffffffffffff - 0x0]',
        { operation: 'track', iova: '0x0', size: 0xc000_0000, flags: 'list|on' },
      ],
      [
        'vfio_migration_set_device_state  (0000:65:00.0) state STOP_COPY',
        { operation: 'track', device: '0000:65:00.0' },
      ],
      [
        'vfio_attach_device  (0000:65:00.0) group 13',
        { operation: 'attach', device: '0000:65:00.0', count: 13 },
      ],
      [
        'iommufd_backend_map_dma  iommufd=9 ioas=2 iova=0x100000000 size=0x200000 addr=0x7f1234000000 readonly=0 (0)',
        { operation: 'map', ...range, domain: 2, flags: 'read|write' },
      ],
      [
        'iommufd_backend_map_dma  iommufd=9 ioas=2 iova=0x100000000 size=0x200000 addr=(nil) readonly=1 (-1)',
        { operation: 'map', ...range, domain: 2, flags: 'read|failed' },
      ],
      [
        'iommufd_backend_unmap_dma  iommufd=9 ioas=2 iova=0x100000000 size=0x200000 (0)',
        { operation: 'unmap', ...range, domain: 2 },
      ],
      [
        'iommufd_backend_set_dirty  iommufd=9 hwpt=3 enable=1 (0)',
        { operation: 'track', domain: 3, flags: 'on' },
      ],
      [
        'iommufd_backend_get_dirty_bitmap  iommufd=9 hwpt=3 iova=0x100000000 size=0x200000 flags=0x0 page_size=0x1000 (0)',
        { operation: 'dirty', ...range, domain: 3 },
      ],
      [
        'iommufd_cdev_attach_ioas_hwpt  [iommufd=9] Successfully attached device 0000:65:00.0 (21) to id=3',
        { operation: 'attach', device: '0000:65:00.0', domain: 3 },
      ],
    ]);
  });

  it('reads the virtual IOMMU and migrations', () => {
    const range = { iova: '0x100000000', size: 2 ** 21, domain: 2 };
    eachReads([
      [
        'virtio_iommu_map domain=2 virt_start=0x100000000 virt_end=0x1001fffff phys_start=0x40000000 flags=3',
        { operation: 'map', ...range, paddr: '0x40000000', flags: 'read|write' },
      ],
      [
        'virtio_iommu_unmap domain=2 virt_start=0x100000000 virt_end=0x1001fffff',
        { operation: 'unmap', ...range },
      ],
      ['virtio_iommu_attach domain=2 endpoint=24', { operation: 'attach', domain: 2, device: 'sid 0x18' }],
      ['migrate_set_state new state active', { operation: 'track' }],
      ['global_dirty_changed bitmask 0x1', { operation: 'track', flags: 'on' }],
      ['global_dirty_changed bitmask 0x0', { operation: 'track' }],
      ['migration_bitmap_sync_end dirty_pages 4711', { operation: 'dirty', count: 4711 }],
    ]);
  });

  it('keeps a line whose payload is not that of its event as unknown, with nothing read out of it', () => {
    const line =
      'vtd_dmar_translate dev 00:03.00 iova 0xffffd000 -> gpa 0x14dd5f000 mask 0xfffvtd_dmar_fault sid';
    assert.deepEqual(read(line), { operation: 'unknown' });
    assert.deepEqual(read('vtd_dmar_fault sid 0x38 fault 6'), { operation: 'unknown' });
    assert.deepEqual(read('vfio_listener_region_del region_del 0x2000 - 0x1000'), { operation: 'unknown' });
  });

  it('takes what a later version prints behind', () => {
    const line = 'vtd_dmar_fault sid 0x38 fault 6 addr 0x5004 write 1 pasid 0x7';
    assert.equal(read(line)['operation'], 'fault');
  });
});
