import assert from 'node:assert/strict';
import {
  hasState,
  isSaving,
  transition,
  VFIO_STATES,
  type VfioMigrationFeatures,
  type VfioState,
} from '../../../../src/engine/driver/vfio/states';

const ALL: VfioMigrationFeatures = { p2p: true, preCopy: true };
const STATES = VFIO_STATES.filter((state) => state !== 'ERROR');

/** Combination transitions as drivers/vfio/vfio_main.c lists them (vfio_mig_get_next_state), all features there. */
const COMBINATIONS = `
  PRE_COPY > PRE_COPY_P2P > STOP_COPY
  PRE_COPY > RUNNING > RUNNING_P2P
  PRE_COPY > RUNNING > RUNNING_P2P > STOP
  PRE_COPY > RUNNING > RUNNING_P2P > STOP > RESUMING
  PRE_COPY_P2P > RUNNING_P2P > RUNNING
  PRE_COPY_P2P > RUNNING_P2P > STOP
  PRE_COPY_P2P > RUNNING_P2P > STOP > RESUMING
  RESUMING > STOP > RUNNING_P2P
  RESUMING > STOP > RUNNING_P2P > PRE_COPY_P2P
  RESUMING > STOP > RUNNING_P2P > RUNNING
  RESUMING > STOP > RUNNING_P2P > RUNNING > PRE_COPY
  RESUMING > STOP > STOP_COPY
  RUNNING > RUNNING_P2P > PRE_COPY_P2P
  RUNNING > RUNNING_P2P > STOP
  RUNNING > RUNNING_P2P > STOP > RESUMING
  RUNNING > RUNNING_P2P > STOP > STOP_COPY
  RUNNING_P2P > RUNNING > PRE_COPY
  RUNNING_P2P > STOP > RESUMING
  RUNNING_P2P > STOP > STOP_COPY
  STOP > RUNNING_P2P > PRE_COPY_P2P
  STOP > RUNNING_P2P > RUNNING
  STOP > RUNNING_P2P > RUNNING > PRE_COPY
  STOP_COPY > STOP > RESUMING
  STOP_COPY > STOP > RUNNING_P2P
  STOP_COPY > STOP > RUNNING_P2P > RUNNING`;

/** Arcs that a driver does itself (include/uapi/linux/vfio.h). */
const ARCS = `
  RUNNING_P2P > STOP, STOP_COPY > STOP, RESUMING > STOP, PRE_COPY > RUNNING, RUNNING_P2P > RUNNING,
  PRE_COPY_P2P > RUNNING_P2P, RUNNING > RUNNING_P2P, STOP > RUNNING_P2P, RUNNING > PRE_COPY,
  RUNNING_P2P > PRE_COPY_P2P, STOP > STOP_COPY, PRE_COPY > PRE_COPY_P2P, PRE_COPY_P2P > PRE_COPY,
  PRE_COPY_P2P > STOP_COPY, STOP > RESUMING`;

const statesOf = (text: string): VfioState[] =>
  text.split('>').map((name) => {
    const state = VFIO_STATES.find((each) => each === name.trim());
    assert.ok(state, name);
    return state;
  });
const listed = [...COMBINATIONS.trim().split('\n'), ...ARCS.trim().split(',')].map(statesOf);

function path(from: VfioState, to: VfioState, features = ALL): readonly VfioState[] | string {
  const outcome = transition(from, to, features);
  return outcome.ok ? outcome.value : outcome.errno;
}

describe('Transitions of VFIO device states', () => {
  it('take the paths of the uAPI, for every pair of states', () => {
    for (const from of STATES) {
      for (const to of STATES) {
        const known = listed.find((each) => each[0] === from && each.at(-1) === to);
        const expected = from === to ? [to] : (known?.slice(1) ?? 'EINVAL');
        assert.deepEqual(path(from, to), expected, `${from} to ${to}`);
      }
    }
    assert.equal(listed.length, 7 * 6 - 2);
  });

  it('do not lead from STOP_COPY back to pre-copy, to ERROR, or out of it', () => {
    assert.equal(path('STOP_COPY', 'PRE_COPY'), 'EINVAL');
    assert.equal(path('STOP_COPY', 'PRE_COPY_P2P'), 'EINVAL');
    for (const state of STATES) {
      assert.equal(path(state, 'ERROR'), 'EINVAL');
      assert.equal(path('ERROR', state), 'EINVAL');
    }
  });

  it('pass over states that the device does not have', () => {
    const stopCopy: VfioMigrationFeatures = { p2p: false, preCopy: false };
    assert.deepEqual(path('RUNNING', 'STOP', stopCopy), ['STOP']);
    assert.deepEqual(path('STOP', 'RUNNING', stopCopy), ['RUNNING']);
    assert.deepEqual(path('RUNNING', 'STOP_COPY', stopCopy), ['STOP', 'STOP_COPY']);
    assert.equal(path('RUNNING', 'PRE_COPY', stopCopy), 'EINVAL');
    assert.equal(path('RUNNING', 'RUNNING_P2P', stopCopy), 'EINVAL');
    const noPeers: VfioMigrationFeatures = { p2p: false, preCopy: true };
    assert.deepEqual(path('PRE_COPY', 'STOP_COPY', noPeers), ['STOP_COPY']);
    assert.deepEqual(path('STOP', 'PRE_COPY', noPeers), ['RUNNING', 'PRE_COPY']);
    const noPreCopy: VfioMigrationFeatures = { p2p: true, preCopy: false };
    assert.deepEqual(path('RESUMING', 'RUNNING', noPreCopy), ['STOP', 'RUNNING_P2P', 'RUNNING']);
  });

  it('end no session on the way, and begin none', () => {
    for (const features of [ALL, { p2p: false, preCopy: true }]) {
      for (const from of STATES.filter((state) => hasState(features, state))) {
        for (const to of STATES) {
          const way = path(from, to, features);
          if (typeof way === 'string') continue;
          const stays = isSaving(from) && isSaving(to);
          for (const state of way.slice(0, -1)) assert.equal(isSaving(state), stays, `${from} to ${to}`);
        }
      }
    }
  });

  it('have the numbers of the uAPI', () => {
    assert.deepEqual(
      ['ERROR', 'STOP', 'RUNNING', 'STOP_COPY', 'RESUMING', 'RUNNING_P2P', 'PRE_COPY', 'PRE_COPY_P2P'],
      [...VFIO_STATES],
    );
  });
});
