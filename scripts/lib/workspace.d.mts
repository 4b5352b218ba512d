/** Copies samples/ to a folder of its own; `remove` takes it away again. */
export function sampleWorkspace(): { readonly folder: string; remove(): void };
