import { defaultCapabilities } from '../../../engine/driver/capabilities/index';
import { EMULATED_KINDS } from '../../../engine/iommu/vendor';
import { tableChoices } from '../../../engine/machine/tableChoices';
import { alternativesOf, below, fileShape, fitting, type Shape } from '../shape';
import { type Path } from '../source/node';
import { type LooseNode } from './looseNode';
import { textIn } from './names';

/** What may stand at a path of a text, with what depends on the vendor that it names. */
export function knownAt(path: Path, root: LooseNode | undefined): readonly Shape[] {
  const textAt = textIn(root);
  let shapes = alternativesOf(fileShape());
  for (const [index, key] of path.entries()) {
    const above = path.slice(0, index);
    shapes = below(shapes, key, (name) => textAt([...above, name])).map((shape) =>
      ofVendor(shape, path.slice(0, index + 1), textAt),
    );
  }
  return fitting(shapes, (name) => textAt([...path, name]));
}

function ofVendor(shape: Shape, path: Path, textAt: (path: Path) => string | undefined): Shape {
  const last = path.at(-1);
  if (last !== 'capabilities' && last !== 'tables') return shape;
  const variant = path[0] === 'variants' ? path.slice(0, 2) : [];
  const named = textAt([...variant, 'machine', 'vendor']) ?? textAt(['machine', 'vendor']);
  const vendor = EMULATED_KINDS.find((kind) => kind === named);
  if (!vendor) return shape;
  if (last === 'capabilities') return { ...shape, properties: capabilities(vendor) };
  const choices = tableChoices(vendor).filter(({ stage }) => stage === 1 || path.at(-2) !== 'guest');
  return {
    ...shape,
    enum: choices.map(({ id }) => id),
    enumDescriptions: choices.map(({ title }) => `${title}.`),
  };
}

function capabilities(vendor: (typeof EMULATED_KINDS)[number]): Readonly<Record<string, Shape>> {
  return Object.fromEntries(
    Object.entries(defaultCapabilities(vendor))
      .filter(([name]) => name !== 'vendor')
      .map(([name, value]): [string, Shape] => {
        const type = Array.isArray(value) ? 'string' : typeof value === 'boolean' ? 'boolean' : 'number';
        return [
          name,
          { type, default: String(value), description: `A capability of ${vendor}: docs/hardware.md.` },
        ];
      }),
  );
}
