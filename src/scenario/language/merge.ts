import { type SourceEntry, type SourceMap, type SourceNode } from './source/node';

/**
 * What is said over what was said (RFC 7396): keys are merged, lists and values replaced, null takes a key away. Values keep
 * the places that they were written at.
 */
export function mergePatch(base: SourceNode | undefined, patch: SourceNode): SourceNode {
  if (patch.kind !== 'map') return patch;
  const entries = new Map<string, SourceEntry>(base?.kind === 'map' ? base.entries : []);
  for (const [key, entry] of patch.entries) {
    const { value } = entry;
    if (value.kind === 'scalar' && value.value === null) entries.delete(key);
    else {
      const before = entries.get(key);
      // What is merged keeps its own name: what it lacks is told there, once for all variants.
      const name = before?.value.kind === 'map' && value.kind === 'map' ? before.key : entry.key;
      entries.set(key, { key: name, value: mergePatch(before?.value, value) });
    }
  }
  const { start, end } = base?.kind === 'map' ? base : patch;
  return { kind: 'map', entries, start, end };
}

export function without(map: SourceMap, ...keys: readonly string[]): SourceMap {
  const entries = new Map([...map.entries].filter(([key]) => !keys.includes(key)));
  return { ...map, entries };
}
