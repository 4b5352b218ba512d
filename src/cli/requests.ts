/** Requests of `iopte translate`: one JSON object a line. */
import { constants, createReadStream, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { type Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { parseDevice, parseInteger, type TranslateRequest } from '../inspection/protocol';
import { badInput } from './errors';

/** A request is a hundred characters; a longer line is no request, and must not fill the memory. */
const LONGEST_LINE = 64 * 1024;
/** Bytes of a file that are read at once. */
const CHUNK = 512 * 1024;
/** Requests sent to the engine at once. */
const BATCH = 4096;

export interface NumberedLine {
  readonly text: string;
  /** 1-based. */
  readonly number: number;
}

/** Opens a file of requests, or a pipe (`--requests <(program)`). */
export async function openRequests(file: string): Promise<Readable> {
  const refuse = (why: string): Error =>
    badInput(`requests cannot be read: ${why}`, '- reads standard input');
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw refuse(`${file} is a folder`);
    if (!found.isFIFO()) return createReadStream(file, { highWaterMark: CHUNK });
    // As a file it would be read by a thread that waits for the writer and holds up the end of the process.
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: true, writable: false });
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw refuse(error.message);
    throw error;
  }
}

/**
 * Lines as they come, in batches: what arrived together is given together, so that a program that writes a request and
 * waits for its answer gets it. Blank lines are left out.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array | string>,
  name: string,
): AsyncGenerator<readonly NumberedLine[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let number = 0;
  const tooLong = (): Error =>
    badInput(
      `${name}:${number + 1}: the line has more than ${LONGEST_LINE} characters`,
      'write one request a line',
    );
  let begun = false;
  for await (const chunk of chunks) {
    let fresh = typeof chunk === 'string' ? chunk : decoder.write(chunk);
    if (!begun && fresh !== '') {
      begun = true;
      // Editors of Windows begin UTF-8 files with a byte order mark, which JSON does not know.
      fresh = fresh.replace(/^\u{feff}/u, '');
    }
    const parts = (rest + fresh).split('\n');
    rest = parts.pop() ?? '';
    let batch: NumberedLine[] = [];
    for (const text of parts) {
      if (text.length > LONGEST_LINE) {
        // What comes before a bad line is answered.
        if (batch.length > 0) yield batch;
        throw tooLong();
      }
      number++;
      if (text.trim() !== '') batch.push({ text, number });
      if (batch.length === BATCH) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
    if (rest.length > LONGEST_LINE) throw tooLong();
  }
  rest += decoder.end();
  if (rest.trim() !== '') yield [{ text: rest, number: number + 1 }];
}

/** One request. Throws a CliError that names file and line. */
export function parseRequest(line: NumberedLine, name: string): TranslateRequest {
  const refuse = (message: string, hint = EXAMPLE): Error =>
    badInput(`${name}:${line.number}: ${message}`, hint);
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch (error) {
    throw refuse(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('not a JSON object');
  const { sid, segment, pasid = null, iova, access } = value as Readonly<Record<string, unknown>>;
  const device = typeof sid === 'string' ? parseDevice(sid) : undefined;
  const requesterNumber = device?.requester ?? toInteger(sid, 0xffff_ffffn);
  if (requesterNumber === undefined) {
    throw refuse(`"sid" is ${shown(sid)}`, 'write an id of at most 32 bits as "0x10", or "00:02.0"');
  }
  const segmentNumber = segment === undefined ? device?.segment : toInteger(segment, 0xffffn);
  if (segment !== undefined && segmentNumber === undefined) {
    throw refuse(`"segment" is ${shown(segment)}`, 'leave it out, or write a PCI segment of at most 16 bits');
  }
  const pasidNumber = pasid === null ? null : toInteger(pasid, 0xfffffn);
  if (pasidNumber === undefined) {
    throw refuse(`"pasid" is ${shown(pasid)}`, 'write null, or a PASID of at most 20 bits as "0x1"');
  }
  const address = toInteger(iova, (1n << 64n) - 1n);
  if (address === undefined) {
    throw refuse(`"iova" is ${shown(iova)}`, 'write an address of at most 64 bits as a string: "0xffee0000"');
  }
  if (access !== 'read' && access !== 'write') {
    throw refuse(`"access" is ${shown(access)}`, 'write "read" or "write"');
  }
  return {
    requester: Number(requesterNumber),
    ...(segmentNumber === undefined ? {} : { segment: Number(segmentNumber) }),
    pasid: pasidNumber === null ? null : Number(pasidNumber),
    iova: address,
    access,
  };
}

const EXAMPLE = '{"sid": "0x10", "pasid": null, "iova": "0xffee0000", "access": "read"}';

/** Strings in hexadecimal or decimal, and numbers as long as JSON can hold them exactly. */
function toInteger(value: unknown, highest: bigint): bigint | undefined {
  const parsed =
    typeof value === 'string'
      ? parseInteger(value)
      : typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
        ? BigInt(value)
        : undefined;
  return parsed !== undefined && parsed <= highest ? parsed : undefined;
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'number' && value > Number.MAX_SAFE_INTEGER)
    return 'a number that JSON cannot hold exactly';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
