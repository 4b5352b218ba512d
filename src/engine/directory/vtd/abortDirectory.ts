import {
  type DeviceDirectory,
  type DirectoryDevice,
  type DirectoryLookup,
  type Register,
} from '../deviceDirectory';
import { type Fault } from '../../faults';
import { refusal } from '../structures';
import { vtdFaultCode } from './faultCodes';
import { translationOff, VTD_INTERRUPT_WINDOW, VTD_WORDS, vtdRegisters } from './registers';

const WHY = 'RTADDR.TTM = 3 (abort-DMA mode): every request is blocked.';
const HINT = 'Firmware and crash kernels set this mode; no tables are read in it.';

/** Abort-DMA mode (RTADDR.TTM = 11): no request passes, and RTADDR points to no table. */
export class VtdAbortDirectory implements DeviceDirectory {
  readonly mode = 'VT-d abort DMA';
  readonly interruptWindow = VTD_INTERRUPT_WINDOW;
  readonly words = VTD_WORDS;
  readonly registers: readonly Register[];
  readonly off: NonNullable<DeviceDirectory['off']>;

  constructor(values: ReadonlyMap<string, bigint>) {
    this.registers = vtdRegisters(values);
    this.off = translationOff(values) ?? {
      answer: refusal('translation-blocked', WHY, HINT),
      why: WHY,
    };
  }

  lookup(): DirectoryLookup {
    return { answer: this.off.answer, entries: [] };
  }

  problems() {
    return [];
  }

  *devices(): Generator<DirectoryDevice | undefined> {
    // There are no tables that could name devices.
  }

  layouts() {
    return [];
  }

  titleOf() {
    return { title: 'Entry', section: 'VT-d 4.1 §3.4.4' };
  }

  faultCode(fault: Fault, access: 'read' | 'write', stage: 1 | 2 | null): string | undefined {
    return vtdFaultCode('scalable', fault, access, stage);
  }
}
