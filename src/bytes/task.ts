/** The part of AbortSignal that is used, so that this room needs neither DOM nor Node types. */
export interface CancelSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface Progress {
  /** What is being done: `Inflating vtd.elf.gz`. */
  readonly message: string;
  /** 0 to 1, or undefined when the end is not known. */
  readonly fraction?: number;
}

/** What long work is given to stay polite. */
export interface Task {
  readonly signal?: CancelSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Lets the event loop run once, so that cancel and other requests get through. */
  pause(): Promise<void>;
}

/** Code of the failure that cancelled work gives. */
export const CANCELLED = 'cancelled';

/** Pauses; true when the work was cancelled before or meanwhile. */
export async function cancelledMeanwhile(task: Task): Promise<boolean> {
  await task.pause();
  return task.signal?.aborted === true;
}
