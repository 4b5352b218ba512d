import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { amdFaultCode } from '../../../src/engine/directory/amd/faultCodes';
import { riscvFaultCode } from '../../../src/engine/directory/riscv/faultCodes';
import { smmuFaultCode } from '../../../src/engine/directory/smmuv3/faultCodes';
import { vtdFaultCode } from '../../../src/engine/directory/vtd/faultCodes';
import { FAULTS, type Fault } from '../../../src/inspection/protocol';

type Access = 'read' | 'write';
type Stage = 1 | 2 | null;

/** Every code of a fault in a few characters, each once: as a cell of the table. */
function cell(
  codeOf: (access: Access, stage: Stage) => string | undefined,
  shorten: (code: string) => string,
) {
  const stages: readonly Stage[] = [null, 1, 2];
  const codes = stages.flatMap((stage) =>
    (['read', 'write'] as const).flatMap((access) => codeOf(access, stage) ?? []),
  );
  return [...new Set(codes.map(shorten))].join(', ') || '–';
}

function cells(fault: Fault): string[] {
  const reason = (code: string) => code.replace('fault reason ', '');
  return [
    cell((access) => vtdFaultCode('legacy', fault, access, 2), reason),
    cell((access, stage) => vtdFaultCode('scalable', fault, access, stage), reason),
    cell(
      (access, stage) => amdFaultCode(fault, access, stage),
      (code) => code.split(' ')[0] ?? '',
    ),
    cell(
      () => smmuFaultCode(fault),
      (code) => code,
    ),
    cell(
      (access, stage) => riscvFaultCode(fault, access, stage),
      (code) => /cause (\d+)/.exec(code)?.[1] ?? '',
    ),
  ];
}

describe('docs/faults.md', () => {
  const text = readFileSync(path.join(__dirname, '..', '..', '..', 'docs', 'faults.md'), 'utf8');
  const sections = text.split(/^## /m).slice(1);

  it('has a section for every fault, in the order of the protocol, and for nothing else', () => {
    assert.deepEqual(
      sections.map((section) => section.split('\n', 1)[0]),
      [...FAULTS],
    );
  });

  it('lists every fault in its table, with a link to its section', () => {
    const rows = [...text.matchAll(/^\| \[`([^`]+)`\]\(#([^)]+)\)/gm)];
    assert.deepEqual(
      rows.map(([, name, anchor]) => [name, anchor]),
      FAULTS.map((fault) => [fault, fault]),
    );
  });

  it('gives each vendor’s own code as the engine does', () => {
    for (const fault of FAULTS) {
      const row = text.split('\n').find((line) => line.startsWith(`| [\`${fault}\`]`));
      const columns = row?.split('|').map((column) => column.trim()) ?? [];
      assert.deepEqual(columns.slice(2, 7), cells(fault), fault);
    }
  });

  it('says meaning, cause, code and what to check next of each', () => {
    for (const section of sections) {
      for (const part of ['Meaning', 'Cause', 'Code', 'Check next']) {
        assert.match(section, new RegExp(`^\\*\\*${part}\\.\\*\\* \\S`, 'm'), section.split('\n', 1)[0]);
      }
    }
  });
});
