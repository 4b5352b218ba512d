import { type EventField } from './eventFormat';
import { type PrintValue } from './printf';
import { type TraceRecord } from './record';

/** What an argument of a print format gives for a record. `variables`: of statement expressions. */
export type Evaluate = (record: TraceRecord, variables: Map<string, PrintValue>) => PrintValue;

/** An argument that is not a value: a field by name, a list of pairs in braces. */
export interface Argument {
  readonly value: Evaluate;
  /** The field that the argument names, bare or as `REC->name`. */
  readonly field?: EventField;
  readonly pair?: readonly [Evaluate, Evaluate];
}
