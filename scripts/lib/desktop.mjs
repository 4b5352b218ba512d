// Desktop VS Code, in a profile of its own: the user's settings and extensions stay as they are.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { onPath } from './apt.mjs';
import { scratchDir } from './paths.mjs';
import { must, startGroup } from './processes.mjs';

const windows = process.platform === 'win32';

/** Whether there is a desktop VS Code and a display to show it on. */
export function hasDesktop() {
  const display = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  return Boolean(display) && onPath(windows ? 'code.cmd' : 'code');
}

const code = (args) => (windows ? ['cmd.exe', ['/d', '/c', 'code', ...args]] : ['code', args]);

/** Ends the processes that run in this profile: VS Code's launcher does not own the window it opened. */
function endProfile(profile) {
  if (windows) return;
  const running = execFileSync('ps', ['-axo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  for (const line of running) {
    const pid = Number(/^\s*(\d+)/.exec(line)?.[1]);
    if (!line.includes(profile) || !pid || pid === process.pid) continue;
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      // it ended by itself meanwhile
    }
  }
}

/**
 * Opens desktop VS Code with the packaged extension on a folder.
 * @returns `exited` resolves when its window is closed; `stop` closes it
 */
export async function openDesktop({ vsix, folder, settings }) {
  const profile = scratchDir('code');
  mkdirSync(path.join(profile, 'user', 'User'), { recursive: true });
  writeFileSync(path.join(profile, 'user', 'User', 'settings.json'), JSON.stringify(settings, null, 2));
  const own = [
    '--user-data-dir',
    path.join(profile, 'user'),
    '--extensions-dir',
    path.join(profile, 'extensions'),
  ];
  if (process.getuid?.() === 0) own.push('--no-sandbox'); // Chromium has none for root
  const remove = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  try {
    await must('installing the extension', ...code([...own, '--install-extension', vsix]), { seconds: 120 });
  } catch (error) {
    remove();
    throw error;
  }
  const group = startGroup(...code([...own, '--new-window', '--wait', folder]), { stdio: 'ignore' });
  const stop = async () => {
    endProfile(profile);
    await group.stop();
    remove();
  };
  return { exited: group.exited, stop };
}
