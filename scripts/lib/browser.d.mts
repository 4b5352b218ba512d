import { type BrowserContext, type Page } from 'playwright-core';

export interface Browser {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Addresses outside this machine that it was kept from fetching. */
  readonly blocked: readonly string[];
  close(): Promise<void>;
}

export interface BrowserOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'dark' | 'light';
}

/** Opens a headless browser with a fresh profile, which `close` removes. */
export function openBrowser(options?: BrowserOptions): Promise<Browser>;
