import assert from 'node:assert/strict';
import path from 'node:path';
import { cacheDirectory } from '../../../src/cli/cacheDirectory';

describe('cache of the command line', () => {
  it('is in the folder that the platform has for caches', () => {
    assert.equal(cacheDirectory({}, 'linux', '/home/u'), '/home/u/.cache/iopte-inspector');
    assert.equal(cacheDirectory({ XDG_CACHE_HOME: '/c' }, 'linux', '/home/u'), '/c/iopte-inspector');
    assert.equal(cacheDirectory({ XDG_CACHE_HOME: 'c' }, 'linux', '/h'), '/h/.cache/iopte-inspector');
    assert.equal(cacheDirectory({}, 'darwin', '/Users/u'), '/Users/u/Library/Caches/iopte-inspector');
    assert.equal(
      cacheDirectory({ LOCALAPPDATA: '/local' }, 'win32', '/u'),
      path.join('/local', 'iopte-inspector'),
    );
  });

  it('is moved or switched off by IOPTE_CACHE', () => {
    assert.equal(cacheDirectory({ IOPTE_CACHE: '/x' }, 'linux', '/home/u'), '/x');
    assert.equal(cacheDirectory({ IOPTE_CACHE: '' }, 'linux', '/home/u'), undefined);
  });
});
