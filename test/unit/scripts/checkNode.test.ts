import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const file = path.join(__dirname, '../../../scripts/checkNode.cjs');

/** Runs the check in a Node that says it is of this version. */
function checkAs(version: string) {
  const program = `
    Object.defineProperty(process.versions, 'node', { value: '${version}' });
    require(${JSON.stringify(file)});
    console.log('went on');`;
  return spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
}

describe('the check of Node', () => {
  for (const version of ['8.17.0', '18.20.4', '20.18.3']) {
    it(`refuses ${version} and says what is needed`, () => {
      const { status, stdout, stderr } = checkAs(version);
      assert.equal(status, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /needs Node\.js 20\.19 or newer; this is .*\nInstall a newer one/);
    });
  }

  for (const version of ['20.19.0', '22.0.0', '24.21.0']) {
    it(`lets ${version} pass`, () => {
      assert.deepEqual([checkAs(version).status, checkAs(version).stdout], [0, 'went on\n']);
    });
  }

  it('can be read by an old Node', () => {
    const program = readFileSync(file, 'utf8').replace(/^\/\/.*$/gm, '');
    assert.doesNotMatch(program, /=>|`|\b(?:const|let|import|async|class)\b|\?\./);
  });
});
