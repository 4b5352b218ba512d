import { bits } from '../../bits/bitFields';
import { type DeviceDirectory } from '../deviceDirectory';
import { refusal } from '../structures';
import { type SmmuFeatures } from './features';
import { passes } from './lookup';

/** With CR0.SMMUEN clear GBPA decides (IHI 0070 6.3.9, 6.3.14). */
export function offAs(values: ReadonlyMap<string, bigint>, features: SmmuFeatures): DeviceDirectory['off'] {
  const control = values.get('CR0');
  if (control === undefined || bits(control, 0) === 1n) return undefined;
  const bypass = values.get('GBPA');
  if (bypass === undefined) {
    const why = 'Translation is off (CR0.SMMUEN = 0); GBPA is not given, and is taken to let requests pass.';
    return { answer: passes(features), why };
  }
  if (bits(bypass, 20) === 0n) {
    return {
      answer: passes(features),
      why: 'Translation is off (CR0.SMMUEN = 0), and GBPA.ABORT = 0 lets requests pass.',
    };
  }
  const why = 'Translation is off (CR0.SMMUEN = 0), and GBPA.ABORT = 1 aborts every request.';
  return { answer: refusal('translation-blocked', why), why };
}
