import * as vscode from 'vscode';
import { deepEqual, equal, ok } from './assert';
import { activated, manifest } from './support';

interface MenuItem {
  readonly command: string;
  readonly when?: string;
  readonly group?: string;
}

interface Contributes {
  readonly commands: readonly {
    readonly command: string;
    readonly category: string;
    readonly title: string;
  }[];
  readonly menus: Readonly<Record<string, readonly MenuItem[]>>;
  readonly keybindings: readonly { readonly command: string; readonly when?: string }[];
  readonly views: Readonly<Record<string, readonly { readonly id: string; readonly icon: string }[]>>;
  readonly viewsContainers: { readonly activitybar: readonly { readonly id: string }[] };
  readonly languages: readonly {
    readonly configuration: string;
    readonly icon: { readonly light: string; readonly dark: string };
  }[];
  readonly grammars: readonly { readonly path: string }[];
  readonly snippets: readonly { readonly path: string }[];
  readonly yamlValidation: readonly { readonly url: string }[];
  readonly customEditors: readonly {
    readonly viewType: string;
    readonly priority: string;
    readonly selector: readonly { readonly filenamePattern: string }[];
  }[];
  readonly configurationDefaults: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  readonly viewsWelcome: readonly { readonly view: string; readonly contents: string }[];
  readonly walkthroughs: readonly {
    readonly steps: readonly {
      readonly media: { readonly markdown: string };
      readonly description: string;
    }[];
  }[];
}

const contributes = (): Contributes => manifest()['contributes'] as Contributes;
const sorted = (ids: readonly string[]): readonly string[] => [...new Set(ids)].sort();

/** Whether a menu's condition takes a row of this kind. */
function isFor(when: string, kind: string): boolean {
  const pattern = /viewItem =~ \/(.+?)\/(?: |$)/.exec(when)?.[1];
  if (pattern !== undefined) return new RegExp(pattern).test(kind);
  return /viewItem == (\S+)/.exec(when)?.[1] === kind;
}

describe('what package.json contributes', () => {
  before(activated);

  it('registers every command it lists, and lists every command it registers', async () => {
    const listed = contributes().commands.map(({ command }) => command);
    const views = Object.values(contributes().views).flat();
    // VS Code makes commands of its own for each view: focus, open, resetViewLocation, ...
    const own = (command: string): boolean => !views.some(({ id }) => command.startsWith(`${id}.`));
    const registered = (await vscode.commands.getCommands(true)).filter((each) => /^iopte\.\w+$/.test(each));
    deepEqual(sorted(registered.filter(own)), sorted(listed));
  });

  it('puts every command under IOPTE, named by a verb and a noun', () => {
    for (const { command, category } of contributes().commands) {
      equal(category, 'IOPTE');
      ok(/^iopte\.[a-z]+[A-Z][A-Za-z]*$/.test(command), command);
    }
  });

  it('names only commands it has in menus, keybindings, welcome views and the walkthrough', () => {
    const { commands, menus, keybindings, viewsWelcome, walkthroughs } = contributes();
    const known = new Set(commands.map(({ command }) => command));
    const steps = walkthroughs.flatMap((each) => each.steps);
    const linked = [
      ...viewsWelcome.map(({ contents }) => contents),
      ...steps.map(({ description }) => description),
    ]
      .flatMap((text) => [...text.matchAll(/\(command:([\w.]+)\)/g)])
      .map(([, command = '']) => command);
    const used = [...Object.values(menus).flat(), ...keybindings].map(({ command }) => command);
    for (const command of [...used, ...linked]) ok(known.has(command), `${command} is not contributed`);
  });

  it('puts at most two commands inline on an item of a view', () => {
    const inline = (contributes().menus['view/item/context'] ?? []).filter(({ group }) =>
      group?.startsWith('inline'),
    );
    const nodes = ['device', 'domain', 'table', 'run', 'entry'];
    const kinds = ['', '.machine', '.replay'].flatMap((made) => nodes.map((kind) => `${kind}${made}`));
    for (const kind of ['image', 'machine', 'replay', ...kinds, 'result', 'step', 'bookmark']) {
      for (const view of ['iopte.domains', 'iopte.walk', 'iopte.bookmarks']) {
        const shown = inline.filter(({ when = '' }) => when.includes(view) && isFor(when, kind));
        ok(shown.length <= 2, `${view}, ${kind}: ${String(shown.length)}`);
      }
    }
  });

  it('offers changes of tables on rows of emulated machines, and on no row of an image', () => {
    const items = contributes().menus['view/item/context'] ?? [];
    const changes = ['splitIopte', 'collapseTable', 'mapRange', 'unmapRange', 'invalidateRange', 'writeWord'];
    for (const change of changes) {
      const whens = items.filter(({ command }) => command === `iopte.${change}`).map(({ when = '' }) => when);
      for (const kind of ['domain', 'table', 'run', 'entry']) {
        ok(
          whens.some((when) => isFor(when, `${kind}.machine`)),
          `${change} is not on ${kind}`,
        );
        ok(!whens.some((when) => isFor(when, kind)), `${change} is on a ${kind} of an image`);
      }
    }
    const onlyForImages = [
      'openDescription',
      'describeImage',
      'findRoots',
      'refreshInspection',
      'saveBookmarks',
    ];
    for (const { command, when = '' } of items) {
      if (!when.includes('iopte.domains')) continue;
      const name = command.slice('iopte.'.length);
      ok(!(isFor(when, 'machine') && onlyForImages.includes(name)), `${name} is on a machine`);
    }
  });

  it('binds keys only inside its own views and its editor of traces', () => {
    for (const { when = '' } of contributes().keybindings)
      ok(when.includes('focusedView') || when.includes("activeCustomEditorId == 'iopte.trace'"), when);
  });

  it('opens by itself what nothing else has, offers to open what may be a trace, and is the only editor of it', () => {
    const { customEditors, configurationDefaults } = contributes();
    deepEqual(
      customEditors.map(({ viewType, priority }) => [viewType, priority]),
      [['iopte.trace', 'option']],
    );
    const patterns = customEditors.flatMap(({ selector }) => selector.map((each) => each.filenamePattern));
    const associations = Object.entries(configurationDefaults['workbench.editorAssociations'] ?? {});
    deepEqual(
      associations,
      ['*.iotrace', '*.iotrace.gz', 'trace.dat', 'trace.dat.gz'].map((each) => [each, 'iopte.trace']),
    );
    for (const [pattern] of associations) ok(patterns.includes(pattern), pattern);
  });

  it('has the container with Domains, Entry and Walk, each with an icon', () => {
    deepEqual(
      contributes().viewsContainers.activitybar.map(({ id }) => id),
      ['iopte'],
    );
    const views = contributes().views['iopte'] ?? [];
    deepEqual(
      views.map(({ id }) => id),
      [
        ...['iopte.domains', 'iopte.entry', 'iopte.walk', 'iopte.iotlb', 'iopte.faults', 'iopte.ledger'],
        ...['iopte.results', 'iopte.bookmarks'],
      ],
    );
    for (const { icon } of views) ok(icon);
  });

  it('works in untrusted and in virtual workspaces, and wakes by itself only where a folder has descriptions or scenarios', () => {
    const { capabilities, activationEvents } = manifest();
    deepEqual(capabilities, { untrustedWorkspaces: { supported: true }, virtualWorkspaces: true });
    deepEqual(activationEvents, [
      'workspaceContains:**/*.iopte.json',
      'workspaceContains:**/*.iopte.yaml',
      'onWebviewPanel:iopte.scenarioResults',
    ]);
  });

  it('has every file that it names', async () => {
    const extension = vscode.extensions.getExtension('iopte.iopte-inspector');
    ok(extension);
    const { walkthroughs } = contributes();
    const files = [
      ...walkthroughs.flatMap(({ steps }) => steps.map(({ media }) => media.markdown)),
      'media/container.svg',
      'media/icon.png',
      'media/image.schema.json',
      ...contributes().languages.map(({ configuration }) => configuration),
      ...contributes().languages.flatMap(({ icon }) => [icon.light, icon.dark]),
      ...[...contributes().grammars, ...contributes().snippets].map((each) => each.path),
      ...contributes().yamlValidation.map(({ url }) => url),
      'l10n/bundle.l10n.json',
    ];
    for (const file of files) {
      await vscode.workspace.fs.stat(vscode.Uri.joinPath(extension.extensionUri, file));
    }
  });
});
