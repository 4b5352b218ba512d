import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import { withTimeLeft } from '../../src/host/scenarios/timeLeft';
import type { Progress } from '../../src/inspection/protocol';
import { deepEqual, equal, match, ok, until } from './assert';
import { activated, children, closeAll, inFolder, must, readText, run, text, writeText } from './support';

const LANGUAGE = 'iopte-scenario';

const PASSING = `version: 2
title: A write that is reported
machine: { vendor: vt-d, memory: 64M }
devices:
  nic: { requester: 00:02.0 }
domains:
  guest: { maps: guest, pages: [4K], dirtyTracking: on, devices: [nic] }
steps:
  - dma: { iova: 0x10000, length: 64 }
  - readDirty: {}
expect: { clean: true, requests: 1 }
`;

/** Two variants: one in which an expectation fails, one in which it holds. */
const FAILING = `${PASSING}variants:
  wrong: { expect: { requests: 7 } }
  right: {}
`;

/** A migration over links of two speeds. */
const MOVING = `version: 2
title: A machine moves
machine: { vendor: vt-d, memory: 64M }
devices:
  nic:
    requester: 00:02.0
    traffic: { kind: rx-ring, rate: 1Gbps }
domains:
  guest: { maps: guest, pages: [4K], dirtyTracking: off, devices: [nic] }
migrate: { link: 10Gbps, downtimeLimit: 300ms, by: model }
variants:
  slow: { migrate: { link: 2Gbps } }
  quick: {}
`;

/** More than anybody waits for. */
const LONG = PASSING.replace('memory: 64M', 'memory: 1G').replace(
  '  - readDirty: {}',
  '  - repeat: { times: 150000, steps: [{ readDirty: {} }] }',
);

/** The panel's tab; VS Code puts a word of its own before a webview's type. */
const resultsTab = (): vscode.Tab | undefined =>
  vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .find(
      ({ input }) =>
        input instanceof vscode.TabInputWebview && input.viewType.endsWith('iopte.scenarioResults'),
    );

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** Opens a text as an unsaved scenario. */
const untitled = async (content: string): Promise<vscode.TextDocument> => {
  const document = await vscode.workspace.openTextDocument({ language: LANGUAGE, content });
  await vscode.window.showTextDocument(document);
  return document;
};

const saved = async (name: string, content: string): Promise<vscode.TextDocument> => {
  await writeText(name, content);
  const document = await vscode.workspace.openTextDocument(inFolder(name));
  await vscode.window.showTextDocument(document);
  return document;
};

/** What the editor says is wrong with a scenario: the place, and the text. */
const problems = (uri: vscode.Uri): readonly string[] =>
  vscode.languages
    .getDiagnostics(uri)
    .map(
      ({ range: { start, end }, message }) => `${start.line}:${start.character}-${end.character} ${message}`,
    );

const replace = async (document: vscode.TextDocument, from: string, to: string): Promise<void> => {
  const at = document.getText().indexOf(from);
  ok(at >= 0, `no ${from}`);
  const edit = new vscode.WorkspaceEdit();
  const range = new vscode.Range(document.positionAt(at), document.positionAt(at + from.length));
  edit.replace(document.uri, range, to);
  ok(await vscode.workspace.applyEdit(edit));
};

describe('a scenario file', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
  });
  after(async () => {
    await closeAll(api);
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    for (const name of ['fails', 'passes', 'tested', 'kept', 'new']) {
      const gone = vscode.workspace.fs.delete(inFolder(`${name}.iopte.yaml`));
      await gone.then(undefined, () => undefined);
    }
  });

  describe('while it is written', () => {
    it('has a language of its own, by its name', async () => {
      const document = await saved('passes.iopte.yaml', PASSING);
      equal(document.languageId, LANGUAGE);
    });

    it('has nothing wrong when it is right', async () => {
      const document = await untitled(PASSING);
      await vscode.commands.executeCommand('vscode.executeCodeLensProvider', document.uri);
      deepEqual(problems(document.uri), []);
    });

    it('says what is wrong on the exact range, with what to do about it', async () => {
      const document = await untitled(PASSING.replace('vendor: vt-d', 'vendor: vtd'));
      await until('the problem', () => problems(document.uri).length > 0);
      const [problem] = vscode.languages.getDiagnostics(document.uri);
      ok(problem);
      equal(document.getText(problem.range), 'vtd');
      equal(problem.source, 'iopte');
      equal(problem.severity, vscode.DiagnosticSeverity.Error);
      match(problem.message, /Did you mean "vt-d"/);
      await replace(document, 'vtd', 'vt-d');
      await until('no problem', () => problems(document.uri).length === 0);
    });

    it('marks a key that there is not', async () => {
      const document = await untitled(PASSING.replace('memory:', 'memry:'));
      await until('the problem', () => problems(document.uri).length > 0);
      const wrong = vscode.languages.getDiagnostics(document.uri).map(({ range }) => document.getText(range));
      ok(wrong.includes('memry'), wrong.join('; '));
    });

    it('forgets the problems of what is closed', async () => {
      const document = await untitled('version: 2\ntitel: x\n');
      await until('the problem', () => problems(document.uri).length > 0);
      await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
      await until('no problem', () => problems(document.uri).length === 0);
    });

    it('completes keys and values', async () => {
      const document = await untitled(PASSING.replace('vendor: vt-d', 'vendor: '));
      const at = document.positionAt(document.getText().indexOf('vendor: ') + 'vendor: '.length);
      const complete = (position: vscode.Position): Thenable<vscode.CompletionList> =>
        vscode.commands.executeCommand('vscode.executeCompletionItemProvider', document.uri, position);
      const labels = ({ items }: vscode.CompletionList): readonly string[] =>
        items.map(({ label }) => (typeof label === 'string' ? label : label.label));
      const vendors = labels(await complete(at));
      for (const vendor of ['vt-d', 'amd-vi', 'smmuv3', 'riscv'])
        ok(vendors.includes(vendor), `${vendor} in ${vendors.join(' ')}`);
      const end = document.positionAt(document.getText().length);
      const keys = labels(await complete(end));
      for (const key of ['variants', 'migrate', 'parameters'])
        ok(keys.includes(key), `${key} in ${keys.join(' ')}`);
    });

    it('says what a key means', async () => {
      const document = await untitled(PASSING);
      const at = document.positionAt(document.getText().indexOf('vendor') + 2);
      const hovers: vscode.Hover[] = await vscode.commands.executeCommand(
        'vscode.executeHoverProvider',
        document.uri,
        at,
      );
      const [hover] = hovers;
      ok(hover?.range, 'no hover');
      match(document.getText(hover.range), /^vendor/);
      const said = hover.contents.map((each) => (each instanceof vscode.MarkdownString ? each.value : ''));
      match(said.join('\n'), /IOMMU/);
    });

    it('has a link to run it above its title, and one above each variant', async () => {
      const document = await untitled(FAILING);
      const lenses: vscode.CodeLens[] = await vscode.commands.executeCommand(
        'vscode.executeCodeLensProvider',
        document.uri,
      );
      const shown = lenses.map(({ range, command }) => `${range.start.line} ${command?.title ?? ''}`);
      deepEqual([...shown].sort(), [
        '1 $(play)\u00a0Run All Variants',
        '1 Run with Variant…',
        '1 Sweep…',
        '12 $(play)\u00a0Run',
        '13 $(play)\u00a0Run',
      ]);
    });
  });

  describe('when it is run', () => {
    it('opens the machine that it leaves, with its domain', async () => {
      const document = await untitled(PASSING);
      await must('iopte.runScenario', { uri: document.uri });
      const outcome = api.outcomes.at(-1)?.outcome;
      ok(outcome);
      equal(outcome.passed, true, JSON.stringify(outcome));
      equal(outcome.requests, 1);
      const [root] = await children(api);
      ok(root);
      match(await text(api, root), /emulated, 2 operations/);
      const iommus = await children(api, root);
      ok(iommus.length > 0);
    });

    it('takes the place of the machine that it left before, and operations go on from there', async () => {
      const [root] = await children(api);
      ok(root);
      await must('iopte.undoOperation', root);
      match(await text(api, (await children(api))[0] ?? root), /emulated, 1 operation/);
      const document = vscode.window.activeTextEditor?.document;
      ok(document);
      await must('iopte.runScenario', { uri: document.uri });
      const roots = await children(api);
      equal(roots.length, 1);
      match(await text(api, roots[0] ?? root), /emulated, 2 operations/);
    });

    it('builds its machine again after the engine was lost', async () => {
      await must('iopte.restartEngine');
      const [root] = await children(api);
      ok(root);
      match(await text(api, root), /emulated, 2 operations/);
      ok((await children(api, root)).length > 0);
    });

    it('shows where an expectation fails: what was expected, and what there was', async () => {
      await closeAll(api);
      const document = await saved('fails.iopte.yaml', FAILING);
      await must('iopte.runScenario', document.uri);
      const [problem, ...others] = vscode.languages.getDiagnostics(document.uri);
      ok(problem);
      deepEqual(others, []);
      match(problem.message, /^wrong: expected requests: 7.*, but 1/);
      equal(problem.code, 'expectation');
      equal(problem.range.start.line, 12);
      const outcomes = api.outcomes.filter(({ uri }) => uri.toString() === document.uri.toString());
      deepEqual(
        outcomes.map(({ outcome: { variant, passed } }) => [variant, passed]),
        [
          ['wrong', false],
          ['right', true],
        ],
      );
      const titles = await Promise.all((await children(api)).map((root) => text(api, root)));
      equal(titles.length, 2, titles.join('; '));
      match(titles.join('; '), /fails \(wrong\).*fails \(right\)/);
    });

    it('takes the failure back when the text is another', async () => {
      const document = vscode.window.activeTextEditor?.document;
      ok(document);
      await replace(document, 'requests: 7', 'requests: 1');
      deepEqual(problems(document.uri), []);
      await must('iopte.runScenario', { uri: document.uri, variant: 'wrong' });
      equal(api.outcomes.at(-1)?.outcome.passed, true, 'what is not saved is run');
      await document.save();
    });

    it('takes the failure back when another program writes the file, or deletes it', async () => {
      const uri = inFolder('outside.iopte.yaml');
      for (const outside of [
        () => writeText('outside.iopte.yaml', `# Above all\n${FAILING}`),
        () => vscode.workspace.fs.delete(uri),
      ]) {
        await writeText('outside.iopte.yaml', FAILING);
        await must('iopte.runScenario', { uri, variant: 'wrong' });
        await until('the failure', () => problems(uri).length === 1);
        await outside();
        await until('no failure', () => problems(uri).length === 0);
      }
    });

    it('shows no failure in a text that was edited while it ran', async () => {
      const document = await untitled(LONG.replace('requests: 1 }', 'requests: 7 }'));
      const ended = run('iopte.runScenario', { uri: document.uri });
      await pause(500);
      await replace(document, 'title: ', '# Another line\ntitle: ');
      await must('iopte.stopScenario');
      equal(await ended, undefined);
      equal(api.outcomes.at(-1)?.outcome.cancelled, true);
      deepEqual(problems(document.uri), []);
    });

    it('tells how much time is left, from its first tens of seconds on', () => {
      let now = 1000;
      const told: Progress[] = [];
      const report = withTimeLeft(
        (progress) => {
          told.push(progress);
        },
        () => now,
      );
      for (const [seconds, fraction] of [
        [1, 0.5],
        [10, 0.01],
        [10, 0.25],
        [60, 0.25],
        [3600, 0.25],
        [3600, 1],
      ] as const) {
        now = 1000 + seconds * 1000;
        report({ message: 'Round 3', fraction });
      }
      deepEqual(
        told.map(({ message }) => message),
        ['Round 3', 'Round 3', 'Round 3, 30 s left', 'Round 3, 3 min left', 'Round 3, 3.0 h left', 'Round 3'],
      );
      deepEqual(
        told.map(({ fraction }) => fraction),
        [0.5, 0.01, 0.25, 0.25, 0.25, 1],
      );
    });

    it('does not run with something wrong in it, and says where that is', async () => {
      const document = await untitled('version: 2\ntitle: No machine\n');
      match(JSON.stringify(await run('iopte.runScenario', { uri: document.uri })), /scenario\/problem/);
    });

    it('does not run a variant that there is not', async () => {
      const failure = await run('iopte.runScenario', { uri: inFolder('fails.iopte.yaml'), variant: 'x' });
      match(JSON.stringify(failure), /no variant x.*wrong, right/);
    });

    it('is stopped, and what there is until then is kept', async () => {
      await closeAll(api);
      const document = await untitled(LONG);
      const ended = run('iopte.runScenario', { uri: document.uri });
      await pause(500);
      await must('iopte.stopScenario');
      equal(await ended, undefined);
      const outcome = api.outcomes.at(-1)?.outcome;
      ok(outcome);
      equal(outcome.cancelled, true);
      equal(outcome.requests, 1);
      const [root] = await children(api);
      ok(root);
      const [, done] = /emulated, (\d+) operations/.exec(await text(api, root)) ?? [];
      ok(Number(done) > 1, await text(api, root));
      await must('iopte.undoOperation', root);
      await must('iopte.restartEngine');
      match(await text(api, root), /emulated/);
      const [again] = await children(api);
      ok(again);
      match(await text(api, again), new RegExp(`emulated, ${Number(done) - 1} operation`));
      ok((await children(api, again)).length > 0);
    });
  });

  describe('as a sweep', () => {
    it('runs every combination, and gives a table of them', async () => {
      const uri = inFolder('fails.iopte.yaml');
      const settings = 'machine.seed=1,2 machine.memory=64M,128M';
      await must('iopte.runSweep', { uri, variant: 'right', settings });
      const swept = api.outcomes.filter(({ set }) => Object.keys(set).length > 0);
      deepEqual(
        swept.map(({ set }) => Object.values(set).join(' ')),
        ['1 64M', '1 128M', '2 64M', '2 128M'],
      );
      const target = inFolder('sweep.csv');
      await must('iopte.exportScenarioResults', { uri, target });
      const lines = (await readText(target)).trim().split('\n');
      match(lines[0] ?? '', /^file,variant,machine\.seed,machine\.memory,passed,/);
      ok(
        lines.some((line) => line.includes(',right,2,128M,true,')),
        lines.join('\n'),
      );
      await vscode.workspace.fs.delete(target);
    });

    it('goes on past a combination that cannot be, and shows those that ran', async () => {
      const uri = inFolder('fails.iopte.yaml');
      await must('iopte.runSweep', { uri, variant: 'right', settings: 'machine.vendor=vt-d,none,amd-vi' });
      const shown = api.shownResults.map(({ set }) => set['machine.vendor']);
      deepEqual(shown, ['vt-d', 'amd-vi']);
    });

    it('refuses what no combination can be, and too many runs of all variants together', async () => {
      const uri = inFolder('fails.iopte.yaml');
      const typed = await run('iopte.runSweep', {
        uri,
        variant: 'right',
        settings: 'machine.vendr=vt-d,amd-vi',
      });
      match(JSON.stringify(typed), /scenario\/problem/);
      const seeds = `machine.seed=${Array.from({ length: 200 }, (_, index) => index).join()}`;
      match(JSON.stringify(await run('iopte.runSweep', { uri, settings: seeds })), /400 runs/);
    });

    it('refuses settings that are none', async () => {
      const uri = inFolder('fails.iopte.yaml');
      for (const settings of ['memory', 'a=1 a=2', 'a=1,,2', `a=${'1,'.repeat(300)}1`])
        match(JSON.stringify(await run('iopte.runSweep', { uri, settings })), /scenario\/settings/, settings);
    });

    it('shows results side by side', async () => {
      await must('iopte.showScenarioResults', { uri: inFolder('fails.iopte.yaml') });
      const variants = api.shownResults.map(({ variant, verdict }) => `${variant ?? ''} ${verdict}`);
      ok(variants.includes('right passed'), variants.join());
      await until('the panel', () => resultsTab() !== undefined);
    });
  });

  describe('that moves a machine', () => {
    before(async () => {
      await writeText('moves.iopte.yaml', MOVING);
      const tab = resultsTab();
      if (tab) await vscode.window.tabGroups.close(tab);
      await until('nothing is shown', () => api.shownResults.length === 0);
      await must('iopte.runScenario', { uri: inFolder('moves.iopte.yaml') });
    });
    after(async () => {
      for (const name of ['moves.iopte.yaml', 'moves.csv', 'moves.png']) {
        const gone = vscode.workspace.fs.delete(inFolder(name));
        await gone.then(undefined, () => undefined);
      }
    });

    it('shows its results by itself, with the rounds', async () => {
      await until('the panel', () => resultsTab() !== undefined);
      const [slow, quick, ...others] = api.shownResults;
      equal(others.length, 0);
      equal(slow?.variant, 'slow');
      ok((quick?.migration?.rounds.length ?? 0) > 0);
    });

    it('gives its rounds as CSV, and its charts as a picture', async () => {
      await must('iopte.exportResultsCsv', { target: inFolder('moves.csv') });
      const lines = (await readText(inFolder('moves.csv'))).trim().split('\n');
      match(lines[0] ?? '', /^file,variant,round,.*sent \(bytes\)/);
      const rounds = api.shownResults.flatMap(({ migration }) => migration?.rounds ?? []);
      equal(lines.length, 1 + rounds.length);
      await must('iopte.exportResultsPng', { target: inFolder('moves.png') });
      const png = await vscode.workspace.fs.readFile(inFolder('moves.png'));
      equal(new TextDecoder('latin1').decode(png.slice(1, 4)), 'PNG');
      ok(png.length > 10_000, `${png.length} bytes`);
    });

    it('gives its figures as a table for the clipboard', async () => {
      await must('iopte.copyResultsMarkdown');
      match(await vscode.env.clipboard.readText(), /^\| Figure \| slow \| quick \|\n/);
    });

    it('is shown as it is now when it runs again', async () => {
      const before = api.shownResults;
      await must('iopte.runScenario', { uri: inFolder('moves.iopte.yaml') });
      ok(api.shownResults !== before);
      equal(api.shownResults.length, 2);
    });

    it('is no longer shown once its tab is closed', async () => {
      const tab = resultsTab();
      ok(tab);
      await vscode.window.tabGroups.close(tab);
      await until('nothing is shown', () => api.shownResults.length === 0);
      match(JSON.stringify(await run('iopte.exportResultsCsv')), /scenario\/no-results-shown/);
    });
  });

  describe('in the Test Explorer', () => {
    it('is a test, and its variants are tests below it', async () => {
      await writeText('passes.iopte.yaml', PASSING);
      await writeText('tested.iopte.yaml', FAILING);
      await api.tests.discover();
      const file = api.tests.items.get(inFolder('tested.iopte.yaml').toString());
      ok(file, 'not found');
      ok(api.tests.items.get(inFolder('passes.iopte.yaml').toString()));
      const request = new vscode.TestRunRequest([file]);
      const before = api.outcomes.length;
      await api.tests.run(request, new vscode.CancellationTokenSource().token);
      const names: string[] = [];
      file.children.forEach(({ label }) => names.push(label));
      deepEqual(names, ['wrong', 'right']);
      ok(api.outcomes.length >= before);
      const wrong = api.outcomes.find(
        ({ uri, outcome, set }) =>
          uri.toString() === file.uri?.toString() &&
          outcome.variant === 'wrong' &&
          Object.keys(set).length === 0,
      );
      equal(wrong?.outcome.passed, false);
    });

    it('runs only the variant that is asked for', async () => {
      const file = api.tests.items.get(inFolder('tested.iopte.yaml').toString());
      const right = file?.children.get(`${file.id}#right`);
      ok(file && right);
      await api.tests.run(new vscode.TestRunRequest([right]), new vscode.CancellationTokenSource().token);
      equal(api.outcomes.at(-1)?.outcome.variant, 'right');
    });

    it('is gone with its file', async () => {
      await vscode.workspace.fs.delete(inFolder('passes.iopte.yaml'));
      await api.tests.discover();
      equal(api.tests.items.get(inFolder('passes.iopte.yaml').toString()), undefined);
    });
  });

  describe('as a task', () => {
    const taskOf = async (scenario: string): Promise<vscode.Task> => {
      const tasks = await vscode.tasks.fetchTasks({ type: 'iopte' });
      const found = tasks.find(({ definition }) => definition['scenario'] === scenario);
      ok(found, `${scenario} in ${tasks.map(({ name }) => name).join(' ')}`);
      return found;
    };
    const exitCode = async (task: vscode.Task): Promise<number | undefined> => {
      const ended = new Promise<number | undefined>((resolve) => {
        const listening = vscode.tasks.onDidEndTaskProcess(({ execution, exitCode: code }) => {
          if (execution.task.name !== task.name) return;
          listening.dispose();
          resolve(code);
        });
      });
      await vscode.tasks.executeTask(task);
      return ended;
    };

    it('ends with 1 where an expectation fails, and with 0 where none does', async () => {
      await writeText('passes.iopte.yaml', PASSING);
      equal(await exitCode(await taskOf('passes.iopte.yaml')), 0);
      equal(await exitCode(await taskOf('tested.iopte.yaml')), 1);
    });

    it('shows what failed as a problem, by its matcher', async () => {
      const uri = inFolder('tested.iopte.yaml');
      const found = (): readonly string[] =>
        problems(uri).filter((each) => each.includes('expected requests'));
      await until('the problem', () => found().length > 0);
      match(found()[0] ?? '', /^12:.* wrong: expected requests: 7.*, got 1/);
    });
  });

  describe('that is new', () => {
    it('begins with a template that runs', async () => {
      await must('iopte.newScenario', { template: await firstTemplate() });
      const document = vscode.window.activeTextEditor?.document;
      ok(document);
      equal(document.languageId, LANGUAGE);
      equal(document.uri.scheme, 'untitled');
      await must('iopte.runScenario', { uri: document.uri });
      equal(api.outcomes.at(-1)?.outcome.cancelled, undefined);
    });

    it('is saved where it is told to', async () => {
      await must('iopte.newScenario', { template: await firstTemplate(), uri: inFolder('new.iopte.yaml') });
      match(await readText(inFolder('new.iopte.yaml')), /^(?:#.*\n)*version: 2\n/);
    });

    it('is made of a machine and all that was done to it, and gives the same machine', async () => {
      await closeAll(api);
      const spec = {
        version: 1,
        vendor: 'vt-d',
        tables: 'second-stage',
        memory: '64M',
        mapping: { what: 'guest', pages: ['4K'] },
        devices: [{ requester: '00:02.0' }],
        dirtyTracking: 'on',
        iommus: 1,
        seed: 1,
      };
      await must('iopte.newMachine', { spec });
      await must('iopte.injectDma', {
        requests: [{ sid: '00:02.0', pasid: null, iova: '0x10000', length: 64, access: 'write' }],
      });
      await must('iopte.saveScenario', { uri: inFolder('kept.iopte.yaml') });
      const document = vscode.window.activeTextEditor?.document;
      ok(document);
      equal(document.languageId, LANGUAGE);
      await must('iopte.runScenario', { uri: document.uri });
      const lines = await Promise.all((await children(api)).map((root) => text(api, root)));
      equal(lines.filter((line) => line.includes('emulated, 1 operation')).length, 2, lines.join('; '));
    });
  });
});

/** The name of a template: asking for one that there is not says which there are. */
async function firstTemplate(): Promise<string> {
  const failure = JSON.stringify(await run('iopte.newScenario', { template: '?' }));
  const [, first] = /The templates are: ([\w-]+)/.exec(failure) ?? [];
  ok(first, failure);
  return first;
}
