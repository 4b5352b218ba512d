import { openDirectory } from '../../engine/directory/index';
import { Machine } from '../../engine/machine/machine';
import { type MachineOperation } from '../../engine/machine/operation';
import { type MachineUnit } from '../../engine/machine/unit';
import { Inspection, type OpenIommu } from '../inspection';
import { withDirectory } from '../openIommu';
import { type InspectionSummary, type OpenMachineParams } from '../protocol';
import { RequestError, refuse } from '../requestError';
import { type Work } from '../work';
import { MachineMemory } from './machineMemory';

/** Steps of a machine between two yields. */
const STEPS_PER_YIELD = 4096;

/** Builds a machine and does again what was done to it. */
export function* openMachine({ inspection, machine: record }: OpenMachineParams): Work<Inspection> {
  return inspectMachine(inspection, yield* buildMachine(record), record.operations);
}

/** Opens a machine as it stands, with the operations that made it so. */
export function inspectMachine(
  inspection: string,
  built: Machine,
  done: readonly MachineOperation[],
): Inspection {
  const operations = [...done];
  const memory = new MachineMemory(built.memory, titleOf(built));
  const iommus = openUnits(built, memory);
  const summary = summaryOf(inspection, memory, iommus);
  return new Inspection(summary, memory, iommus, undefined, { current: built, operations });
}

/** A machine as its record says. What was refused when it was done first is refused again, and changes nothing. */
export function* buildMachine({ version, spec, operations }: OpenMachineParams['machine']): Work<Machine> {
  // Records come from files and journals, which other versions may have written.
  const written: number = version;
  if (written !== 1) {
    const hint = 'Make the machine anew, or use the version of this extension that wrote it.';
    return refuse('machine/version', `This machine was written by version ${written} of the format.`, hint);
  }
  const made = Machine.create(spec);
  if (!made.ok) throw new RequestError(made.failure);
  const machine = made.value;
  let steps = 0;
  const setUp = machine.setUp();
  for (;;) {
    const step = setUp.next();
    if (step.done === true) {
      if (!step.value.ok) throw new RequestError(step.value.failure);
      break;
    }
    if (++steps % STEPS_PER_YIELD === 0) yield { message: 'Mapping guest memory' };
  }
  for (const [index, operation] of operations.entries()) {
    const running = machine.perform(operation);
    for (;;) {
      const step = running.next();
      if (step.done === true) break;
      if (++steps % STEPS_PER_YIELD === 0) {
        yield { message: 'Doing the operations again', fraction: index / operations.length };
      }
    }
  }
  return machine;
}

/** What views are told of a machine as it stands. */
export function renew(inspection: Inspection, machine: Machine): void {
  const memory = new MachineMemory(machine.memory, inspection.memory.name);
  const iommus = openUnits(machine, memory);
  inspection.renew(summaryOf(inspection.summary.inspection, memory, iommus), memory, iommus);
}

const titleOf = ({ spec }: Machine): string => `${spec.vendor} ${spec.memory}`;

const openUnits = (machine: Machine, memory: MachineMemory): OpenIommu[] =>
  machine.units.map((unit) => openUnit(unit, memory));

function openUnit({ name, iommu }: MachineUnit, memory: MachineMemory): OpenIommu {
  const described = { name, kind: iommu.kind, segment: 0, registers: new Map(iommu.registers) };
  return withDirectory(described, openDirectory(iommu.kind, memory, described.registers));
}

function summaryOf(
  inspection: string,
  memory: MachineMemory,
  iommus: readonly OpenIommu[],
): InspectionSummary {
  return {
    inspection,
    image: {
      name: memory.name,
      format: 'emulated machine',
      bytesHeld: BigInt(memory.bytesHeld),
      segments: memory.segments,
      highestAddress: BigInt(memory.highestAddress),
    },
    iommus: iommus.map(({ summary }) => summary),
    problems: [],
    emulated: true,
  };
}
