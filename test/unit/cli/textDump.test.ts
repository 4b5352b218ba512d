/** The built command line on text dumps, which need no description. */
import assert from 'node:assert/strict';
import { ensureBuilt, jsonLines, runCli } from '../../built';

const LEGACY = 'test/fixtures/text/intel-legacy.txt';
const AMD = 'test/fixtures/text/amd-devtbl.txt';

describe('iopte on a text dump', function () {
  this.timeout(120_000);
  before(ensureBuilt);

  it('inspects it without a description', async () => {
    const { exitCode, stdout, stderr } = await runCli(['inspect', LEGACY]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /^Format +Linux text dump$/m);
    assert.match(stdout, /^dmar0: VT-d legacy, from a text dump, PCI segment 0, translation on$/m);
    assert.match(
      stderr,
      /^iopte: info: intel-legacy\.txt is a text dump: it lists \d+ entries, and the rest/,
    );
  });

  it('lists and walks what the dump lists, and says what it does not', async () => {
    const list = await runCli(['list', LEGACY, '--device', '00:06.0', '--json']);
    assert.equal(list.exitCode, 0);
    assert.equal(jsonLines(list.stdout).length, 4);
    const found = await runCli(['walk', LEGACY, '--device', '00:06.0', '--iova', '0xffffc000']);
    assert.match(found.stdout, /^0xffffc000 -> 0x14e209000 \(4K page, RW\)$/m);
    const unknown = await runCli(['walk', LEGACY, '--device', '00:06.0', '--iova', '0x1000']);
    assert.match(unknown.stdout, /fault: entry-unknown/);
    const tables = await runCli(['walk', AMD, '--device', '00:02.0', '--iova', '0x1000']);
    assert.match(tables.stdout, /is not in the dump, which holds no page tables/);
  });
});
