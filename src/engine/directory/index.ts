import { failure, type Result } from '../result';
import { type PhysicalMemory } from '../memory/physicalMemory';
import { type DeviceDirectory, type DirectoryKind } from './deviceDirectory';
import { amd } from './amd';
import { ept } from './ept';
import { riscv } from './riscv';
import { smmuv3 } from './smmuv3';
import { vtd } from './vtd';

/** Every kind that can be read; adding one adds a folder and a line. */
const KINDS: readonly DirectoryKind[] = [vtd, amd, riscv, smmuv3, ept];

/** Opens the device directory of an IOMMU of this kind. Fails when the kind or its mode cannot be read. */
export function openDirectory(
  kind: string,
  memory: PhysicalMemory,
  registers: ReadonlyMap<string, bigint>,
): Result<DeviceDirectory> {
  const found = KINDS.find((candidate) => candidate.kind === kind);
  if (found) return found.open(memory, registers);
  const known = KINDS.map((candidate) => candidate.kind).join(', ');
  return failure(
    'directory/kind-not-read',
    `IOMMUs of kind ${kind} cannot be read yet; this version reads ${known}.`,
    'The other IOMMUs of the description are read all the same.',
  );
}
