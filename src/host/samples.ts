import * as vscode from 'vscode';

/** The images that come with the extension. Listed here because not every host can list the extension's folder. */
export interface Sample {
  /** `samples/NAME.iopte.json`; of a trace the file's name. */
  readonly name: string;
  readonly detail: string;
}

export const samples = (): readonly Sample[] => [
  {
    name: 'vtd-4level',
    detail: vscode.l10n.t('Intel VT-d, 48-bit domains through 4 levels, 4K and 2M pages'),
  },
  {
    name: 'vtd-3level-1g',
    detail: vscode.l10n.t('Intel VT-d, 39-bit domains through 3 levels, pages of 4K, 2M and 1G'),
  },
  {
    name: 'vtd-scalable',
    detail: vscode.l10n.t('Intel VT-d in scalable mode, first-stage tables with accessed and dirty bits'),
  },
  {
    name: 'amd-v1',
    detail: vscode.l10n.t('AMD-Vi, v1 tables with pages of every size, write-only pages'),
  },
  {
    name: 'smmuv3-two-stages',
    detail: vscode.l10n.t('Arm SMMUv3, stage 1 for the kernel, stage 2 for a device in user space'),
  },
  {
    name: 'riscv-sv57',
    detail: vscode.l10n.t('RISC-V IOMMU, Sv57 tables with 64K pages'),
  },
  {
    name: 'smmuv3-nested',
    detail: vscode.l10n.t('Arm SMMUv3, both stages: built from the specification, not captured'),
  },
  {
    name: 'vtd-passthrough',
    detail: vscode.l10n.t('Intel VT-d, ten devices in pass-through and one with a domain'),
  },
  {
    name: 'vtd-incomplete',
    detail: vscode.l10n.t('Intel VT-d, a dump that lost three of its table pages'),
  },
];

/** The traces that come with the extension: `samples/traces/NAME`. */
export const traceSamples = (): readonly Sample[] => [
  {
    name: 'vtd-boot.ftrace.txt.gz',
    detail: vscode.l10n.t(
      'Trace: maps and unmaps of a guest with VT-d from its boot on, without device names',
    ),
  },
  {
    name: 'vtd-dma.ftrace.txt.gz',
    detail: vscode.l10n.t('Trace: a copy from disk to disk with the DMA API’s events, which name devices'),
  },
  {
    name: 'vtd-qemu.log.gz',
    detail: vscode.l10n.t('Trace: what QEMU logs of its emulated VT-d'),
  },
  {
    name: 'vtd-dmesg.txt',
    detail: vscode.l10n.t('Trace: a kernel log with DMA faults of VT-d'),
  },
];
