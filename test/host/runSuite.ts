/** What both hosts share: print each test so that the launcher finds it, and fail when there is none. */

/** Before each line; the launcher tells these lines from the workbench's own log by it. */
const PREFIX = '[test] ';

/** Whole lines only: the log that carries them keeps no part of a line apart. */
export function print(line: string): void {
  for (const part of line.split('\n')) console.log(PREFIX + part);
}

/** Settles when mocha is through: rejects when a test failed, or when there was none. */
export function finish(start: (done: (failures: number) => void) => Mocha.Runner): Promise<void> {
  return new Promise((resolve, reject) => {
    const runner = start((failures) => {
      const passes = runner.stats?.passes ?? 0;
      if (failures > 0 || passes === 0)
        reject(new Error(`${String(failures)} tests failed, ${String(passes)} passed`));
      else resolve();
    });
  });
}
