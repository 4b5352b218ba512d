// The reference of the scenario language, as markdown, from its schema: docs/scenarios/reference.md.

const HEAD = `# The language of scenarios

A scenario is a file \`*.iopte.yaml\` in YAML 1.2. This page is made from the schema (\`npm run docs:scenarios\`), which is also what
checks, completes and explains in the editor; [the JSON schema](../../schemas/scenario.schema.json) is for other editors.

- Numbers may be decimal or \`0x\`; whole numbers of 64 bits stay exact. Sizes take units of 1024 (\`4K\`, \`2M\`, \`1G\`), rates
  (\`100Gbps\`, \`12.5GB/s\`) and times (\`300ms\`) theirs.
- \`$name\` as a whole value stands for the parameter of that name.
- \`variants\` are merged over the rest of the file: keys are merged, lists and values replaced, \`null\` takes a key away. A file with
  variants runs as each of them, and not without one.
- A file names the version of the language. Older versions are read and upgraded where they can be; newer ones are refused.
- A text has at most 1 Mi characters, 64 levels and 100,000 values; a run at most 1,000,000 steps and 1,000,000,000 requests.

`;

/** A cell of a table. */
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** @param {{ alternativesOf: Function, expectation: Function, fileShape: Function, examples: Record<string, string>, actions: readonly string[] }} language */
export function scenarioReference({ alternativesOf, expectation, fileShape, examples, actions }) {
  const root = fileShape();
  const parts = [HEAD];
  const { variants, ...properties } = root.properties;

  const objectOf = (shape) => {
    const found = alternativesOf(shape);
    return found.find((each) => each.properties) ?? elementOf(found);
  };
  const elementOf = (found) => {
    for (const each of found) {
      const inside =
        each.items ?? (typeof each.additionalProperties === 'object' ? each.additionalProperties : undefined);
      const shapes = inside ? alternativesOf(inside) : [];
      const object = shapes.find((one) => one.properties);
      if (object) return object;
    }
    return undefined;
  };

  const describe = (shape) => {
    const found = alternativesOf(shape);
    return shape.description ?? found.find((each) => each.description)?.description ?? '';
  };

  const typeOf = (shape) => {
    const found = alternativesOf(shape);
    const ids = found.flatMap((each) => each.enum ?? []);
    if (ids.length > 12) return ids.map((id) => `\`${id}\``).join(', ');
    const [first] = found;
    if (found.length === 1 && first.type === 'array' && first.items) {
      const element = alternativesOf(first.items);
      if (element.some((each) => each.properties)) return 'a list';
      const listed = element.flatMap((each) => each.enum ?? []);
      const names = listed.length > 12 ? listed.map((id) => `\`${id}\``).join(', ') : expectation(element);
      return `a list of: ${names}`;
    }
    if (found.some((each) => each.properties)) {
      const others = found.filter((each) => !each.properties);
      return [...(others.length > 0 ? [expectation(others)] : []), 'keys, below'].join(', or ');
    }
    return expectation(found);
  };

  const rows = (shape, skip = []) => {
    const required = new Set(shape.required ?? []);
    const lines = Object.entries(shape.properties)
      .filter(([key]) => !skip.includes(key))
      .map(([key, each]) => {
        const given = alternativesOf(each)[0]?.default ?? each.default;
        const value =
          given === undefined || typeof given === 'object'
            ? required.has(key)
              ? 'needed'
              : ''
            : `\`${given}\``;
        const bounds = [key === 'atLeast' || key === 'atMost' ? '' : describe(each)];
        return `| \`${key}\` | ${cell(typeOf(each))} | ${value} | ${cell(bounds.join(' '))} |`;
      });
    return ['| key | takes | default | meaning |', '| --- | --- | --- | --- |', ...lines].join('\n');
  };

  const isBounds = (shape) => Object.keys(shape.properties ?? {}).join() === 'atLeast,atMost';

  /** Sections of the objects below a shape, each once. */
  const nested = (path, shape, level, skip = []) => {
    for (const [key, each] of Object.entries(shape.properties ?? {})) {
      if (skip.includes(key)) continue;
      const alternatives = alternativesOf(each);
      const kinds = alternatives.filter((one) => one.properties);
      const list = kinds.length > 0 ? kinds : [elementOf(alternatives)].filter(Boolean);
      for (const object of list) {
        if (isBounds(object) || Object.keys(object.properties).length === 0) continue;
        const kind = Object.values(object.properties).find((one) => one.const !== undefined)?.const;
        const title = kind === undefined ? `${path}${key}` : `${path}${key}, kind: ${kind}`;
        parts.push(`${'#'.repeat(level)} ${title}\n\n${rows(object)}\n\n`);
        if (kind === undefined)
          nested(`${path}${key}.`, object, level, ['steps', 'step', 'expect', 'migrate']);
      }
    }
  };

  parts.push(`## A file\n\n${rows(root)}\n\n`);
  for (const key of ['machine', 'devices', 'domains']) {
    const object = objectOf(properties[key]);
    const name = key === 'machine' ? 'machine' : `${key}.NAME`;
    parts.push(`## ${name}\n\n${describe(properties[key])}\n\n${rows(object)}\n\n`);
    nested(`${name}.`, object, 3);
  }

  const step = alternativesOf(alternativesOf(properties.steps)[0].items)[0];
  parts.push(
    '## steps\n\nA step has one of these actions. Beside it may stand:\n\n',
    `${rows(step, actions)}\n\n`,
  );
  for (const action of actions) {
    const shape = step.properties[action];
    parts.push(`### ${action}\n\n${describe(shape)}\n\n\`\`\`yaml\n- ${examples[action]}\n\`\`\`\n\n`);
    if (action === 'expect' || action === 'migrate') {
      parts.push(`Its keys are those of [${action}](#${action}-1) at the end of the file.\n\n`);
      continue;
    }
    const object = objectOf(shape);
    if (object && Object.keys(object.properties).length > 0) parts.push(`${rows(object)}\n\n`);
    if (action === 'during' && object) nested('during.', object, 4, ['step']);
  }
  for (const key of ['expect', 'migrate']) {
    const object = objectOf(properties[key]);
    parts.push(`## ${key}\n\n${describe(properties[key])}\n\n${rows(object)}\n\n`);
    nested(`${key}.`, object, 3);
  }
  parts.push(`## variants.NAME\n\n${describe(variants)}\n\n${rows(elementOf(alternativesOf(variants)))}\n`);
  return parts.join('');
}
