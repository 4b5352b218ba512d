import { type Arena } from '../../engine/memory/arena';
import { FRAME_BYTES, type FrameNumber } from '../../engine/values';
import { type SourceMemory } from '../sourceMemory';

/** The memory of an emulated machine as an inspection reads it. */
export class MachineMemory implements SourceMemory {
  readonly name: string;
  readonly arena: Arena;

  constructor(arena: Arena, name: string) {
    this.arena = arena;
    this.name = name;
  }

  get version(): number {
    return this.arena.version;
  }

  get generation(): number {
    return this.arena.generation;
  }

  get bytesHeld(): number {
    return this.arena.counts.frames * FRAME_BYTES;
  }

  /** Neighbours are not joined: nobody asks for the parts of a machine. */
  readonly segments = 1;

  readonly highestAddress = 0;

  readFrame(frame: FrameNumber): Uint32Array | undefined {
    return this.arena.readFrame(frame);
  }

  explainMissing(frame: FrameNumber): string {
    return this.arena.explainMissing(frame);
  }

  ranges(): [] {
    return [];
  }

  close(): void {
    // The arena goes with the machine.
  }
}
