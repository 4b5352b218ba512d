import { type RowBuilder } from '../model/columns';
import { type TraceNames } from '../model/dictionary';
import { type Operation } from '../model/operation';
import { type LineScanner } from '../text/lineScanner';

/**
 * What the payload of one kind of event says: the text behind `map: ` as the kernel or QEMU prints it. All formats that hold
 * the event use the same rule; binary formats print the payload first.
 */
export interface EventRule {
  /** As the format calls it, without the system. */
  readonly event: string;
  /** What the event is when its payload does not say more. */
  readonly operation: Operation;
  /**
   * Reads the payload from `scanner.at` to `scanner.end` into the columns of `row`; may change the operation. False when the
   * payload is not as it should be: the row is then unknown. Source: the event's print format, named in a comment.
   */
  read(scanner: LineScanner, out: RowBuilder, row: number, names: TraceNames): boolean;
}
