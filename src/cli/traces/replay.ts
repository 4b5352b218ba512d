import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { DESCRIPTION_SUFFIX, type TraceSpaces } from '../../inspection/protocol';
import { badInput, badUsage } from '../errors';
import { bytesText } from '../figures';
import { type Output } from '../output';
import { missing, writeWhole } from '../scenarios/wholeFile';
import { reason } from '../scenarios/files';
import { type Session } from '../session';
import { type CliTrace } from './trace';
import { countText } from './words';
import { stat } from 'node:fs/promises';

/** Which tables. */
export interface AskedReplay {
  /** From 0. */
  readonly row: number | 'end';
  readonly spaces: TraceSpaces;
  readonly vendor?: string;
  readonly save?: string;
}

/** Builds the tables as they stood after a row; saves them, or says what is mapped in them. */
export async function replayTo(
  session: Session,
  trace: CliTrace,
  asked: AskedReplay,
  {
    output,
    json,
    note,
  }: { readonly output: Output; readonly json: boolean; readonly note: (text: string) => void },
): Promise<void> {
  const { rows, name } = trace.summary;
  const row = asked.row === 'end' ? rows - 1 : asked.row;
  if (row < 0 || row >= rows) throw badUsage(`there is no row ${row + 1}`, `${name} has ${rows} rows`);
  if (asked.save !== undefined) {
    await save(session, trace, { ...asked, row, save: asked.save }, note);
    return;
  }
  const live = await trace.request('traceLive', { row, spaces: asked.spaces });
  for (const { message } of live.notes) note(`note: ${message}`);
  if (json) await output.json(live.spaces.map((space) => ({ type: 'space', row: row + 1, ...space })));
  else {
    await output.title(`${name} after row ${row + 1}`);
    await output.table(
      [{ title: 'SPACE' }, { title: 'MAPPINGS', align: 'right' }, { title: 'BYTES', align: 'right' }],
      live.spaces.map((space) => [space.name, countText(space.mappings), bytesText(space.bytes)]),
      { indent: 2 },
    );
  }
}

async function save(
  session: Session,
  trace: CliTrace,
  asked: AskedReplay & { readonly row: number; readonly save: string },
  note: (text: string) => void,
): Promise<void> {
  const { row, spaces, vendor } = asked;
  const image = asked.save;
  const description = `${image.replace(/\.gz$/i, '').replace(/\.[^.\\/]*$/, '')}${DESCRIPTION_SUFFIX}`;
  for (const file of [image, description]) await mustBeFree(file);
  const { inspection } = session;
  const opened = await session.request('open', {
    inspection,
    replay: { trace: trace.id, row, spaces, ...(vendor === undefined ? {} : { vendor }) },
  });
  for (const { severity, message } of opened.problems) note(`${severity}: ${message}`);
  const saved = await session.request('saveMachine', { inspection, name: path.basename(image) });
  await write(image, /\.gz$/i.test(image) ? gzipSync(saved.image) : saved.image);
  await write(description, saved.description);
  note(`wrote ${image} and ${description}: the tables after row ${row + 1}`);
}

/** Never over a file that is there: it may be the image of a real machine. */
async function mustBeFree(file: string): Promise<void> {
  if (await stat(file).catch(missing)) {
    throw badInput(`${file} is there already`, 'give the name of a file that is not there yet');
  }
}

async function write(file: string, contents: string | Uint8Array): Promise<void> {
  try {
    await writeWhole(file, contents);
  } catch (error) {
    throw badInput(`${file} cannot be written: ${reason(error)}`);
  }
}
