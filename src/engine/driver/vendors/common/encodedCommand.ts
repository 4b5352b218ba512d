/** A command as it goes into a queue; `words`: lowest address first. */
export interface EncodedCommand {
  readonly name: string;
  readonly words: readonly bigint[];
}
