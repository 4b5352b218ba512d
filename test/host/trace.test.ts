import * as vscode from 'vscode';
import type { IopteApi, ShownTrace } from '../../src/host/api';
import { traceSamples } from '../../src/host/samples';
import type { AnswerElement } from '../../src/host/views/answerElements';
import { deepEqual, equal, match, ok, until } from './assert';
import { activated, children, closeAll, inFolder, must, readText, run, text, writeText } from './support';

const BOOT = 'traces/vtd-boot.ftrace.txt.gz';
/** Events of the sample, as its own heading counts them. */
const ROWS = 3000;
const MAPS = 2073;
const UNMAPS = 925;

describe('traces', () => {
  let api: IopteApi;
  const closeEditors = async (): Promise<void> => {
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await until('no trace is open', () => api.traces.length === 0);
  };
  before(async () => {
    api = await activated();
    await closeEditors();
  });
  after(async () => {
    await closeAll(api);
    await must('iopte.clearResults');
    await closeEditors();
  });

  const shown = (): ShownTrace => {
    const [first] = api.traces;
    ok(first, 'no trace is shown');
    return first;
  };
  const untilRead = (): Promise<void> =>
    until('the trace is read', () => api.traces[0]?.summary?.complete === true);
  const openBoot = async (): Promise<void> => {
    if (api.traces.length > 0) return;
    await must('iopte.openTrace', inFolder(BOOT));
    await untilRead();
    await until('the page has a cursor', () => api.traces[0]?.row !== undefined);
  };
  const results = async (element?: AnswerElement): Promise<readonly AnswerElement[]> =>
    (await api.results.getChildren(element)) ?? [];
  const labels = (rows: readonly AnswerElement[]): readonly string[] =>
    rows.map(({ wording: { label, description } }) => `${label} | ${description}`);

  describe('in the editor', () => {
    beforeEach(openBoot);
    after(closeEditors);

    it('are read to their end in the background', () => {
      const { summary, reading } = shown();
      equal(reading, false);
      ok(summary);
      equal(summary.format, 'ftrace');
      equal(summary.rows, ROWS);
      equal(summary.operations.map, MAPS);
      equal(summary.operations.unmap, UNMAPS);
      equal(summary.unknown, 0);
    });

    it('go to a row, a time and an IOVA as people write them', async () => {
      await must('iopte.goToTracePlace', { place: '1200' });
      await until('row 1200', () => shown().row === 1199);
      await must('iopte.goToTracePlace', { place: '11.415827' });
      await until('a time', () => shown().row === 1);
      await must('iopte.goToTracePlace', { place: '1' });
      await until('row 1', () => shown().row === 0);
      await must('iopte.goToTracePlace', { place: '0xfffff000' });
      await until('an IOVA', () => shown().row === 1);
      match(JSON.stringify(await run('iopte.goToTracePlace', { place: '9999999' })), /No row of .*hint/);
    });

    it('filter, and export what the filter left as CSV and as JSON lines', async () => {
      await must('iopte.filterTrace', { where: 'operation = unmap' });
      await until('the filter', () => shown().where === 'operation = unmap');
      const csv = inFolder('unmaps.csv');
      await must('iopte.exportTrace', { format: 'csv', target: csv });
      equal((await readText(csv)).trim().split(/\r?\n/).length, UNMAPS + 1);
      const jsonl = inFolder('maps.jsonl');
      await must('iopte.exportTrace', { format: 'jsonl', target: jsonl, where: 'operation = map' });
      const lines = (await readText(jsonl)).trim().split('\n');
      equal(lines.length, MAPS);
      equal((JSON.parse(lines[0] ?? '') as { iova?: string }).iova, '0xffffe000');
      await must('iopte.filterTrace', { where: '' });
      await until('no filter', () => shown().where === '');
    });

    it('copy the selected rows as TSV', async () => {
      await must('iopte.goToTracePlace', { place: '1' });
      await until('row 1', () => shown().row === 0);
      await must('iopte.copyTraceRows');
      await until('the clipboard', async () => {
        const [heading = '', row = ''] = (await vscode.env.clipboard.readText()).trim().split(/\r?\n/);
        return heading.includes('\t') && row.includes('0xffffe000');
      });
    });

    it('keep bookmarks of rows with the others, and go to them', async () => {
      await must('iopte.toggleTraceBookmark', { row: 41, note: 'here' });
      const rowsMarked = async () =>
        ((await api.bookmarks.getChildren()) ?? []).filter(({ bookmark }) => bookmark.kind === 'row');
      const marked = await rowsMarked();
      deepEqual(
        marked.map(({ bookmark: { label, note } }) => [label, note]),
        [['Row 42', 'here']],
      );
      await must('iopte.goToTracePlace', { place: '1' });
      await until('row 1', () => shown().row === 0);
      await must('iopte.revealBookmark', marked[0]);
      await until('the row of the bookmark', () => shown().row === 41);
      await must('iopte.toggleTraceBookmark', { row: 41 });
      deepEqual(await rowsMarked(), []);
      match(JSON.stringify(await run('iopte.toggleTraceBookmark', { row: ROWS })), /was not read/);
    });

    it('are rebuilt when the engine is lost, with their filter', async () => {
      await must('iopte.filterTrace', { where: 'operation = unmap' });
      await until('the filter', () => shown().where === 'operation = unmap');
      await must('iopte.restartEngine');
      equal(api.engineRunsIn, undefined);
      await must('iopte.goToTracePlace', { place: '2500' });
      await untilRead();
      equal(shown().summary?.rows, ROWS);
      await must('iopte.filterTrace', { where: '' });
      await until('no filter', () => shown().where === '');
    });
  });

  describe('in Results', () => {
    before(openBoot);

    it('have their findings by kind, each leading to its row', async () => {
      await must('iopte.showTraceFindings');
      const kinds = await results();
      ok(kinds.length > 0);
      const [first] = await results(kinds[0]);
      ok(first?.place?.kind === 'row');
      await must('iopte.revealResult', first);
      const { row } = first.place;
      await until('the row of the finding', () => shown().row === row);
    });

    it('have the lifetimes of mappings, from map to unmap', async () => {
      await must('iopte.showTraceLifetimes', { where: 'iova = 0xffffe000' });
      const [first] = await results();
      ok(first);
      match(
        labels([first])[0] ?? '',
        /^0xffffe000 4K \| → 0x14b3bd000, (rows 1 to \d+|from row 1, still mapped)/,
      );
      const below = labels(await results(first));
      ok(below[0] === 'Row 1 | mapped', below.join('; '));
    });

    it('have the history of the IOVA under the cursor', async () => {
      await must('iopte.goToTracePlace', { place: '1' });
      await until('row 1', () => shown().row === 0);
      await must('iopte.showIovaHistory');
      const [mappings, first] = await results();
      ok(mappings);
      match(labels([mappings])[0] ?? '', /^Mappings \| [1-9]/);
      match(first?.wording.label ?? '', /^Row 1: map 0xffffe000 4K$/);
    });
  });

  describe('replayed', () => {
    before(async () => {
      await openBoot();
      await closeAll(api);
    });

    it('give the tables as they stood at a row, in Domains', async () => {
      await must('iopte.replayTrace', { row: 1199 });
      const [image] = await children(api);
      ok(image);
      equal(await text(api, image), 'vtd-boot.ftrace.txt.gz @ row 1200 | replayed');
      const [iommu] = await children(api, image);
      ok(iommu?.kind === 'node' && iommu.node.kind === 'iommu');
      ok(iommu.node.domains > 0);
    });

    it('give those of another row in their place', async () => {
      const before = await children(api);
      await must('iopte.replayTrace', { row: 2499 });
      const images = await children(api);
      equal(images.length, 1);
      equal(images[0]?.id, before[0]?.id);
      ok(images[0]);
      equal(await text(api, images[0]), 'vtd-boot.ftrace.txt.gz @ row 2500 | replayed');
    });

    it('have one selection with the grid: the row that mapped what is selected, and what the selected row mapped', async () => {
      const range = (): readonly [bigint, bigint] => {
        const { selected } = api;
        if (selected?.kind !== 'node' || selected.node.kind !== 'run') return [0n, 0n];
        const { iova, length } = selected.node.run;
        return [iova, iova + length];
      };
      const selects = (iova: bigint): boolean => range()[0] <= iova && iova < range()[1];
      // It maps 0xffff3000, and nothing unmaps that before row 2500.
      await must('iopte.goToTracePlace', { place: '2494' });
      await until('what row 2494 mapped', () => selects(0xffff3000n));
      await must('iopte.goToIova', { iova: '0xffffc000' });
      await until('what 0xffffc000 stands in', () => selects(0xffffc000n));
      await must('iopte.showIovaHistory', { iova: `0x${range()[0].toString(16)}` });
      const maps = labels(await results()).flatMap((each) => /^Row (\d+): map/.exec(each)?.[1] ?? []);
      await until('the row that mapped it', () => maps.includes(String((shown().row ?? 0) + 1)));
    });

    it('are saved as an image with its description', async () => {
      const uri = inFolder('replayed.elf');
      await must('iopte.saveMachine', { uri });
      match(await readText(inFolder('replayed.iopte.json')), /"iommus"/);
      const magic = (await vscode.workspace.fs.readFile(uri)).slice(0, 4);
      deepEqual([...magic], [0x7f, 0x45, 0x4c, 0x46]);
      await vscode.workspace.fs.delete(uri);
      await vscode.workspace.fs.delete(inFolder('replayed.iopte.json'));
    });

    it('are rebuilt when the engine is lost', async () => {
      const before = await api.summaries();
      await must('iopte.restartEngine');
      deepEqual(await api.summaries(), before);
    });

    it('show the row again that they were built at', async () => {
      await must('iopte.goToTracePlace', { place: '1' });
      await until('row 1', () => shown().row === 0);
      await must('iopte.revealTraceRow', (await children(api))[0]);
      await until('row 2500', () => shown().row === 2499);
    });

    it('are built anew when address spaces are told apart in another way', async () => {
      const rules = [
        { name: 'first', where: 'cpu = 0' },
        { name: 'second', where: 'cpu = 1' },
      ];
      await must('iopte.splitTraceBySpaces', { spaces: { by: 'rules', rules } });
      await until('two spaces', () => shown().summary?.spaces.join() === 'first,second');
      equal((await children(api)).length, 1);
      await must('iopte.splitTraceBySpaces', { spaces: { by: 'auto' } });
    });
  });

  it('give their tables again when no editor has them', async () => {
    await openBoot();
    await must('iopte.replayTrace', { row: 2999 });
    const before = await api.summaries();
    await closeEditors();
    await must('iopte.restartEngine');
    deepEqual(await api.summaries(), before);
    match(JSON.stringify(await run('iopte.showTraceFindings')), /No trace is open/);
    await closeAll(api);
  });

  it('are read as before once the caches are cleared', async () => {
    await closeEditors();
    await must('iopte.clearCaches');
    await openBoot();
    equal(shown().summary?.rows, ROWS);
    equal(shown().summary?.cached, false);
  });

  it('that come with the extension open, each in its format', async () => {
    await closeEditors();
    const formats: string[] = [];
    for (const { name } of traceSamples()) {
      await must('iopte.openSample', name);
      await untilRead();
      formats.push(shown().summary?.format ?? '');
      ok((shown().summary?.rows ?? 0) > 0);
      await closeEditors();
    }
    deepEqual(formats, ['ftrace', 'ftrace', 'qemu', 'dmesg']);
  });

  it('say what is wrong with a file that is no trace, and what to do', async () => {
    await writeText('empty.iotrace', '');
    await must('iopte.openTrace', inFolder('empty.iotrace'));
    equal(api.traces.length, 1);
    match(JSON.stringify(await run('iopte.showTraceFindings')), /empty\.iotrace.*hint/);
    await closeEditors();
    match(JSON.stringify(await run('iopte.findInTrace')), /No trace is open\..*hint/);
  });
});
