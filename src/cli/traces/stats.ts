import { type TraceSummary } from '../../inspection/protocol';
import { bytesText, timeText } from '../figures';
import { type Output } from '../output';
import { countText, secondsText } from './words';

/** What programs get: docs/cli.md. */
export const statsJson = ({ format, rows, events, unknown, lost }: TraceSummary): object => ({
  ...{ format, rows, events, unknown, lost },
});

/** Devices that are named in the text. */
const NAMED = 12;

/** What is in a trace. */
export async function writeStats(summary: TraceSummary, output: Output): Promise<void> {
  const { name, title, bytes, rows, events, unknown, lost, firstTime, lastTime, devices } = summary;
  await output.title(`${name}: ${title}`);
  const from = secondsText(summary, firstTime);
  const to = secondsText(summary, lastTime);
  const span = firstTime === null || lastTime === null ? undefined : timeText((lastTime - firstTime) / 1e9);
  await output.lines([
    `  ${countText(rows)} rows in ${bytesText(bytes)}, ${countText(unknown)} unknown, ${countText(lost)} events lost`,
    ...(span === undefined ? [] : [`  from ${from} to ${to} s: ${span}`]),
    devices.length === 0
      ? `  ${summary.namesDevices ? 'no device is named' : 'the trace does not name devices'}`
      : `  devices: ${devices.slice(0, NAMED).join(' ')}${devices.length > NAMED ? ` and ${devices.length - NAMED} more` : ''}`,
    '',
  ]);
  const sorted = Object.entries(events).sort(([, one], [, other]) => other - one);
  await output.table(
    [{ title: 'EVENT' }, { title: 'ROWS', align: 'right' }],
    sorted.map(([event, count]) => [event, countText(count)]),
    { indent: 2 },
  );
}
