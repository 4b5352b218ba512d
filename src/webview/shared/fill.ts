/** Puts values in the place of `{0}`, `{1}` and so on. */
export function fill(template: string, ...values: readonly (string | number)[]): string {
  return template.replace(/\{(\d+)\}/g, (place, index: string) => String(values[Number(index)] ?? place));
}
