import { done, refused, type Outcome } from '../errno';

// The states of migration and the arcs between them, as include/uapi/linux/vfio.h (enum vfio_device_mig_state) has them.

export const VFIO_STATES = [
  'ERROR',
  'STOP',
  'RUNNING',
  'STOP_COPY',
  'RESUMING',
  'RUNNING_P2P',
  'PRE_COPY',
  'PRE_COPY_P2P',
] as const;
/** Their place is their number. */
export type VfioState = (typeof VFIO_STATES)[number];

/** VFIO_DEVICE_FEATURE_MIGRATION; stop and copy is always there. */
export interface VfioMigrationFeatures {
  /** VFIO_MIGRATION_P2P */
  readonly p2p: boolean;
  /** VFIO_MIGRATION_PRE_COPY */
  readonly preCopy: boolean;
}

/** What a driver does itself; every other transition is a path of these. */
const ARCS: Readonly<Record<VfioState, readonly VfioState[]>> = {
  ERROR: [],
  STOP: ['STOP_COPY', 'RUNNING_P2P', 'RESUMING'],
  RUNNING: ['PRE_COPY', 'RUNNING_P2P'],
  STOP_COPY: ['STOP'],
  RESUMING: ['STOP'],
  RUNNING_P2P: ['PRE_COPY_P2P', 'RUNNING', 'STOP'],
  PRE_COPY: ['PRE_COPY_P2P', 'RUNNING'],
  PRE_COPY_P2P: ['PRE_COPY', 'STOP_COPY', 'RUNNING_P2P'],
};

/** States that share a data transfer session. */
const SAVING: readonly VfioState[] = ['PRE_COPY', 'PRE_COPY_P2P', 'STOP_COPY'];

export const isSaving = (state: VfioState): boolean => SAVING.includes(state);
/** PRE_COPY or PRE_COPY_P2P. */
export const isPreCopy = (state: VfioState): boolean => state === 'PRE_COPY' || state === 'PRE_COPY_P2P';
/** The device works: RUNNING, PRE_COPY, and their P2P forms. */
export const isRunning = (state: VfioState): boolean => state.startsWith('RUNNING') || isPreCopy(state);
export const isQuiescent = (state: VfioState): boolean => state.endsWith('_P2P');

/** Whether a device has a state. */
export function hasState({ p2p, preCopy }: VfioMigrationFeatures, state: VfioState): boolean {
  return (p2p || !isQuiescent(state)) && (preCopy || !isPreCopy(state));
}

/**
 * The states that a transition goes through, the last one included: the shortest path whose states on the way are not saving
 * ones (a session would end), but for paths within the saving group. States that the device does not have are left out: it
 * behaves as if it passed them. EINVAL: a state that the device has not, ERROR, or from STOP_COPY back to pre-copy.
 */
export function transition(
  from: VfioState,
  to: VfioState,
  features: VfioMigrationFeatures,
): Outcome<readonly VfioState[]> {
  if (to === 'ERROR' || !hasState(features, to))
    return refused('EINVAL', `the device has no state ${to} to be set`);
  if (from === 'ERROR') return refused('EINVAL', 'the device is in ERROR: reset it');
  if (from === to) return done([to]);
  if (from === 'STOP_COPY' && isPreCopy(to))
    return refused('EINVAL', 'STOP_COPY does not lead back to pre-copy');
  const path = shortest(from, to);
  return path
    ? done(path.filter((state) => hasState(features, state)))
    : refused('EINVAL', `no arcs lead from ${from} to ${to}`);
}

/** Breadth first, so the first path found is the shortest. */
function shortest(from: VfioState, to: VfioState): readonly VfioState[] | undefined {
  const staysSaving = isSaving(from) && isSaving(to);
  let paths: (readonly VfioState[])[] = [[]];
  const seen = new Set<VfioState>([from]);
  while (paths.length > 0) {
    const longer: (readonly VfioState[])[] = [];
    for (const path of paths) {
      for (const next of ARCS[path.at(-1) ?? from]) {
        if (next === to) return [...path, next];
        if (seen.has(next) || (isSaving(next) && !staysSaving)) continue;
        seen.add(next);
        longer.push([...path, next]);
      }
    }
    paths = longer;
  }
  return undefined;
}
