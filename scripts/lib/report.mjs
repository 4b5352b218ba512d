// What a layer says while it runs, and what it comes to. Layers run side by side, their lines stay in order.

/** Lines of one layer: held back until every layer before it is through. */
class Lines {
  #held = [];
  #open = false;

  print(line) {
    if (this.#open) console.log(line);
    else this.#held.push(line);
  }

  open() {
    this.#open = true;
    for (const line of this.#held.splice(0)) console.log(line);
  }
}

/** Collects the named tests of one layer. */
export class LayerReport {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** Names of what failed, for the summary. */
  failures = [];
  #lines = new Lines();

  constructor(title) {
    this.title = title;
  }

  /** Shows this layer's lines from now on. */
  open() {
    this.#lines.open();
  }

  line(text) {
    this.#lines.print(text);
  }

  pass(name) {
    this.passed++;
    this.line(`ok   ${name}`);
  }

  fail(name, details = []) {
    this.failed++;
    this.failures.push(name);
    this.line(`FAIL ${name}`);
    for (const detail of details) this.line(`     ${detail}`);
  }

  /** Takes over a line of a suite that prints as scripts/lib/lineReporter.cjs does. */
  suiteLine(line) {
    this.line(line);
    if (line.startsWith('ok   ')) this.passed++;
    else if (line.startsWith('skip ')) this.skipped++;
    else if (line.startsWith('FAIL ')) {
      this.failed++;
      this.failures.push(line.slice(5));
    }
  }
}

/** `1:05` for 65,000 ms. */
export function clock(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Wall time of several spans [start, end), each moment counted once. */
export function wallTime(spans) {
  let total = 0;
  let reached = -Infinity;
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    total += Math.max(0, end - Math.max(start, reached));
    reached = Math.max(reached, end);
  }
  return total;
}

/** The table of times: one row a group, with its budget. */
export function timeTable(groups) {
  const rows = groups.map(({ title, milliseconds, budget, passed, failed, skipped }) => [
    title,
    clock(milliseconds),
    budget === undefined ? '' : `of ${clock(budget * 1000)}${milliseconds > budget * 1000 ? '  OVER' : ''}`,
    `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  ]);
  const width = Math.max(...rows.map(([title]) => title.length));
  return rows.map(
    ([title, time, of, counts]) => `${title.padEnd(width)}  ${time.padStart(5)} ${of.padEnd(15)} ${counts}`,
  );
}
