/**
 * Pre-copy as slowly and plainly as it can be said: leaves are a list, pages a Set, devices move one access after the other. It is
 * written from docs/scenarios/migration.md and shares nothing with the engine.
 */
export const PAGE = 4096;

export interface PlainDevice {
  /** Bytes a second, reads included. */
  readonly rate: number;
  /** One turn of what it does: bytes of each access, and where it writes, by the number of the turn. */
  readonly turn: (turn: number) => readonly { readonly bytes: number; readonly writes?: number }[];
}

export interface PlainMigration {
  readonly memory: number;
  /** Bytes of every leaf. */
  readonly leaf: number;
  readonly devices: readonly PlainDevice[];
  readonly vcpus: { readonly rate: number; readonly workingSet: number };
  readonly link: number;
  readonly downtimeLimit: number;
  readonly mostRounds: number;
  readonly policy: 'as-is' | 'split-eagerly' | 'split-on-dirty';
  readonly zeroPages: number;
  readonly costs: { readonly scan: number; readonly flush: number; readonly split: number };
}

export interface PlainRound {
  readonly blackout: boolean;
  readonly seconds: number;
  readonly sent: number;
  readonly pending: number;
  readonly written: number;
  readonly reported: number;
  readonly splits: number;
}

export interface PlainResult {
  readonly rounds: readonly PlainRound[];
  readonly converged: boolean;
  readonly preparation: number;
}

const union = (one: Set<number>, other: Set<number>) => new Set([...one, ...other]);
const difference = (one: Set<number>, other: Set<number>) =>
  new Set([...one].filter((page) => !other.has(page)));

/** Pages that a device or the vCPUs write from one time to the next; times only rise. */
type Writer = (until: number) => Set<number>;

function deviceWriter({ rate, turn }: PlainDevice, nudge: number): Writer {
  // Requests come at an even pace, each as if it had its share of a turn's bytes.
  const share = turn(0).reduce((all, { bytes }) => all + bytes, 0) / turn(0).length;
  let done = 0;
  let turns = 0;
  let left: ReturnType<PlainDevice['turn']>[number][] = [];
  return (until) => {
    const pages = new Set<number>();
    for (; (done + 1) * share <= rate * until + nudge; done++) {
      if (left.length === 0) left = [...turn(turns++)];
      const next = left.shift();
      if (next?.writes === undefined) continue;
      const last = Math.floor((next.writes + next.bytes - 1) / PAGE);
      for (let page = Math.floor(next.writes / PAGE); page <= last; page++) pages.add(page);
    }
    return pages;
  };
}

function vcpuWriter({ rate, workingSet }: PlainMigration['vcpus'], nudge: number): Writer {
  let done = 0;
  return (until) => {
    const pages = new Set<number>();
    for (; (done + 1) * PAGE <= rate * until + nudge; done++) pages.add(done % (workingSet / PAGE));
    return pages;
  };
}

/** `nudge`: bytes by which devices and vCPUs are ahead; what depends on a fraction of a byte is nobody's rule. */
export function plainPrecopy(spec: PlainMigration, nudge = 0): PlainResult {
  const { costs, link } = spec;
  let leaves = Array.from({ length: spec.memory / spec.leaf }, (_, index) => ({
    start: index * spec.leaf,
    end: (index + 1) * spec.leaf,
  }));
  const small = (leaf: { start: number; end: number }) =>
    Array.from({ length: (leaf.end - leaf.start) / PAGE }, (_, index) => ({
      start: leaf.start + index * PAGE,
      end: leaf.start + (index + 1) * PAGE,
    }));
  const splitAll = (which: typeof leaves): number => {
    leaves = leaves.flatMap((leaf) => (which.includes(leaf) ? small(leaf) : [leaf]));
    return which.reduce(
      (seconds, { start, end }) => seconds + ((end - start) / PAGE) * costs.split + costs.flush,
      0,
    );
  };
  const devices = spec.devices.map((device) => deviceWriter(device, nudge));
  const vcpus = vcpuWriter(spec.vcpus, nudge);
  let now = 0;
  // Written and not yet asked for: what is dirty in the tables and in the vCPUs' log.
  let byDevices = new Set<number>();
  let byVcpus = new Set<number>();
  const goOn = (seconds: number): void => {
    now += seconds;
    for (const device of devices) byDevices = union(byDevices, device(now));
    byVcpus = union(byVcpus, vcpus(now));
  };
  const harvest = () => {
    const dirty = leaves.filter(({ start, end }) => {
      for (let page = start / PAGE; page < end / PAGE; page++) if (byDevices.has(page)) return true;
      return false;
    });
    const reported = new Set(byVcpus);
    for (const { start, end } of dirty)
      for (let page = start / PAGE; page < end / PAGE; page++) reported.add(page);
    const written = union(byDevices, byVcpus);
    byDevices = new Set();
    byVcpus = new Set();
    // Nothing is invalidated where nothing was dirty.
    const seconds = leaves.length * costs.scan + (dirty.length > 0 ? costs.flush : 0);
    return { seconds, dirty: dirty.filter(({ start, end }) => end - start > PAGE), reported, written };
  };

  // What is written meanwhile is sent by the first round: clocks begin with it.
  let preparation = costs.flush;
  if (spec.policy === 'split-eagerly' && spec.leaf > PAGE) preparation += splitAll([...leaves]);

  const rounds: PlainRound[] = [];
  const zeros = (spec.memory / PAGE) * spec.zeroPages;
  let pending = new Set(Array.from({ length: spec.memory / PAGE }, (_, page) => page));
  let sent = spec.memory - zeros * PAGE + zeros * 9;
  for (;;) {
    const begun = now;
    goOn(sent / link);
    const { dirty, reported, written, seconds } = harvest();
    goOn(seconds);
    const ends = reported.size * PAGE < link * spec.downtimeLimit || reported.size === 0;
    const splits = spec.policy === 'split-on-dirty' ? dirty : [];
    goOn(splitAll(splits));
    rounds.push({
      ...{ blackout: false, sent, pending: pending.size * PAGE, splits: splits.length },
      ...{ seconds: now - begun, written: written.size * PAGE, reported: reported.size * PAGE },
    });
    pending = reported;
    sent = pending.size * PAGE;
    if (ends || rounds.length === spec.mostRounds) {
      if (!ends) return { rounds, converged: false, preparation };
      break;
    }
  }
  // The guest stands still: what it wrote after the last harvest goes over, too.
  const late = harvest();
  const more = difference(late.reported, pending).size * PAGE;
  rounds.push({
    ...{ blackout: true, pending: sent, sent: sent + more, splits: 0, reported: more },
    ...{ written: difference(late.written, pending).size * PAGE },
    seconds: (sent + more) / link + late.seconds,
  });
  return { rounds, converged: true, preparation };
}
