import { type EntryModel, type FieldModel } from '../messages/entryMessages';

/** A word of the entry, ready to be drawn. */
export interface WordModel {
  readonly index: number;
  readonly value: bigint;
  /** Highest bit first. */
  readonly fields: readonly FieldModel[];
  /** Indices of the fields that a problem is about. */
  readonly problems: ReadonlySet<number>;
}

export function wordModels(entry: EntryModel): WordModel[] {
  return entry.words.map(({ value, fields }, index) => {
    const problems = new Set<number>();
    for (const problem of entry.problems) {
      if (problem.word !== index) continue;
      fields.forEach((field, at) => {
        if (field.low <= problem.high && field.high >= problem.low) problems.add(at);
      });
    }
    return { index, value: BigInt(value), fields, problems };
  });
}
