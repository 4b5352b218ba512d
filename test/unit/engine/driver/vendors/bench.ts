import assert from 'node:assert/strict';
import { type MachineCapabilities, registersOf } from '../../../../../src/engine/driver/capabilities';
import { type Outcome } from '../../../../../src/engine/driver/errno';
import { type KernelDomain } from '../../../../../src/engine/driver/iommuDriver';
import { DomainTables } from '../../../../../src/engine/driver/pageTable/domainTables';
import { type SoftwareStep } from '../../../../../src/engine/driver/softwareStep';
import { type DirectoryAnswer } from '../../../../../src/engine/directory/deviceDirectory';
import { openDirectory } from '../../../../../src/engine/directory';
import { type FormatHardware, type PageTableFormat } from '../../../../../src/engine/formats/pageTableFormat';
import { type Command } from '../../../../../src/engine/iommu/commands';
import { type IommuPort } from '../../../../../src/engine/iommu/iommuPort';
import {
  type EmulatedKind,
  type IommuVendor,
  type RegisterFile,
} from '../../../../../src/engine/iommu/vendor';
import { vendorOf } from '../../../../../src/engine/iommu/vendors';
import { Arena } from '../../../../../src/engine/memory/arena';
import { RangeAllocator } from '../../../../../src/engine/memory/frameAllocator';
import { joinHalves } from '../../../../../src/engine/memory/words';
import { type Steps } from '../../../../../src/engine/steps';
import { frameNumber, pasid, requesterId, type Pasid } from '../../../../../src/engine/values';

/** Registers and a queue that does each command by its vendor's decoder, and remembers it. */
export class Bench implements IommuPort {
  readonly name = 'iommu0';
  readonly kind: EmulatedKind;
  readonly registers: RegisterFile;
  readonly memory = new Arena();
  readonly frames = new RangeAllocator(this.memory, 0x100, 0x8000);
  /** Commands that were done, in order; a test may empty it. */
  done: Command[] = [];
  readonly steps: SoftwareStep[] = [];
  readonly #vendor: IommuVendor;

  constructor(readonly capabilities: MachineCapabilities) {
    this.kind = capabilities.vendor;
    this.registers = registersOf(capabilities);
    this.#vendor = vendorOf(this.kind);
  }

  writeRegister(name: string, value: bigint): void {
    this.#vendor.write(this.registers, name, value);
  }

  /** Hardware takes the commands up to the tail. */
  runCommands(): void {
    const { commands } = this.#vendor;
    const { head, tail } = commands;
    const { baseAddress, slots, slotBytes, wraps, enabled } = commands.ring(this.registers);
    assert.ok(enabled, 'the queue is on');
    for (let at = head.position(this.registers); at !== tail.position(this.registers);) {
      const address = baseAddress + (at % slots) * slotBytes;
      const command = commands.decode(this.words(address, slotBytes / 8), this.registers);
      assert.notEqual(command.kind, 'illegal', 'why' in command ? command.why : '');
      this.done.push(command);
      if (command.kind === 'wait' && command.store) {
        const { address: place, value } = command.store;
        this.memory.writeEntry(frameNumber(Math.floor(place / 4096)), (place % 4096) / 8, Number(value), 0);
      }
      at = (at + 1) % (wraps ? 2 * slots : slots);
      this.registers.set(head.register, head.value(this.registers, at));
    }
  }

  /** Does all steps; hardware does its commands whenever software waits. */
  run<Result>(steps: Steps<SoftwareStep, Result>): Result {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      this.steps.push(step.value);
      if (step.value.kind === 'poll' && !step.value.done) this.runCommands();
    }
  }

  /** Does all steps of an operation that must not be refused. */
  mustRun(steps: Steps<SoftwareStep, Outcome<null>>): void {
    const outcome = this.run(steps);
    assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.errno}: ${outcome.message}`);
  }

  word(address: number): bigint {
    const halves = { lo: 0, hi: 0 };
    const held = this.memory.readEntry(frameNumber(Math.floor(address / 4096)), (address % 4096) / 8, halves);
    assert.ok(held, `0x${address.toString(16)} is held`);
    return joinHalves(halves.lo, halves.hi);
  }

  words(address: number, count: number): bigint[] {
    return Array.from({ length: count }, (_, index) => this.word(address + 8 * index));
  }

  answer(requester: number, process: number | null = null): DirectoryAnswer {
    const directory = openDirectory(this.kind, this.memory, this.registers);
    assert.ok(directory.ok);
    const { off } = directory.value;
    return off ? off.answer : directory.value.lookup(requesterId(requester), pasidOrNull(process)).answer;
  }

  /** A domain with an empty root table. `hardware`: what hardware marks in it. */
  domain(format: PageTableFormat, rootDepth: number, options: DomainOptions): KernelDomain {
    const { id, stage, rootIndexBits, hardware = {} } = options;
    const made = DomainTables.create({
      memory: this.memory,
      frames: this.frames,
      format,
      rootDepth,
      hardware,
      id,
      stage,
      ...(rootIndexBits === undefined ? {} : { rootIndexBits }),
    });
    assert.ok(made.ok);
    return { tables: made.value, id, stage, dirtyTracking: false };
  }
}

interface DomainOptions {
  readonly id: number;
  readonly stage: 1 | 2;
  readonly rootIndexBits?: number;
  readonly hardware?: FormatHardware;
}

export const pasidOrNull = (value: number | null): Pasid | null => (value === null ? null : pasid(value));

/** Names of the commands that were done, without waits. */
export const namesOf = (commands: readonly Command[]): string[] =>
  commands.filter(({ kind }) => kind !== 'wait').map(({ name }) => name);

/** Tables that an answer leads to. */
export function spaceOf(answer: DirectoryAnswer) {
  assert.ok(answer.kind === 'table', answer.kind === 'fault' ? answer.why : answer.kind);
  return answer.space;
}

export function refusedWith(outcome: Outcome<unknown>): string {
  return outcome.ok ? 'ok' : outcome.errno;
}
