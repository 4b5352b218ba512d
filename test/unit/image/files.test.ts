import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openImage } from '../../../src/image/openImage';
import { openFileSource } from '../../../src/inspection/node/fileSource';
import { nodeImagePlatform } from '../../../src/inspection/node/inflate';
import { buildElf, frames, PHDR } from '../../builders/elf';
import { platform, value, whyMissing, wordAt } from './support';

const GIB = 2 ** 30;

describe('images as files', () => {
  let folder = '';
  before(() => {
    folder = fs.mkdtempSync(path.join(tmpdir(), 'iopte-files-'));
  });
  after(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('reads of a 64 GiB ELF core only its headers and the frames that are asked for', async () => {
    const file = path.join(folder, 'huge.elf');
    const headers = buildElf({
      loads: [{ paddr: 0x10_0000, offset: 64 + PHDR, fileBytes: 64 * GIB }],
    });
    fs.writeFileSync(file, headers);
    const last = 64 + PHDR + 64 * GIB - 4096;
    const descriptor = fs.openSync(file, 'r+');
    fs.ftruncateSync(descriptor, last + 4096);
    fs.writeSync(descriptor, frames(1, 3), 0, 4096, last);
    fs.closeSync(descriptor);
    let read = 0;
    const counting = {
      ...platform,
      openPath: (name: string) => {
        const opened = openFileSource(name);
        if (!opened.ok) return opened;
        const source = opened.value;
        return {
          ok: true as const,
          value: {
            name: source.name,
            size: source.size,
            read: (offset: number, target: Uint8Array) => {
              read += target.length;
              return source.read(offset, target);
            },
            close: () => {
              source.close();
            },
          },
        };
      },
    };
    const opened = value(await openImage({ kind: 'path', path: file }, { platform: counting }));
    assert.ok(read <= 16 * 1024, `${read} bytes read to open`);
    const { memory, problems } = opened;
    assert.deepEqual(problems, []);
    assert.equal(memory.bytesHeld, 64 * GIB);
    assert.equal(wordAt(memory, 0x10_0000 + 64 * GIB - 4096), 3 * 2 ** 20);
    assert.equal(wordAt(memory, 0x10_0000 + 32 * GIB), 0);
    assert.ok(read <= 64 * 1024, `${read} bytes read in all`);
    memory.close();
  });

  it('says so when a file becomes shorter while it is open', async () => {
    const file = path.join(folder, 'shrinks.elf');
    fs.writeFileSync(file, buildElf({ loads: [{ paddr: 0x1000, bytes: frames(64, 1) }] }));
    const { memory } = value(
      await openImage({ kind: 'path', path: file }, { platform: nodeImagePlatform() }),
    );
    assert.equal(wordAt(memory, 0x1000), 2 ** 20);
    fs.truncateSync(file, 100_000);
    assert.equal(wordAt(memory, 0x20000), undefined);
    assert.match(whyMissing(memory, 0x20000), /0x20000 cannot be read: shrinks\.elf became shorter/);
    memory.close();
  });
});
