import { formatRequester, hex, requesterId } from '../values';
import { type Writer } from './accessObserver';

/** `device 00:02.0 behind iommu0`, `vCPU 1`, `vhost`, `the walker of iommu0`. */
export function writerText(writer: Writer): string {
  switch (writer.kind) {
    case 'device': {
      const process = writer.pasid === null ? '' : ` (PASID ${hex(writer.pasid)})`;
      return `device ${formatRequester(requesterId(writer.requester))}${process} behind ${writer.iommu}`;
    }
    case 'vcpu':
      return `vCPU ${writer.vcpu}`;
    case 'host':
      return writer.name;
    case 'walker':
      return `the walker of ${writer.iommu}`;
  }
}

export const pagesText = (startPage: number, endPage: number): string =>
  endPage - startPage === 1 ? `Page ${hex(startPage)}` : `Pages ${hex(startPage)} to ${hex(endPage - 1)}`;
