import type { IopteApi } from '../../src/host/api';
import { deepEqual, equal, ok } from './assert';
import { activated, closeAll, must, snapshot } from './support';

describe('the engine', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'vtd-4level');
  });
  after(() => closeAll(api));

  it('runs in a worker', () => {
    equal(api.engineRunsIn, 'worker');
  });

  it('is rebuilt when it is lost: the same tree under the same ids', async () => {
    await must('iopte.walkIova', { device: '00:02.0', iova: '0xffffd000', access: 'read' });
    const tree = await snapshot(api);
    const walk = await api.walk.getChildren();
    ok(tree.length > 100);
    await must('iopte.restartEngine');
    equal(api.engineRunsIn, undefined);
    deepEqual(await snapshot(api), tree);
    deepEqual(await api.walk.getChildren(), walk);
    equal(api.engineRunsIn, 'worker');
  });

  it('answers many questions at once, each with its own answer', async () => {
    const tree = await snapshot(api);
    const all = await Promise.all(Array.from({ length: 5 }, () => snapshot(api)));
    for (const each of all) deepEqual(each, tree);
  });
});
