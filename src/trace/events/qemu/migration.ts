import { FLAGS } from '../../model/operation';
import { flag } from '../kernel/fields';
import { count, rest, word } from './parts';
import { type Part, payload, qemuEvent } from './printFormat';

/** Who tracks dirty memory, a bit each: on as long as anybody does. */
const trackers: Part = (scanner, out, row) => {
  const value = scanner.hex();
  if (value > 0) flag(out, row, FLAGS.on);
  return !Number.isNaN(value);
};

/** QEMU migration/trace-events and system/trace-events: which phase a migration is in. Its memory is by RAM block, not by IOVA. */
export const MIGRATION_EVENTS = [
  qemuEvent('migrate_set_state', 'track', payload`new state ${word}`),
  qemuEvent('global_dirty_changed', 'track', payload`bitmask ${trackers}`),
  qemuEvent('migration_bitmap_sync_end', 'dirty', payload`dirty_pages ${count}`),
  qemuEvent('migration_bitmap_sync_start', 'other', payload``),
  qemuEvent('migration_bitmap_clear_dirty', 'other', payload`rb ${word} start ${rest}`),
  qemuEvent('migration_thread_setup_complete', 'track', payload``),
  qemuEvent('migration_completion_vm_stop', 'track', payload`ret ${rest}`),
];
