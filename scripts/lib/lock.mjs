// Two runs on one machine: the second waits until the first has installed, then finds it done.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Whether the lock's owner is gone; false while it is still writing its name. */
function isStale(lock) {
  try {
    return !isAlive(Number(readFileSync(path.join(lock, 'pid'), 'utf8')));
  } catch {
    return false;
  }
}

/** Runs `work` while holding the lock `folder + '.lock'`; takes over the lock of a process that died. */
export async function withLock(folder, work, minutes = 15) {
  const lock = `${folder}.lock`;
  mkdirSync(path.dirname(lock), { recursive: true });
  const until = Date.now() + minutes * 60_000;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (isStale(lock)) rmSync(lock, { recursive: true, force: true });
      else if (Date.now() > until)
        throw new Error(`${lock} is held by another run for ${minutes} minutes; remove it.`, {
          cause: error,
        });
      else await sleep(500);
    }
  }
  try {
    writeFileSync(path.join(lock, 'pid'), String(process.pid));
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}
