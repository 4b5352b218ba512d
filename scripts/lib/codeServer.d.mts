export interface Host {
  /** `http://127.0.0.1:PORT` */
  readonly base: string;
  /** `127.0.0.1:PORT` */
  readonly authority: string;
  readonly port: number;
  /** User data folder; the settings are in User/settings.json. */
  readonly userDir: string;
  stop(): Promise<void>;
  /** What code-server printed. */
  readLog(): string;
}

export interface HostOptions {
  /** Loads extensions under development: for tests, without a password. */
  readonly testDriver?: boolean;
  readonly password?: string;
  /** User settings, added to those of a quiet window. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Kept when given. */
  readonly extensionsDir?: string;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts code-server on 127.0.0.1 in a throw-away profile and waits until it answers. */
export function startCodeServer(options: HostOptions): Promise<Host>;

/** Installs a packaged extension as a user would. */
export function installVsix(vsix: string, extensionsDir: string): Promise<readonly string[]>;

/** Address of the workbench with a folder, or an empty window. */
export function workbenchUrl(
  host: Host,
  options?: { readonly folder?: string; readonly payload?: readonly (readonly [string, string])[] },
): string;

/** A file as the workbench names it. */
export function remoteUri(host: Host, file: string): string;
