// Child processes in groups of their own: whatever a child starts ends with it.
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';

const windows = process.platform === 'win32';
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Process ids of the groups that were started here and not yet ended. */
const alive = new Set();

function signalGroup(pid, signal) {
  try {
    if (windows) spawnSync('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore' });
    else process.kill(-pid, signal);
    return true;
  } catch {
    return false; // the group is gone
  }
}

process.on('exit', () => {
  for (const pid of alive) signalGroup(pid, 'SIGKILL');
});

/**
 * Starts a program as the leader of a new process group.
 * @returns `exited` resolves to {code, signal, error} and never rejects; `stop(graceMs)` ends the whole group.
 */
export function startGroup(
  command,
  args,
  { cwd, env = process.env, stdio = ['ignore', 'pipe', 'pipe'] } = {},
) {
  const child = spawn(command, args, { cwd, env, stdio, detached: !windows, windowsHide: true });
  const { pid } = child;
  if (pid !== undefined) alive.add(pid);
  const exited = new Promise((done) => {
    child.once('error', (error) => done({ code: 1, signal: null, error }));
    child.once('exit', (code, signal) => done({ code, signal }));
  });

  const stop = async (graceMs = 5000) => {
    if (pid === undefined || !alive.has(pid)) return;
    for (const [signal, wait] of [
      ['SIGTERM', graceMs],
      ['SIGKILL', 2000],
    ]) {
      if (!signalGroup(pid, signal)) break;
      const until = Date.now() + wait;
      while (Date.now() < until && signalGroup(pid, 0)) await sleep(50);
    }
    alive.delete(pid);
  };
  return { child, pid, exited, stop };
}

/**
 * Runs a program to its end and hands over its output line by line.
 * @returns {{code: number, lines: string[], timedOut: boolean}} `code` is never 0 when it was ended from here.
 */
export async function run(command, args, { seconds = 600, onLine = () => {}, ...options } = {}) {
  const lines = [];
  const group = startGroup(command, args, options);
  const take = (line) => {
    lines.push(line);
    onLine(line);
  };
  const drained = [group.child.stdout, group.child.stderr]
    .filter(Boolean)
    .map(
      (stream) =>
        new Promise((done) => createInterface({ input: stream }).on('line', take).once('close', done)),
    );

  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    take(`${command} was ended: it was still running after ${seconds} s`);
    void group.stop();
  }, seconds * 1000);
  const { code, signal, error } = await group.exited;
  clearTimeout(timer);
  if (error) take(`${command} could not be started: ${error.message}`);
  if (signal && !timedOut) take(`${command} was ended by ${signal}`);
  await group.stop(); // what the program left behind
  await Promise.race([Promise.all(drained), sleep(1000)]);
  return { code: timedOut ? 124 : (code ?? 1), lines, timedOut };
}

/** As `run`, but throws with the program's last lines when it fails. */
export async function must(what, command, args, options) {
  const result = await run(command, args, options);
  if (result.code !== 0) {
    throw new Error(`${what} failed (exit ${result.code}).\n${result.lines.slice(-30).join('\n')}`);
  }
  return result.lines;
}

/** npm as it runs us, or the one on the PATH; without the variables that npm sets for the script it runs. */
export function npmCommand(args) {
  const script = process.env.npm_execpath;
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(package|lifecycle|command|config_local_prefix)/.test(name),
    ),
  );
  if (script?.endsWith('.js')) return { command: process.execPath, args: [script, ...args], env };
  return windows
    ? { command: 'cmd.exe', args: ['/d', '/s', '/c', 'npm', ...args], env }
    : { command: 'npm', args, env };
}
