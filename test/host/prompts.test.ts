import * as vscode from 'vscode';
import type { IopteApi } from '../../src/host/api';
import { activeItem, filterItems, markProblem } from '../../src/host/prompts/filter';
import { mayWriteBeside, readSegments } from '../../src/host/prompts/description';
import { pickItems } from '../../src/host/prompts/pick';
import { askInSteps, type Answer, type Step } from '../../src/host/prompts/steps';
import { checkIova, checkRegister, checkRequester } from '../../src/host/prompts/values';
import { deepEqual, equal, ok, until } from './assert';
import { activated, closeAll, inFolder, must, run } from './support';

describe('prompts', () => {
  it('go through their steps, skip what is known, and go back to what was asked', async () => {
    const asked: string[] = [];
    const step =
      (name: string, ...answers: (Answer<string> | 'skip')[]): Step<string> =>
      (state, place) => {
        asked.push(`${name} ${String(place.step)}/${String(place.of)} ${state}`);
        return Promise.resolve(answers.shift() ?? { kind: 'value', value: `${state}${name}` });
      };
    const state = await askInSteps('Title', '', [
      step('a'),
      step('b', 'skip', 'skip'),
      step('c', { kind: 'back' }),
      step('d'),
    ]);
    equal(state, 'acd');
    deepEqual(asked, ['a 1/4 ', 'b 2/4 a', 'c 2/3 a', 'a 1/4 ', 'b 2/4 a', 'c 2/3 a', 'd 3/3 ac']);
    equal(await askInSteps('Title', '', [step('a', { kind: 'cancel' })]), undefined);
  });

  it('ask what follows from the answers so far', async () => {
    const places: string[] = [];
    const answer =
      (value: string): Step<string> =>
      (_state, { step, of }) => {
        places.push(`${String(step)}/${String(of)}`);
        return Promise.resolve({ kind: 'value', value });
      };
    const questions = (state: string): readonly Step<string>[] =>
      state === '' ? [answer('long')] : [answer('long'), answer('longer'), answer('longest')];
    equal(await askInSteps('Title', '', questions), 'longest');
    deepEqual(places, ['1/1', '2/3', '3/3']);
  });

  it('check values while they are typed', () => {
    for (const good of ['0x0', '0xffee0000', '4096', '2M', '0xffff_ffff_ffff_ffff'])
      equal(checkIova(good), undefined);
    for (const bad of ['', 'x', '0x', '-1', '0x1ffffffffffffffff', '1.5']) ok(checkIova(bad), bad);
    equal(checkRequester('00:02.0'), undefined);
    for (const bad of ['0:2', '00:20.0', '0x100000000', '']) ok(checkRequester(bad), bad);
    ok(checkRegister('RTADDR'));
    equal(checkRegister('0xffffffff', 32), undefined);
    ok(checkRegister('0x100000000', 32));
  });

  it('say what is wrong with what is typed beside a list, and list nothing twice', () => {
    const choices = [{ label: '00:02.0', description: 'domain 4', value: 0x10 }];
    const other = (text: string) =>
      text.startsWith('0') ? { label: text, alwaysShow: true, value: 1 } : 'Not a device.';
    const labels = (text: string) => pickItems(choices, text, other).map(({ label }) => label);
    deepEqual(labels(''), ['00:02.0']);
    deepEqual(labels('00:02.0'), ['00:02.0']);
    deepEqual(labels('00:03.0'), ['00:02.0', '00:03.0']);
    deepEqual(labels('zz:99'), ['00:02.0', '$(error) Not a device.']);
    deepEqual(labels('dom'), ['00:02.0']);
    equal(pickItems(choices, 'zz:99', other)[1]?.alwaysShow, true);
  });

  it('offer no completion that changes nothing, and take one only where it mends the filter', () => {
    const error = { severity: 'error', code: 'x', message: 'No.' } as const;
    const completions = [
      { text: 'dirty', detail: '', start: 10, end: 15 },
      { text: 'and', detail: '', start: 15, end: 15 },
    ];
    const text = 'sze>2 and dirty';
    const middle = [{ ...error, start: 0, end: 3 }];
    const items = filterItems(text, middle, completions, []);
    deepEqual(
      items.map((each) => each.text),
      [text, `${text}and`],
    );
    equal(activeItem(text, middle, items), items[0]);
    equal(activeItem(text, [{ ...error, start: 10, end: 15 }], items), items[1]);
    equal(activeItem(text, [], items), items[0]);
  });

  it('offer to write a description beside an image, but not into the extension', () => {
    const extension = vscode.Uri.parse('https://example.org/extension/');
    equal(mayWriteBeside(extension, vscode.Uri.joinPath(extension, 'samples', 'a.elf.gz')), false);
    equal(mayWriteBeside(extension, vscode.Uri.parse('https://example.org/extension2/a.elf.gz')), true);
    equal(mayWriteBeside(extension, inFolder('vtd-4level.elf.gz')), true);
  });

  it('read segments of a raw image', () => {
    deepEqual(readSegments('0x0'), [{ paddr: '0x0', offset: 0 }]);
    deepEqual(readSegments('0x0=0x0+640K, 0x100000=640K+2G'), [
      { paddr: '0x0', offset: 0, length: 655360 },
      { paddr: '0x100000', offset: 655360, length: 2147483648 },
    ]);
    for (const bad of ['', '0x0+4K', '0x0=1+0', '0x0,', 'a=b+c']) equal(readSegments(bad), undefined, bad);
  });

  it('mark the exact place of a filter error, and offer how a filter can go on', () => {
    equal(markProblem('perm = rx', { start: 7, end: 9 }), 'perm = ⟦rx⟧');
    equal(markProblem('perm =', { start: 6, end: 6 }), 'perm =⟦⟧');
    const problem = { severity: 'error', code: 'x', message: 'No.', start: 7, end: 9 } as const;
    const [error] = filterItems('perm = rx', [problem], [], []);
    equal(error?.act, 'none');
    equal(error?.detail, 'perm = ⟦rx⟧');
    const completion = { text: 'rw', detail: '', start: 7, end: 8 };
    const items = filterItems('perm = r', [], [completion], ['dirty']);
    deepEqual(
      items.map(({ act, text }) => [act, text]),
      [
        ['apply', 'perm = r'],
        ['insert', 'perm = rw'],
      ],
    );
    equal(filterItems('', [], [], ['dirty'])[1]?.text, 'dirty');
  });

  describe('of commands', () => {
    let api: IopteApi;
    before(async () => {
      api = await activated();
      await closeAll(api);
      await must('iopte.openSample', 'vtd-3level-1g');
    });
    after(() => closeAll(api));

    /** Answers open questions with what they offer, until the command is through. */
    const accepting = async (command: Thenable<unknown>): Promise<unknown> => {
      let done = false;
      const ended = command.then((result) => {
        done = true;
        return result;
      });
      await until('the command', async () => {
        if (!done) await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
        return done;
      });
      return ended;
    };

    it('ask for what they were not given, and offer what was used last', async () => {
      await must('iopte.walkIova', { device: '00:02.0', iova: '0xffee0000', access: 'write' });
      equal(await accepting(run('iopte.walkIova')), undefined);
      const [result] = (await api.walk.getChildren()) ?? [];
      ok(result?.kind === 'result');
      deepEqual(result.result.request, { requester: 0x10, pasid: null, iova: 0xffee0000n, access: 'write' });
    });

    it('can be left without doing anything', async () => {
      const [before] = (await api.walk.getChildren()) ?? [];
      let done = false;
      const command = run('iopte.walkIova').then(() => (done = true));
      await until('the question to close', async () => {
        await vscode.commands.executeCommand('workbench.action.closeQuickOpen');
        return done;
      });
      await command;
      const [after] = (await api.walk.getChildren()) ?? [];
      deepEqual(after, before);
    });
  });
});
