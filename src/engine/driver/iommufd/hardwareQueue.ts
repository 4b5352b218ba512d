import { type Access } from './access';
import { type AddressRange } from './ranges';

/** A command queue in guest memory that hardware reads by itself. Its memory stays pinned and mapped. */
export interface HardwareQueue<Owner> {
  readonly kind: 'hwqueue';
  readonly id: number;
  users: number;
  readonly type: number;
  readonly viommu: Owner;
  /** Among the queues of the vIOMMU. */
  readonly index: number;
  /** Guest physical. */
  readonly range: AddressRange;
  readonly access: Access;
  /** Physical address of the first command. */
  readonly base: number;
}
