import type * as vscode from 'vscode';
import type { TraceId, TraceSpaces } from '../../inspection/protocol';

const SPACES_KEY = 'iopte.traceSpaces';
const TOLD_KEY = 'iopte.tracesWithoutDevices';
/** Of traces that were opened longer ago nothing is kept. */
const MOST_TRACES = 100;

const AUTO: TraceSpaces = { by: 'auto' };

/** What is kept of traces in the workspace: how their address spaces are told apart. */
export class TraceMemory {
  constructor(private readonly state: vscode.Memento) {}

  spacesOf(trace: TraceId): TraceSpaces {
    return this.#spaces().find(([id]) => id === trace)?.[1] ?? AUTO;
  }

  async keepSpaces(trace: TraceId, spaces: TraceSpaces): Promise<void> {
    const others = this.#spaces().filter(([id]) => id !== trace);
    await this.state.update(SPACES_KEY, [[trace, spaces], ...others].slice(0, MOST_TRACES));
  }

  /** Whether it was not said yet of this trace that it names no devices; from now on it was. */
  async firstTold(trace: TraceId): Promise<boolean> {
    const kept: unknown = this.state.get(TOLD_KEY);
    const told: readonly unknown[] = Array.isArray(kept) ? kept : [];
    if (told.includes(trace)) return false;
    await this.state.update(TOLD_KEY, [trace, ...told].slice(0, MOST_TRACES));
    return true;
  }

  /** What another version or another program left there is not trusted. */
  #spaces(): readonly (readonly [TraceId, TraceSpaces])[] {
    const kept: unknown = this.state.get(SPACES_KEY);
    const entries: readonly unknown[] = Array.isArray(kept) ? kept : [];
    return entries.flatMap((entry) => {
      const pair: readonly unknown[] = Array.isArray(entry) ? entry : [];
      const [trace, spaces] = pair;
      const read = readSpaces(spaces);
      return typeof trace === 'string' && read ? [[trace, read] as const] : [];
    });
  }
}

/** Rules that came from outside: of a kept state, or with a command. */
export function readSpaces(value: unknown): TraceSpaces | undefined {
  if (typeof value !== 'object' || value === null || !('by' in value)) return undefined;
  const { by } = value;
  if (by === 'auto' || by === 'device' || by === 'domain') return { by };
  if (by !== 'rules' || !('rules' in value) || !Array.isArray(value.rules)) return undefined;
  const rules = value.rules.flatMap((rule: unknown) => {
    if (typeof rule !== 'object' || rule === null || !('name' in rule) || !('where' in rule)) return [];
    const { name, where } = rule;
    return typeof name === 'string' && typeof where === 'string' ? [{ name, where }] : [];
  });
  return rules.length > 0 && rules.length === value.rules.length ? { by, rules } : undefined;
}
