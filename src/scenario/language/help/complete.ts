import { ACTIONS } from '../schema/steps';
import { expectation, type Shape } from '../shape';
import { type Cursor, type LooseMap, type LooseNode } from './looseNode';
import { knownAt } from './knowledge';
import { readLoosely } from './loose';
import { childIn, namesIn } from './names';
import { bodyOf } from './snippets';

/** As src/inspection/scenario.ts has it for editors. */
export interface Completion {
  readonly label: string;
  /** kind snippet: with fields as editors’ snippets have them, `${1:…}`. */
  readonly insert: string;
  readonly kind: 'key' | 'value' | 'snippet';
  readonly detail?: string;
  readonly documentation?: string;
  readonly start: number;
  readonly end: number;
}

const MOST_ITEMS = 200;

/** What may be written at a place of a text, whether that can be read or not. Never throws; nothing where nothing is known. */
export function completeScenario(
  text: string,
  offset: number,
): { readonly items: readonly Completion[]; readonly more: boolean } {
  const { root, cursor } = readLoosely(text, offset);
  const items = cursor ? new Completer(root, cursor).items() : [];
  return { items: items.slice(0, MOST_ITEMS), more: items.length > MOST_ITEMS };
}

class Completer {
  private readonly names: ReturnType<typeof namesIn>;

  constructor(
    private readonly root: LooseNode | undefined,
    private readonly cursor: Cursor,
  ) {
    this.names = namesIn(root);
  }

  items(): readonly Completion[] {
    const { at, path, map } = this.cursor;
    if (at === 'key') return this.keys(knownAt(path, this.root), '');
    if (at === 'item') {
      const ofMap = map ? this.keys(knownAt(map.path, this.root), '') : [];
      return [...this.both('- '), ...ofMap];
    }
    return at === 'value' ? this.values(this.shapes(), '') : this.both('');
  }

  private shapes(): readonly Shape[] {
    return knownAt(this.cursor.path, this.root);
  }

  private both(dash: string): readonly Completion[] {
    const shapes = this.shapes();
    // Below a key that holds a list an element begins by a dash.
    const elements = shapes.flatMap((shape) =>
      shape.type === 'array' && shape.items && !this.cursor.flow
        ? knownAt([...this.cursor.path, 0], this.root)
        : [],
    );
    return [
      ...this.keys(shapes, dash),
      ...this.values(shapes, dash),
      ...this.keys(elements, '- '),
      ...this.values(elements, '- '),
    ];
  }

  private keys(shapes: readonly Shape[], dash: string): readonly Completion[] {
    const { start, end, colon, flow, column } = this.cursor;
    const map = this.cursor.map ?? this.mapBelow();
    const present = new Set(
      (dash === '' ? (map?.entries ?? []) : [])
        .filter(({ range }) => range.start !== start)
        .map(({ key }) => key),
    );
    // A step does one thing.
    const done = ACTIONS.some((action) => present.has(action)) && shapes.some(isStep);
    const seen = new Set<string>(done ? ACTIONS : []);
    const items: Completion[] = [];
    for (const { properties = {}, required = [] } of shapes) {
      for (const [label, shape] of Object.entries(properties)) {
        if (present.has(label) || seen.has(label)) continue;
        seen.add(label);
        const indent = ' '.repeat(column + dash.length);
        const body = colon ? undefined : bodyOf(shape, indent, flow);
        items.push({
          label,
          kind: body === undefined ? 'key' : 'snippet',
          insert: `${dash}${label}${colon ? '' : body === undefined ? ': ' : `:${body.startsWith('\n') ? '' : ' '}${body}`}`,
          start,
          end,
          ...said(shape, required.includes(label)),
        });
      }
    }
    return items;
  }

  /** What stands on later lines below a key that a first one is written for. */
  private mapBelow(): LooseMap | undefined {
    let node = this.root;
    for (const key of this.cursor.path) node = childIn(node, key);
    return node?.kind === 'map' ? node : undefined;
  }

  private values(shapes: readonly Shape[], dash: string): readonly Completion[] {
    const { start, end, spaced } = this.cursor;
    const items = new Map<string, Completion>();
    const add = (label: string, detail: string, documentation = ''): void => {
      if (items.has(label)) return;
      items.set(label, {
        label,
        kind: 'value',
        insert: `${spaced ? '' : ' '}${dash}${label}`,
        start,
        end,
        ...(detail !== '' && { detail }),
        ...(documentation !== '' && { documentation }),
      });
    };
    for (const shape of shapes) {
      const { enum: ids, enumDescriptions, const: only, type, refers, examples, description = '' } = shape;
      const detail = (id: string): string => (shape.default === id ? 'default' : '');
      ids?.forEach((id, index) => {
        add(id, detail(id), enumDescriptions?.[index]);
      });
      if (only !== undefined) add(String(only), detail(String(only)), description);
      if (type === 'boolean') for (const id of ['true', 'false']) add(id, detail(id));
      if (refers) for (const name of this.names.of(refers)) add(name, refers === 'attachments' ? '' : refers);
      if (shape.properties || type === 'array') continue;
      for (const example of examples ?? []) add(String(example), 'for example', description);
      if (
        type !== 'boolean' &&
        !examples &&
        shape.default !== undefined &&
        typeof shape.default !== 'object'
      ) {
        add(String(shape.default), 'default', description);
      }
      for (const [name, value] of this.names.parameters) add(`$${name}`, value, 'A parameter of this file.');
    }
    if (shapes.every((shape) => shape.properties) && shapes.length > 0) this.objects(shapes, dash, items);
    return [...items.values()];
  }

  /** Behind the colon on its line an object stands in braces. */
  private objects(shapes: readonly Shape[], dash: string, items: Map<string, Completion>): void {
    const { start, end, at, spaced } = this.cursor;
    if (at !== 'value' && !this.cursor.flow) return;
    for (const shape of shapes) {
      const body = bodyOf(shape, '', true) ?? '{ $1 }';
      const kind = Object.values(shape.properties ?? {}).find((each) => each.const !== undefined)?.const;
      const label = kind === undefined ? '{ }' : `{ kind: ${kind} }`;
      const insert = `${spaced ? '' : ' '}${dash}${body}`;
      if (!items.has(label))
        items.set(label, { label, kind: 'snippet', insert, start, end, ...said(shape, false) });
    }
  }
}

const isStep = ({ properties = {} }: Shape): boolean =>
  ACTIONS.every((action) => Object.hasOwn(properties, action));

function said(shape: Shape, required: boolean): Pick<Completion, 'detail' | 'documentation'> {
  const takes = expectation([shape]);
  const detail = [takes, required ? 'needed' : '', defaultOf(shape)].filter((part) => part !== '').join('; ');
  return {
    ...(detail !== '' && { detail }),
    ...(shape.description !== undefined && { documentation: shape.description }),
  };
}

const defaultOf = ({ default: value }: Shape): string =>
  value === undefined || typeof value === 'object' ? '' : `default ${String(value)}`;
