export function hasGnuParallel(): boolean;
export function ensurePrograms(log: (text: string) => void): Promise<void>;
