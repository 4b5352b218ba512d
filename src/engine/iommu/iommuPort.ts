import { type EmulatedKind, type RegisterFile } from './vendor';

/** What software sees of an IOMMU: registers and a doorbell. Everything else is in memory. */
export interface IommuPort {
  readonly name: string;
  readonly kind: EmulatedKind;
  /** Live; software writes through `writeRegister` only. */
  readonly registers: RegisterFile;
  /** One access to a register, with its effect: switching translation on, moving a queue's tail, clearing an error. */
  writeRegister(name: string, value: bigint): void;
}
