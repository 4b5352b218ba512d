/** An object's fields that hold something: what is left out of a file stays out of plain JSON. */
export type DefinedOnly<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

export const definedOnly = <T extends object>(of: T): DefinedOnly<T> =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as DefinedOnly<T>;
