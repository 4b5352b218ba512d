import { done, refused, type Outcome } from '../errno';
import {
  isPreCopy,
  isQuiescent,
  isRunning,
  isSaving,
  transition,
  type VfioMigrationFeatures,
  type VfioState,
} from './states';

/** What a device with a migration driver is like. Sizes in bytes. */
export interface VfioDeviceModel {
  readonly features: VfioMigrationFeatures;
  /** The device tells peer-to-peer DMA from other DMA: in the P2P states it stops only that; else it stops all DMA. */
  readonly knowsPeers: boolean;
  /** What the beginning of the stream must say for a device to accept it, and how long that beginning is. */
  readonly match: string;
  readonly matchBytes: number;
  /** Of the stream, what can be had while the device runs; the rest goes over in the blackout. */
  readonly preCopyBytes: number;
  readonly stopCopyBytes: number;
  /** What the driver does when a stream does not end well: the uAPI allows both. */
  readonly badStream: 'stays' | 'error';
  /** When the device writes what it caches back to guest memory. save: only when its state is read, as if STOP allowed DMA. */
  readonly writesBack: 'never' | 'stop' | 'save';
}

/** A piece of the stream of a device's state. */
export interface StreamPart {
  /** New state, and state that changed since it was read. */
  readonly bytes: number;
  /** Where its new state begins in the stream, and ends. */
  readonly position: number;
  readonly end: number;
  readonly match: string;
  /** Nothing comes after it. */
  readonly last: boolean;
}

/** VFIO_MIG_GET_PRECOPY_INFO. */
export interface PreCopyInfo {
  readonly initialBytes: number;
  readonly dirtyBytes: number;
}

/** What a device accesses. */
export type DmaTarget = 'memory' | 'peer';

interface SavingSession {
  /** Bytes read so far. */
  position: number;
  /** State that changed after it was read: to be read once more. */
  dirty: number;
}

interface LoadingSession {
  position: number;
  complete: boolean;
}

/** A device as VFIO migrates it: its state machine, its stream, and what DMA it may do. Source or destination. */
export class VfioMigrationDevice {
  readonly model: VfioDeviceModel;
  /** Bytes of its stream that were read while it was stopped. */
  blackoutBytes = 0;
  /** The guest's driver has set it up: else there is nothing but the match data to migrate. */
  isSetUp = true;
  readonly #writeBack: () => void;
  #state: VfioState = 'RUNNING';
  #saving: SavingSession | undefined;
  #loading: LoadingSession | undefined;
  /** A loaded state is in place. */
  #loaded = false;

  /** `writeBack`: does the DMA of a write-back. */
  constructor(model: VfioDeviceModel, writeBack: () => void = () => undefined) {
    this.model = model;
    this.#writeBack = writeBack;
  }

  get state(): VfioState {
    return this.#state;
  }

  /** A state that came from another device is in place. */
  get isLoaded(): boolean {
    return this.#loaded;
  }

  /** VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE: goes there by all arcs on the way. When one fails the device stays where it got. */
  setState(to: VfioState): Outcome<null> {
    const path = transition(this.#state, to, this.model.features);
    if (!path.ok) return path;
    for (const next of path.value) {
      const moved = this.#arc(this.#state, next);
      if (!moved.ok) {
        if (this.model.badStream === 'error') this.#enter('ERROR');
        return moved;
      }
      this.#enter(next);
    }
    return done(null);
  }

  /** VFIO_DEVICE_RESET: the only way out of ERROR. */
  reset(): void {
    this.#enter('RUNNING');
    this.#saving = undefined;
    this.#loading = undefined;
    this.#loaded = false;
    this.isSetUp = false;
  }

  /** Whether it may begin DMA now. */
  mayAccess(target: DmaTarget): boolean {
    if (!isRunning(this.#state)) return false;
    return !isQuiescent(this.#state) || (target === 'memory' && this.model.knowsPeers);
  }

  /** Work changes the device's own state, which must be read once more when it had been read. */
  work(bytes: number): Outcome<null> {
    if (!isRunning(this.#state)) return refused('EIO', `a device in ${this.#state} does no work`);
    const saving = this.#saving;
    if (saving)
      saving.dirty = Math.min(saving.dirty + bytes, Math.min(saving.position, this.model.preCopyBytes));
    return done(null);
  }

  /** Bytes that remain for the blackout: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE. */
  get stopCopyLength(): number {
    return this.#total() - (this.#saving?.position ?? 0) + (this.#saving?.dirty ?? 0);
  }

  /** EINVAL in any other state than the pre-copy ones. */
  preCopyInfo(): Outcome<PreCopyInfo> {
    const saving = this.#saving;
    if (!saving || !isPreCopy(this.#state))
      return refused('EINVAL', `there is no pre-copy in ${this.#state}`);
    const initialBytes = Math.max(0, this.model.preCopyBytes - saving.position);
    return done({ initialBytes, dirtyBytes: saving.dirty });
  }

  /**
   * Reads at most so many bytes of the stream. ENOMSG: there is no more for now (pre-copy); a part of 0 bytes that is the last:
   * the end (STOP_COPY); ENODEV: no session.
   */
  read(most: number): Outcome<StreamPart> {
    const saving = this.#saving;
    if (!saving) return refused('ENODEV', `the session ended: the device is in ${this.#state}`);
    const stopped = this.#state === 'STOP_COPY';
    const fresh = Math.max(0, (stopped ? this.#total() : this.model.preCopyBytes) - saving.position);
    if (!stopped && fresh + saving.dirty === 0)
      return refused('ENOMSG', 'nothing has changed since it was read');
    const newBytes = Math.min(most, fresh);
    const again = Math.min(most - newBytes, saving.dirty);
    const position = saving.position;
    saving.position += newBytes;
    saving.dirty -= again;
    const bytes = newBytes + again;
    if (stopped) this.blackoutBytes += bytes;
    const last = stopped && saving.position >= this.#total() && saving.dirty === 0;
    return done({ bytes, position, end: saving.position, match: this.model.match, last });
  }

  /** Takes a part of another device's stream. EINVAL: it is of a device that does not match, or not the next part. */
  write(part: StreamPart): Outcome<null> {
    const loading = this.#loading;
    if (!loading) return refused('ENODEV', `the session ended: the device is in ${this.#state}`);
    if (part.position > loading.position)
      return refused('EINVAL', `bytes ${loading.position} to ${part.position} are missing`);
    loading.position = Math.max(loading.position, part.end);
    if (loading.position >= this.model.matchBytes && part.match !== this.model.match)
      return refused('EINVAL', `the stream is of ${part.match}, and this is ${this.model.match}`);
    loading.complete ||= part.last;
    return done(null);
  }

  /** What the driver does on one arc. */
  #arc(from: VfioState, to: VfioState): Outcome<null> {
    if (from === 'RESUMING' && to === 'STOP') return this.#load();
    const { writesBack } = this.model;
    const stops = isRunning(from) && !isRunning(to);
    if ((stops && writesBack === 'stop') || (to === 'STOP_COPY' && from !== to && writesBack === 'save'))
      this.#writeBack();
    if (isSaving(to) && !isSaving(from)) this.#saving = { position: 0, dirty: 0 };
    if (!isSaving(to)) this.#saving = undefined;
    if (to === 'RESUMING' && from !== to) {
      this.#loading = { position: 0, complete: false };
      this.#loaded = false;
    }
    return done(null);
  }

  /** What came over is complete, or the device refuses to leave RESUMING with it. */
  #load(): Outcome<null> {
    if (this.#loading?.complete !== true) return refused('EINVAL', 'the stream is not complete');
    this.#loading = undefined;
    this.#loaded = true;
    return done(null);
  }

  #total(): number {
    const { matchBytes, preCopyBytes, stopCopyBytes } = this.model;
    return this.isSetUp ? preCopyBytes + stopCopyBytes : matchBytes;
  }

  #enter(state: VfioState): void {
    this.#state = state;
  }
}
