/** Problems of a directory that are told at most. */
export const MOST_PROBLEMS = 8;
/** Processes that are listed of one device, and of all. */
const MOST_OF_DEVICE = 65_536;
const MOST_OF_ALL = 200_000;
/** Tables that are read to find them: a broken image may give each device the largest directory. */
const MOST_TABLES = 2 ** 18;

/** What listing the processes of the devices of one directory may still take. */
export class ProcessBudget {
  #rows = MOST_OF_ALL;
  #rowsOfDevice = MOST_OF_DEVICE;
  #steps: number;

  /** `steps`: tables, or whatever a directory counts its work in. */
  constructor(steps = MOST_TABLES) {
    this.#steps = steps;
  }

  startDevice(): void {
    this.#rowsOfDevice = MOST_OF_DEVICE;
  }

  /** Takes the row of a process; false: no more rows for this device. */
  takeRow(): boolean {
    if (this.#rows === 0 || this.#rowsOfDevice === 0) return false;
    this.#rows--;
    this.#rowsOfDevice--;
    return true;
  }

  /** Takes a step of work; false: no more for any device. */
  takeStep(): boolean {
    if (this.#steps === 0) return false;
    this.#steps--;
    return true;
  }
}
