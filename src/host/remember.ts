import type * as vscode from 'vscode';

const LAST_KEY = 'iopte.last';
const RECENT_KEY = 'iopte.recentImages';
const RECENT_LIMIT = 10;

/** What was asked for last time, offered first the next time. */
export interface LastValues {
  readonly iova?: string;
  readonly device?: string;
  readonly access?: 'read' | 'write';
  readonly domain?: string;
  readonly copyForm?: string;
  readonly exportFormat?: string;
  readonly filters?: readonly string[];
}

export class Memory {
  constructor(
    private readonly workspace: vscode.Memento,
    private readonly everywhere: vscode.Memento,
  ) {}

  get last(): LastValues {
    return this.workspace.get<LastValues>(LAST_KEY, {});
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
