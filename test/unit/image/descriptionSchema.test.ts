import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { IOMMU_KINDS, REGISTERS } from '../../../src/image/description/index';
import { descriptionJsonSchema } from '../../../src/image/description/jsonSchema';

const FILE = path.join(__dirname, '../../../media/image.schema.json');

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Record<string, SchemaNode>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly const?: unknown;
}

describe('JSON schema of descriptions', () => {
  const schema = JSON.parse(JSON.stringify(descriptionJsonSchema())) as SchemaNode;

  it('is the committed media/image.schema.json (UPDATE_SCHEMA=1 writes it, prettier formats it)', () => {
    if (process.env['UPDATE_SCHEMA'] === '1') {
      writeFileSync(FILE, `${JSON.stringify(schema, undefined, 2)}\n`);
    }
    assert.deepEqual(JSON.parse(readFileSync(FILE, 'utf8')), schema);
  });

  it('describes every property, for hover and completion', () => {
    const visit = (node: SchemaNode, at: string): void => {
      for (const [name, property] of Object.entries(node.properties ?? {})) {
        assert.ok(property.description, `${at}.${name} has no description`);
        visit(property, `${at}.${name}`);
      }
      for (const child of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) visit(child, at);
      if (node.items) visit(node.items, `${at}[]`);
    };
    visit(schema, '');
  });

  it('offers the registers of each kind by name', () => {
    const kinds = schema.properties?.['iommus']?.items?.oneOf ?? [];
    const offered = kinds.map(({ properties }) => [
      properties?.['kind']?.const,
      Object.keys(properties?.['registers']?.properties ?? {}),
    ]);
    assert.deepEqual(
      offered,
      IOMMU_KINDS.map((kind) => [kind, REGISTERS[kind].map(({ name }) => name)]),
    );
    assert.deepEqual(Object.fromEntries(offered), {
      'vt-d': ['RTADDR', 'GSTS', 'CAP', 'ECAP'],
      'amd-vi': ['DevTabBase', 'Control', 'ExtFeat', 'ExtFeat2', 'CBit'],
      smmuv3: ['STRTAB_BASE', 'STRTAB_BASE_CFG', 'CR0', 'CR2', 'GBPA', 'IDR0', 'IDR1', 'IDR3', 'IDR5'],
      riscv: ['ddtp', 'capabilities', 'fctl'],
      ept: ['EPTP'],
    });
  });
});
