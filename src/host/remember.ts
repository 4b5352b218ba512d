import type * as vscode from 'vscode';

const LAST_KEY = 'iopte.last';
const RECENT_KEY = 'iopte.recentImages';
const RECENT_LIMIT = 10;

/** What was asked for last time, offered first the next time. */
export interface LastValues {
  readonly iova?: string;
  /** Physical address or range. */
  readonly paddr?: string;
  readonly device?: string;
  readonly access?: 'read' | 'write';
  readonly domain?: string;
  readonly copyForm?: string;
  readonly exportFormat?: string;
  readonly filters?: readonly string[];
}

const TEXTS = ['iova', 'paddr', 'device', 'domain', 'copyForm', 'exportFormat'] as const;

export class Memory {
  constructor(
    private readonly workspace: vscode.Memento,
    private readonly everywhere: vscode.Memento,
  ) {}

  get last(): LastValues {
    return readLast(this.workspace.get(LAST_KEY));
  }

  async remember(values: LastValues): Promise<void> {
    await this.workspace.update(LAST_KEY, { ...this.last, ...values });
  }

  /** URIs of what was opened, newest first: of the description where there is one, else of the image. */
  get recent(): readonly string[] {
    const kept: unknown = this.everywhere.get(RECENT_KEY);
    return Array.isArray(kept) ? kept.filter((uri) => typeof uri === 'string') : [];
  }

  async addRecent(uri: string): Promise<void> {
    const others = this.recent.filter((each) => each !== uri);
    await this.everywhere.update(RECENT_KEY, [uri, ...others].slice(0, RECENT_LIMIT));
  }

  async forgetRecent(uri: string): Promise<void> {
    await this.everywhere.update(
      RECENT_KEY,
      this.recent.filter((each) => each !== uri),
    );
  }
}

/** Reads kept values. What another version or another program left there is not trusted: only texts are taken. */
export function readLast(kept: unknown): LastValues {
  if (typeof kept !== 'object' || kept === null) return {};
  const values: Readonly<Record<string, unknown>> = { ...kept };
  const texts = Object.fromEntries(
    TEXTS.flatMap((key) => (typeof values[key] === 'string' ? [[key, values[key]]] : [])),
  );
  const { access, filters } = values;
  return {
    ...texts,
    ...((access === 'read' || access === 'write') && { access }),
    ...(Array.isArray(filters) && { filters: filters.filter((each) => typeof each === 'string') }),
  };
}
