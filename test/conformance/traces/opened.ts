/** Traces as a client of the engine sees them: opened, read to the end, and all rows of a view. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { type EngineClient, type TraceRow, type TraceSummary } from '../../../src/inspection/protocol';
import { CORPUS } from '../manifest';

const TRACES = path.join(__dirname, '../../fixtures/traces');

/** The file of a guest's sample, and of all its events from boot to the moment of its image. */
export const sampleFile = (guest: string, file: string): string => path.join(TRACES, guest, `${file}.gz`);
export const bootFile = (guest: string): string => path.join(CORPUS, `${guest}.ftrace.txt.gz`);

/** The text of a packed file. */
export function textOf(file: string): string {
  const packed = readFileSync(file);
  return (file.endsWith('.br') ? brotliDecompressSync(packed) : gunzipSync(packed)).toString('latin1');
}

/** Opens a file, or bytes, and reads it to the end. */
export async function openWhole(
  client: EngineClient,
  content: { readonly path: string } | string | Uint8Array,
  trace = 't',
): Promise<TraceSummary> {
  const file =
    typeof content === 'string' || content instanceof Uint8Array
      ? ({ kind: 'bytes', name: 'trace', bytes: bytesOf(content) } as const)
      : ({ kind: 'path', path: content.path } as const);
  await client.request('traceOpen', { trace, file });
  return client.request('traceIndex', { trace });
}

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content;

/** All rows of a view. */
export async function allRows(client: EngineClient, view = '', trace = 't'): Promise<TraceRow[]> {
  const rows: TraceRow[] = [];
  for (;;) {
    const page = await client.request('traceRows', { trace, view, first: rows.length, count: 1000 });
    rows.push(...page.rows);
    if (page.rows.length === 0 || rows.length >= page.total) return rows;
  }
}
