import type { IopteApi } from '../../src/host/api';
import { exportedText } from '../../src/host/commands/exportList';
import { deepEqual, equal, match, ok } from './assert';
import { activated, closeAll, inFolder, must, readText, run, writeText } from './support';

const DOMAIN = 'dmar0/4/0x14ab2b000';
/** Of the guest's manifest: this domain has 187 leaves of 4K. */
const LEAVES = 187;

describe('Export List', () => {
  let api: IopteApi;
  before(async () => {
    api = await activated();
    await closeAll(api);
    await must('iopte.openSample', 'vtd-3level-1g');
  });
  after(() => closeAll(api));

  const exported = async (name: string, more: object): Promise<readonly string[]> => {
    const target = inFolder(name);
    await must('iopte.exportList', { domain: DOMAIN, target, ...more });
    const text = await readText(target);
    ok(text.endsWith('\n'));
    return text.slice(0, -1).split('\n');
  };

  it('writes JSON Lines with addresses as hexadecimal strings', async () => {
    const lines = await exported('list.jsonl', { format: 'jsonl' });
    const rows = lines.map((line) => JSON.parse(line) as { iova: string; paddr: string; count: number });
    equal(
      rows.reduce((sum, { count }) => sum + count, 0),
      LEAVES,
    );
    for (const { iova, paddr } of rows) match(`${iova} ${paddr}`, /^0x[0-9a-f]+ 0x[0-9a-f]+$/);
  });

  it('writes CSV with a heading and the same rows', async () => {
    const [heading = '', ...rows] = await exported('list.csv', { format: 'csv' });
    const lines = await exported('list.jsonl', { format: 'jsonl' });
    match(heading, /^iommu,stage,domain,root,iova,length,paddr,size,count,perm,/);
    deepEqual(
      rows.map((row) => row.split(',')),
      lines.map((line) => Object.values(JSON.parse(line) as object).map(String)),
    );
  });

  it('writes what a filter lets through', async () => {
    const rows = await exported('read-only.jsonl', { format: 'jsonl', where: 'perm = r' });
    const counts = rows.map((line) => JSON.parse(line) as { perm: string; count: number });
    ok(counts.every(({ perm }) => perm === 'R'));
    // Of the manifest: 183 leaves are RW, 4 are R.
    equal(
      counts.reduce((sum, { count }) => sum + count, 0),
      4,
    );
  });

  it('takes a domain by its id, and refuses one that is not there', async () => {
    deepEqual(
      await exported('by-id.jsonl', { format: 'jsonl', domain: '4' }),
      await exported('by-name.jsonl', { format: 'jsonl' }),
    );
    const target = inFolder('none.jsonl');
    const failure = await run('iopte.exportList', { domain: '99', format: 'jsonl', target });
    match(JSON.stringify(failure), /no domain 99.*hint.*dmar0\/4\/0x14ab2b000/);
  });

  it('says what it wrote, and that a filter left something out', () => {
    const target = inFolder('list.csv');
    equal(exportedText(1, target, ''), 'Exported 1 row to list.csv.');
    equal(
      exportedText(2, target, 'perm = r'),
      'Exported 2 rows to list.csv. Only what the filter lets through: perm = r',
    );
  });

  it('says what is wrong when the file cannot be written', async () => {
    await writeText('plain.txt', '');
    const failure = await run('iopte.exportList', {
      domain: DOMAIN,
      format: 'csv',
      target: inFolder('plain.txt/list.csv'),
    });
    match(JSON.stringify(failure), /plain\.txt\/list\.csv cannot be written: .*hint.*another folder/);
  });
});
