/**
 * Samples of real guests through the engine, each against an oracle of its own: counts against headers and manifests, rows against
 * a regular expression over the line as it stands in the file.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type EngineClient, type TraceRow, type TraceSummary } from '../../../src/inspection/protocol';
import { GUESTS as NAMES } from '../../builders/traceRows';
import { runInProcess } from '../../unit/cli/traceCli';
import { inProcessEngine } from '../../unit/inspection/inProcess';
import { CORPUS } from '../manifest';
import { contextOf, differences, type Facts, kernelFacts, qemuLine } from './lines';
import { allRows, bootFile, openWhole, sampleFile, textOf } from './opened';

const GUESTS = NAMES.map((name) => `${name}-share`);
const FTRACE = ['boot.head', 'sample_alldma', 'sample_latfmt', 'sample_noctx', 'sample_tgid_mono'].map(
  (name) => `ftrace_${name}.txt`,
);
const TRACES = path.join(__dirname, '../../fixtures/traces');
const has = (guest: string, file: string): boolean => existsSync(path.join(TRACES, guest, `${file}.gz`));

interface Manifest {
  readonly oracle: { readonly faults: readonly unknown[]; readonly counts: Readonly<Record<string, number>> };
  readonly linux_ftrace_replay: { readonly events: Readonly<Record<string, number>> };
}

const manifestOf = (guest: string): Manifest =>
  JSON.parse(readFileSync(path.join(CORPUS, `${guest}.manifest.json`), 'utf8')) as Manifest;

/** An access that a device was refused, in one form for manifests and kernel logs; the address is its page's. */
const faultKey = (sid: unknown, iova: bigint, reason: unknown, write: boolean): string =>
  `${Number(sid)} ${(iova >> 12n).toString(16)} ${Number(reason)} ${write ? 'w' : 'r'}`;

/** RISC-V: causes 7 and 15 are of writes. */
const riscvWrite = (cause: number): boolean => cause === 7 || cause === 15;

/** The faults that a guest's emulator counted. */
const manifestFaults = (guest: string): string[] =>
  manifestOf(guest).oracle.faults.map((fault) => {
    if (Array.isArray(fault)) {
      const [sid, iova, reason, write] = fault as readonly string[];
      return faultKey(sid, BigInt(iova ?? ''), reason, write === '1');
    }
    const { sid, iova, cause } = fault as { sid: string; iova: string; cause: number };
    return faultKey(sid, BigInt(iova), cause, riscvWrite(cause));
  });

/** The fault that a line of the kernel's log tells of. */
function logFault(line: string): string | undefined {
  const vtd =
    /DMAR: \[DMA (Read|Write) .*\] Request device \[(\w+):(\w+)\.(\d)\] fault addr (\w+) \[fault reason (\w+)\]/.exec(
      line,
    );
  if (vtd) {
    const [, way, bus = '', slot = '', fn = '', iova = '', reason] = vtd;
    const sid = (parseInt(bus, 16) << 8) | (parseInt(slot, 16) << 3) | Number(fn);
    return faultKey(sid, BigInt(iova), reason, way === 'Write');
  }
  const riscv = /Fault (\d+) devid: (\w+) iotval: (\w+)/.exec(line);
  if (!riscv) return undefined;
  const [, cause, devid, iova = ''] = riscv;
  return faultKey(devid, BigInt(`0x${iova}`), cause, riscvWrite(Number(cause)));
}

/** Lines that are rows: no comment, not empty. */
const linesOf = (text: string): string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

/** Counts of names, without an order. */
function counted(names: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

describe('samples of traces, each against its oracle', () => {
  let client: EngineClient;
  before(() => void ({ client } = inProcessEngine()));
  after(() => client.dispose());

  /** Each line is a row, in its order, with what `read` finds in it. */
  function everyRow(
    lines: readonly string[],
    rows: readonly TraceRow[],
    { origin }: TraceSummary,
    read: (line: string) => { readonly event: string; readonly facts: Facts } | undefined,
  ): void {
    assert.equal(rows.length, lines.length);
    const wrong: string[] = [];
    for (const [at, line] of lines.entries()) {
      const row = rows[at];
      const wanted = read(line);
      assert.ok(row && wanted, line);
      assert.equal(row.row, at);
      assert.equal(row.line, line);
      if (row.event !== wanted.event) wrong.push(`${line}: event ${row.event}`);
      wrong.push(...differences(row, wanted.facts, origin).map((what) => `${line}: ${what}`));
    }
    assert.deepEqual(wrong.slice(0, 5), []);
  }

  const readKernel = (line: string) => {
    const context = contextOf(line);
    if (!context) return undefined;
    const { event, payload, facts } = context;
    return { event, facts: { ...facts, ...kernelFacts(event, payload) } };
  };

  function everyEvent(lines: readonly string[], summary: TraceSummary): void {
    const events = counted(lines.map((line) => contextOf(line)?.event ?? 'unknown'));
    assert.deepEqual({ ...summary.events }, events);
    assert.equal(summary.unknown, 0);
    assert.equal(summary.lost, 0);
  }

  for (const guest of GUESTS) {
    describe(guest, () => {
      for (const file of FTRACE) {
        if (!has(guest, file)) continue;
        it(`${file}: events by count, rows by their lines`, async () => {
          const place = sampleFile(guest, file);
          const text = textOf(place);
          const lines = linesOf(text);
          const summary = await openWhole(client, { path: place });
          assert.equal(summary.format, 'ftrace');
          assert.equal(summary.bytes, text.length);
          assert.ok(summary.complete);
          assert.equal(summary.rows, lines.length);
          everyEvent(lines, summary);
          everyRow(lines, await allRows(client), summary, readKernel);
          const header = /entries-in-buffer\/entries-written: (\d+)\/|#(\d+)\/\d+, CPU/.exec(text);
          const entries = Number(header?.[1] ?? header?.[2] ?? lines.length);
          // The header counts the buffer; who kept less of it has to be told.
          const told = summary.problems.some(({ message }) => message.includes(String(entries)));
          assert.equal(told, entries !== lines.length, JSON.stringify(summary.problems));
        });
      }

      for (const [file, format] of [
        ['trace-cmd-report.txt', 'trace-cmd'],
        ['perf-script.txt', 'perf'],
      ] as const) {
        if (!has(guest, file)) continue;
        it(`${file}: every field of every line`, async () => {
          const place = sampleFile(guest, file);
          const lines = linesOf(textOf(place)).filter((line) => !line.startsWith('cpus='));
          const summary = await openWhole(client, { path: place });
          assert.match(`${summary.format} ${summary.title}`, new RegExp(format));
          everyEvent(lines, summary);
          everyRow(lines, await allRows(client), summary, readKernel);
        });
      }

      it('qemu-trace.sample.log: every field of every line', async () => {
        const place = sampleFile(guest, 'qemu-trace.sample.log');
        const lines = linesOf(textOf(place));
        const summary = await openWhole(client, { path: place });
        everyRow(lines, await allRows(client), summary, qemuLine);
        assert.deepEqual({ ...summary.events }, counted(lines.map((line) => qemuLine(line).event)));
        assert.equal(summary.unknown, 0);
      });
    });
  }

  for (const guest of GUESTS) {
    if (!existsSync(bootFile(guest))) continue;
    it(`${guest}: as many maps and unmaps until the image as its manifest, and as many rows as the header has entries`, async () => {
      const run = await runInProcess('trace', bootFile(guest), '--stats', '--json');
      assert.equal(run.stderr, '');
      const text = textOf(bootFile(guest));
      const { format, rows, events, unknown, lost } = JSON.parse(run.stdout) as Record<string, unknown>;
      assert.deepEqual({ format, unknown, lost }, { format: 'ftrace', unknown: 0, lost: 0 });
      assert.equal(rows, Number(/entries-written: \d+\/(\d+)/.exec(text)?.[1]));
      assert.deepEqual(
        events,
        counted([...text.matchAll(/^[^#].*? \d+\.\d+: (\w+): /gm)].map(([, name = '']) => name)),
      );
      const { map = 0, unmap = 0 } = events;
      assert.deepEqual({ map, unmap }, { map: 0, unmap: 0, ...manifestOf(guest).linux_ftrace_replay.events });
    });
  }

  describe('kernel logs', () => {
    for (const guest of GUESTS) {
      const lines = linesOf(textOf(sampleFile(guest, 'dmesg_iommu.txt')));
      const told = lines.flatMap((line) => logFault(line) ?? []);
      it(`${guest}: its faults are those of its lines, and each is one that the emulator refused`, async () => {
        const summary = await openWhole(client, { path: sampleFile(guest, 'dmesg_iommu.txt') });
        const rows = await allRows(client);
        const faults = rows.filter(({ operation }) => operation === 'fault');
        if (!guest.includes('smmu')) {
          assert.equal(rows.length, lines.length);
          const found = faults.map(
            ({ line, iova, count, flags }) =>
              // Who it was stands in the line; the rest is the row's.
              `${(logFault(line) ?? '').split(' ')[0] ?? ''} ${faultKey(0, BigInt(iova ?? ''), count, flags.includes('write')).slice(2)}`,
          );
          assert.deepEqual(found, told);
        }
        if (/^(vtd|riscv)/.test(guest)) {
          const refused = new Set(manifestFaults(guest));
          assert.deepEqual(
            told.filter((fault) => !refused.has(fault)),
            [],
          );
        }
        assert.equal(summary.unknown, 0);
      });
    }

    it('SMMUv3: five lines are an event, whose stream, kind and address its words have', async () => {
      for (const guest of GUESTS.filter((name) => name.startsWith('smmuv3'))) {
        const lines = linesOf(textOf(sampleFile(guest, 'dmesg_iommu.txt')));
        const wanted: string[] = [];
        for (const [at, line] of lines.entries()) {
          const kind = /event (0x\w+) received:/.exec(line)?.[1];
          if (kind === undefined) continue;
          const words = lines
            .slice(at + 1, at + 5)
            .map((word) => BigInt(/\t(0x\w{16})$/.exec(word)?.[1] ?? '-1'));
          const [first = 0n, , iova = 0n] = words;
          assert.equal(first & 0xffn, BigInt(kind));
          wanted.push(`${Number(kind)} ${(first >> 32n).toString(16)} ${iova.toString(16)}`);
        }
        await openWhole(client, { path: sampleFile(guest, 'dmesg_iommu.txt') });
        const faults = (await allRows(client)).filter(({ operation }) => operation === 'fault');
        assert.deepEqual(
          faults.map(
            ({ count, device, iova }) =>
              `${count} ${/0x(\w+)$/.exec(device ?? '')?.[1] ?? ''} ${iova?.slice(2) ?? ''}`,
          ),
          wanted,
        );
        assert.equal(faults.length > 0, wanted.length > 0);
      }
    });
  });

  it('the whole log of a QEMU has as many events as its manifest counts', async () => {
    const text = textOf(path.join(TRACES, 'vtd-legacy-share/qemu-trace.log.br'));
    const summary = await openWhole(client, text);
    const { counts } = manifestOf('vtd-legacy-share').oracle;
    const events = summary.events;
    assert.deepEqual(
      {
        bytes: summary.bytes,
        inv_global: events['vtd_inv_desc_iotlb_global'],
        update: events['vtd_iotlb_page_update'],
        translate: events['vtd_dmar_translate'],
        hit: events['vtd_iotlb_page_hit'],
        inv_pages: events['vtd_inv_desc_iotlb_pages'],
        inv_domain: events['vtd_inv_desc_iotlb_domain'],
        fault: events['vtd_dmar_fault'],
      },
      counts,
    );
    assert.equal(summary.rows, text.split('\n').length - 1);
    assert.equal(summary.unknown, 0);
  });

  for (const guest of GUESTS) {
    for (const version of [6, 7]) {
      const file = `trace.v${version}.dat`;
      if (!has(guest, file)) continue;
      it(`${guest}/${file}: every line that trace-cmd reports, in its order, and every field`, async () => {
        const summary = await openWhole(client, { path: sampleFile(guest, file) });
        assert.equal(summary.format, 'trace.dat');
        assert.match(summary.title, new RegExp(`version ${version}`));
        assert.deepEqual([summary.unknown, summary.lost, summary.problemCount], [0, 0, 0]);
        const rows = await allRows(client);
        const report = linesOf(textOf(sampleFile(guest, 'trace-cmd-report.txt'))).filter(
          (line) => !line.startsWith('cpus='),
        );
        assert.ok(report.length > 100 && report.length <= rows.length);
        const wrong: string[] = [];
        for (const [at, line] of report.entries()) {
          const context = contextOf(line);
          const row = rows[at];
          assert.ok(context && row && row.time !== null, line);
          const { event, payload, facts } = context;
          const { time, ...rest } = facts;
          // The report rounds to microseconds; the file has all there is.
          const micros = (BigInt(summary.origin) + BigInt(Math.round(row.time)) + 500n) / 1000n;
          if (micros * 1000n !== time) wrong.push(`${line}: time ${micros}`);
          if (row.event !== event) wrong.push(`${line}: event ${row.event}`);
          wrong.push(
            ...differences(row, { ...rest, ...kernelFacts(event, payload) }, '0').map(
              (what) => `${line}: ${what}`,
            ),
          );
          // What the report could print, the row's line has in the same words.
          if (!payload.startsWith('[FAILED') && !row.line.endsWith(payload))
            wrong.push(`${line}: ${row.line}`);
        }
        assert.deepEqual(wrong.slice(0, 5), []);
      });
    }
  }
});
