// Headless Chromium that shows the workbench and cannot reach anything but this machine.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { findChromium } from './chromium.mjs';
import { scratchDir } from './paths.mjs';

const LOCAL = /(^|\.)localhost$|^127\.0\.0\.1$/;

/** Opens a browser with a fresh profile, which `close` removes. `blocked` lists what it was kept from fetching. */
export async function openBrowser({ width = 1400, height = 900, colorScheme = 'dark' } = {}) {
  const found = findChromium();
  if (!found) throw new Error('No Chromium: run `npm test` once, which sets one up, or set CHROMIUM_PATH.');
  const profile = scratchDir('browser');
  // Webviews need a service worker on another origin, which Chromium refuses where it blocks third-party cookies.
  mkdirSync(path.join(profile, 'Default'));
  writeFileSync(
    path.join(profile, 'Default', 'Preferences'),
    JSON.stringify({ profile: { cookie_controls_mode: 0, block_third_party_cookies: false } }),
  );
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: found.executable,
    env: { ...process.env, ...found.env },
    headless: true,
    viewport: { width, height },
    colorScheme,
    permissions: ['clipboard-read', 'clipboard-write'],
    args: [
      '--no-sandbox', // root in a container has none
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const blocked = [];
  await context.route(
    (url) => /^https?:$/.test(url.protocol) && !LOCAL.test(url.hostname),
    (route) => {
      blocked.push(route.request().url());
      return route.abort();
    },
  );
  const close = async () => {
    await context.close().catch(() => undefined);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  return { context, page, blocked, close };
}
