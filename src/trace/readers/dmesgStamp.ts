/**
 * What a line of a kernel log begins with. `boot`: seconds since the kernel's start; `wall`: since 1970, of local time when the
 * line does not say which; `day`: of a syslog, which does not say the year.
 */
export interface Stamp {
  readonly clock: 'boot' | 'wall' | 'day';
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Digits of the fraction. */
  readonly digits: number;
}

interface StampedLine {
  readonly stamp: Stamp | undefined;
  /** Who wrote the line, of a syslog: `kernel`. */
  readonly tag: string | undefined;
  readonly message: string;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const ESCAPE = String.fromCharCode(0x1b);
/** Colours of dmesg, a hypervisor's mark, the priority of a console (`<6>`) or of `dmesg -x` (`kern  :info  : `). */
const COLOUR = new RegExp(`${ESCAPE}\\[[0-9;]*m`, 'g');
const MARK = /^(?:\(XEN\) )?(?:<\d{1,3}>)?(?:[a-z0-9]{3,8} *:[a-z]{3,7} *: ?)?/;
/** `[   12.345678]`, `[   12.345678 <    0.000012>]`, `[   12.345678][    T1]`. */
const BOOT = /^\[ *(\d{1,10})\.(\d{1,9})(?: <[ \d.]*>)?\](?:\[ *[TC]\d+\])? ?/;
/** `[Thu Oct 22 08:54:51 2020] ` */
const CTIME = /^\[[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})\] ?/;
/** `2020-10-22T08:54:51,123456+02:00 ` */
const ISO = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)? /;
/** `Oct 22 08:54:51.123456 ` */
const SYSLOG = /^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? /;
/** `host kernel: `, `host systemd[1]: ` */
const TAG = /^(?:[^\s:[\]]+ )?([^\s:[\]]+)(?:\[\d+\])?: /;
const HOST_KERNEL = /^(?:[^\s:[\]]+ )?kernel: /;

/** Takes the stamp off a line. Sources: dmesg(1), journalctl(1), RFC 3164. */
export function readStamp(line: string): StampedLine {
  const plain = line.includes(ESCAPE) ? line.replace(COLOUR, '') : line;
  const text = plain.slice(MARK.exec(plain)?.[0].length ?? 0);
  const boot = BOOT.exec(text);
  if (boot) return withoutHost(bootStamp(boot), text.slice(boot[0].length));
  const outer = wallStamp(text);
  if (!outer) return withoutHost(undefined, text);
  const { stamp, length, syslog } = outer;
  const rest = text.slice(length);
  const tag = TAG.exec(rest);
  const isKernel = tag?.[1] === 'kernel';
  if (!syslog && !isKernel) return { stamp, tag: undefined, message: rest };
  if (!tag) return { stamp, tag: undefined, message: rest };
  const message = rest.slice(tag[0].length);
  // The kernel's own stamp is finer, and does not jump.
  const inner = isKernel ? BOOT.exec(message) : null;
  if (inner) return { stamp: bootStamp(inner), tag: 'kernel', message: message.slice(inner[0].length) };
  return { stamp, tag: tag[1], message };
}

function withoutHost(stamp: Stamp | undefined, text: string): StampedLine {
  const host = HOST_KERNEL.exec(text);
  return { stamp, tag: host ? 'kernel' : undefined, message: host ? text.slice(host[0].length) : text };
}

const bootStamp = ([, seconds = '0', fraction = '']: RegExpExecArray): Stamp => ({
  clock: 'boot',
  seconds: Number(seconds),
  nanoseconds: nanoseconds(fraction),
  digits: fraction.length,
});

const nanoseconds = (fraction: string): number => Number(fraction.padEnd(9, '0'));

function wallStamp(
  text: string,
): { readonly stamp: Stamp; readonly length: number; readonly syslog: boolean } | undefined {
  const iso = ISO.exec(text);
  if (iso) {
    const [all, year, month, day, hour, minute, second, fraction = '', zone = ''] = iso;
    const seconds =
      date(Number(year), Number(month) - 1, Number(day), [hour, minute, second]) - offsetOf(zone);
    return {
      stamp: { clock: 'wall', seconds, nanoseconds: nanoseconds(fraction), digits: fraction.length },
      length: all.length,
      syslog: false,
    };
  }
  const ctime = CTIME.exec(text);
  if (ctime) {
    const [all, month = '', day, hour, minute, second, year] = ctime;
    const number = MONTHS.indexOf(month);
    if (number < 0) return undefined;
    const seconds = date(Number(year), number, Number(day), [hour, minute, second]);
    return {
      stamp: { clock: 'wall', seconds, nanoseconds: 0, digits: 0 },
      length: all.length,
      syslog: false,
    };
  }
  const syslog = SYSLOG.exec(text);
  const month = MONTHS.indexOf(syslog?.[1] ?? '');
  if (!syslog || month < 0) return undefined;
  const [all, , day, hour, minute, second, fraction = ''] = syslog;
  // Any leap year: every day of a year is in it.
  const seconds = date(1972, month, Number(day), [hour, minute, second]);
  return {
    stamp: { clock: 'day', seconds, nanoseconds: nanoseconds(fraction), digits: fraction.length },
    length: all.length,
    syslog: true,
  };
}

const date = (
  year: number,
  month: number,
  day: number,
  [hour, minute, second]: readonly (string | undefined)[],
): number => Date.UTC(year, month, day, Number(hour), Number(minute), Number(second)) / 1000;

/** Seconds east of UTC. */
function offsetOf(zone: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60);
}
