import assert from 'node:assert/strict';
import { bytesSource } from '../../../../src/bytes/byteSource';
import { traceNames } from '../../../../src/trace/model/dictionary';
import { openTrace } from '../../../../src/trace/readers/index';
import { guestTrace, GUESTS } from '../../../builders/traceRows';

const FORMATS = {
  'ftrace_boot.head.txt': 'ftrace',
  'ftrace_sample_alldma.txt': 'ftrace',
  'ftrace_sample_latfmt.txt': 'ftrace',
  'ftrace_sample_noctx.txt': 'ftrace',
  'ftrace_sample_tgid_mono.txt': 'ftrace',
  'trace-cmd-report.txt': 'trace-cmd',
  'dmesg_iommu.txt': 'dmesg',
  'qemu-trace.sample.log': 'qemu',
} as const;
const PERF_GUESTS: readonly string[] = ['amd', 'vtd-legacy', 'vtd-sm-fl', 'vtd-sm-sl', 'vtd-small'];

const formatOf = (text: string): string | undefined => {
  const opened = openTrace(bytesSource('trace', new Uint8Array(Buffer.from(text, 'latin1'))), traceNames());
  return opened.ok ? opened.value.format : undefined;
};

describe('formats by content', () => {
  for (const guest of GUESTS) {
    it(`${guest}: every text is found to be what it is, whole and from its middle`, () => {
      const files: Record<string, string> = {
        ...FORMATS,
        ...(PERF_GUESTS.includes(guest) ? { 'perf-script.txt': 'perf' } : {}),
      };
      for (const [file, format] of Object.entries(files)) {
        const text = guestTrace(guest, file);
        assert.equal(formatOf(text), format, file);
        const lines = text.split('\n');
        const middle = lines.slice(Math.floor(lines.length / 2)).join('\n');
        if (lines.length > 20) assert.equal(formatOf(middle), format, `the middle of ${file}`);
      }
    });
  }
});
