/** What hardware makes of one entry word. */
export const ABSENT = 0;
export const TABLE = 1;
export const LEAF = 2;
/** Present, and not as the specification has it: hardware faults. */
export const MALFORMED = 3;
export type EntryClass = typeof ABSENT | typeof TABLE | typeof LEAF | typeof MALFORMED;

/** Effective permission as bits. */
export const READ = 1;
export const WRITE = 2;
export const READ_WRITE = READ | WRITE;
