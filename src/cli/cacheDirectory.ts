import { homedir } from 'node:os';
import path from 'node:path';

/**
 * Where inflated images are kept between runs: the platform's folder for caches, or IOPTE_CACHE. Undefined, and kept in
 * memory only, when IOPTE_CACHE is set to nothing.
 */
export function cacheDirectory(
  environment: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string | undefined {
  const chosen = environment['IOPTE_CACHE'];
  if (chosen !== undefined) return chosen === '' ? undefined : path.resolve(chosen);
  const caches: Partial<Record<NodeJS.Platform, string>> = {
    win32: environment['LOCALAPPDATA'] ?? path.join(home, 'AppData', 'Local'),
    darwin: path.join(home, 'Library', 'Caches'),
  };
  // The XDG Base Directory Specification has a relative path ignored.
  const xdg = environment['XDG_CACHE_HOME'] ?? '';
  const other = path.isAbsolute(xdg) ? xdg : path.join(home, '.cache');
  return path.join(caches[platform] ?? other, 'iopte-inspector');
}
