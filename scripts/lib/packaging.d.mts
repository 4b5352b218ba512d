/** The file that `npm run package` writes. */
export function vsixFile(): string;
