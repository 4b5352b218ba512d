import { sizedAddress } from '../../../iommu/vendors/ranges';
import { VTD_GRANULARITY, vtdCommands } from '../../../iommu/vendors/vtd/commands';
import { type VtdCapabilities } from '../../capabilities/vtd';
import { addressOf, EVERY_ORDER, type Block } from '../common/ranges';
import { type Use } from '../common/uses';
import { type EncodedCommand } from '../common/encodedCommand';

/** Requests without a PASID have this one (RID_PASID). */
export const RID_PASID = 0;
export const pasidOf = ({ pasid }: Use): number => pasid ?? RID_PASID;

/** The descriptors that the driver uses (VT-d 4.1 §6.5.2). */
export class VtdInvalidations {
  readonly #capabilities: VtdCapabilities;

  constructor(capabilities: VtdCapabilities) {
    this.#capabilities = capabilities;
  }

  everything(): EncodedCommand[] {
    const contexts = vtdCommands.contextCache({ G: VTD_GRANULARITY.global });
    const iotlb = vtdCommands.iotlb({ G: VTD_GRANULARITY.global, ...this.#drains() });
    return [
      named('context-cache', contexts),
      ...(this.#capabilities.scalable ? [this.everyPasidEntry()] : []),
      named('iotlb', iotlb),
    ];
  }

  context({ requester }: Use, did: number): EncodedCommand {
    return named(
      'context-cache',
      vtdCommands.contextCache({ G: VTD_GRANULARITY.device, SID: requester, DID: did }),
    );
  }

  everyPasidEntry(): EncodedCommand {
    return named('pasid-cache', vtdCommands.pasidCache({ G: VTD_GRANULARITY.pasidCacheGlobal }));
  }

  pasidEntry(use: Use, did: number): EncodedCommand {
    const words = vtdCommands.pasidCache({
      G: VTD_GRANULARITY.pasidCachePasid,
      DID: did,
      PASID: pasidOf(use),
    });
    return named('pasid-cache', words);
  }

  /** All of a domain; of a first stage only what one PASID has there. */
  domain(did: number): EncodedCommand {
    return named('iotlb', vtdCommands.iotlb({ G: VTD_GRANULARITY.domain, DID: did, ...this.#drains() }));
  }

  pasid(did: number, pasid: number): EncodedCommand {
    return named(
      'pasid-iotlb',
      vtdCommands.pasidIotlb({ G: VTD_GRANULARITY.pasidAll, DID: did, PASID: pasid }),
    );
  }

  /** `leaves`: table pointers may stay (IH). What is too large for one descriptor takes the whole domain. */
  domainPages(did: number, { startPage, order }: Block, leaves: boolean): EncodedCommand {
    const { pageSelective, mostAddressMask } = this.#capabilities;
    if (!pageSelective || order > mostAddressMask) return this.domain(did);
    const inputs = { G: VTD_GRANULARITY.page, DID: did, AM: order, IH: leaves, ADDR: addressOf(startPage) };
    return named('iotlb', vtdCommands.iotlb({ ...inputs, ...this.#drains() }));
  }

  pasidPages(did: number, pasid: number, { startPage, order }: Block, leaves: boolean): EncodedCommand {
    const { mostAddressMask } = this.#capabilities;
    if (order > mostAddressMask) return this.pasid(did, pasid);
    const where = { AM: order, IH: leaves, ADDR: addressOf(startPage) };
    const words = vtdCommands.pasidIotlb({ G: VTD_GRANULARITY.pasidPage, DID: did, PASID: pasid, ...where });
    return named('pasid-iotlb', words);
  }

  /** Null: every page. */
  deviceTlb({ requester, pasid }: Use, block: Block | null): EncodedCommand {
    const { startPage, order } = block ?? { startPage: 0, order: EVERY_ORDER };
    const address = addressOf(startPage);
    const range = order === 0 ? { ADDR: address } : { S: true, ADDR: sizedAddress(address, order) };
    return pasid === null
      ? named('device-tlb', vtdCommands.deviceTlb({ SID: requester, ...range }))
      : named('pasid-device-tlb', vtdCommands.pasidDeviceTlb({ SID: requester, PASID: pasid, ...range }));
  }

  #drains() {
    return { DR: this.#capabilities.drainsReads, DW: this.#capabilities.drainsWrites };
  }
}

const named = (name: string, words: readonly bigint[]): EncodedCommand => ({ name, words });
