import { writeDescription } from '../../image/description/write';
import { writeElfCore } from '../../image/write/elfCore';
import { FRAME_BYTES, formatSize } from '../../engine/values';
import { type Arena } from '../../engine/memory/arena';
import { REGISTERS, type IommuKind } from '../../image/description/registers';
import { type Inspection } from '../inspection';
import { refuse } from '../requestError';
import { type ResultOf } from '../protocol';
import { MachineMemory } from './machineMemory';

/** An image beyond this does not go through a message. */
const MOST_BYTES = 2 ** 30;

/** A machine's memory as an ELF core, and the description that opens it again. */
export function saveMachine(inspection: Inspection, name: string): ResultOf<'saveMachine'> {
  const memory = arenaOf(inspection);
  const frames = [...memory.heldFrames()].sort((one, other) => one - other);
  const hint = 'Make a smaller machine, or one with larger pages.';
  if (frames.length * FRAME_BYTES > MOST_BYTES) {
    const size = formatSize(Math.ceil((frames.length * FRAME_BYTES) / 2 ** 20) * 2 ** 20);
    return refuse(
      'machine/too-large',
      `The tables of this machine take ${size}, too much for one image.`,
      hint,
    );
  }
  const image = writeElfCore(frames, (frame) => memory.readFrame(frame));
  if (!image) return refuse('machine/too-scattered', 'The frames of this machine lie too far apart.', hint);
  const iommus = inspection.iommus.map(({ described }) => ({
    ...described,
    registers: describedRegisters(described.kind, described.registers),
  }));
  return { image, description: writeDescription({ version: 1, file: name, iommus }) };
}

/** Memory that was emulated: of a machine, or of tables that a trace left. Refuses others. */
function arenaOf(inspection: Inspection): Arena {
  const { memory } = inspection;
  return memory instanceof MachineMemory ? memory.arena : inspection.emulated.current.memory;
}

/** The registers that a description has: those of queues and logs are not among them. */
function describedRegisters(kind: IommuKind, registers: ReadonlyMap<string, bigint>): Map<string, bigint> {
  return new Map(
    REGISTERS[kind].flatMap(({ name, bits }) => {
      const value = registers.get(name);
      return value === undefined ? [] : [[name, BigInt.asUintN(bits, value)] as const];
    }),
  );
}
