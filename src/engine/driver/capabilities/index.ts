import { failure, type Result } from '../../result';
import { type RegisterFile } from '../../iommu/vendor';
import { AMD_DEFAULTS, AMD_RULES, amdRegistersOf, type AmdCapabilities } from './amd';
import { keepRules } from './rule';
import { RISCV_DEFAULTS, RISCV_RULES, riscvRegistersOf, type RiscvCapabilities } from './riscv';
import { SMMUV3_DEFAULTS, SMMUV3_RULES, smmuv3RegistersOf, type Smmuv3Capabilities } from './smmuv3';
import { VTD_DEFAULTS, VTD_RULES, vtdRegistersOf, type VtdCapabilities } from './vtd';

/** What the IOMMU of a machine can do: plain values that go into JSON and back. */
export type MachineCapabilities = VtdCapabilities | AmdCapabilities | Smmuv3Capabilities | RiscvCapabilities;
export type CapabilitiesOf<Vendor extends MachineCapabilities['vendor']> = Extract<
  MachineCapabilities,
  { vendor: Vendor }
>;

const DEFAULTS: { readonly [Vendor in MachineCapabilities['vendor']]: CapabilitiesOf<Vendor> } = {
  'vt-d': VTD_DEFAULTS,
  'amd-vi': AMD_DEFAULTS,
  smmuv3: SMMUV3_DEFAULTS,
  riscv: RISCV_DEFAULTS,
};

/** The capabilities of a large, current machine of a vendor. */
export function defaultCapabilities<Vendor extends MachineCapabilities['vendor']>(
  vendor: Vendor,
): CapabilitiesOf<Vendor> {
  return DEFAULTS[vendor];
}

/** Refuses what no hardware of the vendor is: the first rule that is broken, with its specification and section. */
export function checkCapabilities(capabilities: MachineCapabilities): Result<MachineCapabilities> {
  switch (capabilities.vendor) {
    case 'vt-d':
      return keepRules(capabilities, VTD_RULES);
    case 'amd-vi':
      return keepRules(capabilities, AMD_RULES);
    case 'smmuv3':
      return keepRules(capabilities, SMMUV3_RULES);
    case 'riscv':
      return keepRules(capabilities, RISCV_RULES);
  }
}

/**
 * The defaults of a vendor with some of them changed, as JSON may say it (lists also as text, `3,4`): refuses names that the vendor has not, values of
 * another type, and combinations that no hardware has.
 */
export function makeCapabilities(
  vendor: MachineCapabilities['vendor'],
  changes: Readonly<Record<string, unknown>> = {},
): Result<MachineCapabilities> {
  const defaults = new Map<string, unknown>(Object.entries(DEFAULTS[vendor]));
  const read: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(changes)) {
    const known = defaults.get(name);
    if (known === undefined || name === 'vendor') {
      const names = [...defaults.keys()].filter((key) => key !== 'vendor').join(', ');
      return failure(
        'capabilities/unknown',
        `${name} is no capability of ${vendor}.`,
        `Its capabilities are ${names}.`,
      );
    }
    const value = listOf(known, given);
    if (!hasTypeOf(known, value)) {
      const kind = Array.isArray(known) ? `a list of ${typeof known[0]}s` : `a ${typeof known}`;
      return failure('capabilities/type', `${name} is ${JSON.stringify(given)}, and it takes ${kind}.`);
    }
    read[name] = value;
  }
  return checkCapabilities({ ...DEFAULTS[vendor], ...read });
}

/** A list that came as text, as the kind of values that the known one has. */
function listOf(known: unknown, given: unknown): unknown {
  if (!Array.isArray(known) || typeof given !== 'string') return given;
  const parts = given
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return typeof known[0] === 'number' ? parts.map(Number) : parts;
}

function hasTypeOf(known: unknown, value: unknown): boolean {
  if (!Array.isArray(known)) return typeof value === typeof known;
  return Array.isArray(value) && value.every((one) => typeof one === typeof known[0] && !Number.isNaN(one));
}

/** The registers of such an IOMMU after reset, by the names of its specification. */
export function registersOf(capabilities: MachineCapabilities): RegisterFile {
  switch (capabilities.vendor) {
    case 'vt-d':
      return vtdRegistersOf(capabilities);
    case 'amd-vi':
      return amdRegistersOf(capabilities);
    case 'smmuv3':
      return smmuv3RegistersOf(capabilities);
    case 'riscv':
      return riscvRegistersOf(capabilities);
  }
}

/** Whether table walks see what the CPU wrote without its being written back. */
export function walksCoherently(capabilities: MachineCapabilities): boolean {
  return capabilities.vendor === 'vt-d' && capabilities.scalable
    ? capabilities.coherentScalable
    : capabilities.coherent;
}
