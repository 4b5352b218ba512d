/** Whether a value is of some shape: what came from a file, a journal or a program may be any. */
export type Check = (value: unknown) => boolean;

export const isText: Check = (value) => typeof value === 'string';
export const isNumber: Check = (value) => typeof value === 'number';
export const isFlag: Check = (value) => typeof value === 'boolean';
export const isRecord: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
export const isIn =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);
export const hasAll =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) &&
    Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]));
export const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
export const isEither =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));
