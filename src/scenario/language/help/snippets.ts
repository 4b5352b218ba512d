import { alternativesOf, type Shape } from '../shape';

/** Choices that are offered in place. */
const MOST_CHOICES = 12;

/** What a key stands for when it is new: what must be said below it, with fields to fill in; undefined: nothing. */
export function bodyOf(shape: Shape, indent: string, flow: boolean): string | undefined {
  const [first] = alternativesOf(shape);
  if (!first) return undefined;
  const field = new Fields();
  if (first.type === 'array') {
    const [item] = first.items ? alternativesOf(first.items) : [];
    if (item?.properties && !flow) return `\n${indent}  - ${field.next('')}`;
    return item?.properties ? `[{ ${field.object(item)} }]` : `[${field.next(sample(item))}]`;
  }
  if (first.properties) {
    const required = field.object(first);
    return required === '' ? `{ ${field.next('')} }` : `{ ${required} }`;
  }
  if (first.additionalProperties !== undefined && !flow) return `\n${indent}  ${field.next('name')}: `;
  return undefined;
}

class Fields {
  private count = 0;

  next(text: string): string {
    this.count++;
    return text === '' ? `$${this.count}` : `\${${this.count}:${text}}`;
  }

  /** `iova: ${1:0x0}, length: ${2:4K}`: what an object must have. */
  object({ properties = {}, required = [] }: Shape): string {
    return required
      .map((key) => {
        const [shape] = alternativesOf(properties[key] ?? {});
        return `${key}: ${this.value(shape)}`;
      })
      .join(', ');
  }

  private value(shape: Shape | undefined): string {
    if (shape?.properties) return `{ ${this.object(shape)} }`;
    if (shape?.type === 'array') {
      const [item] = shape.items ? alternativesOf(shape.items) : [];
      return item?.properties ? `[{ ${this.object(item)} }]` : `[${this.next(sample(item))}]`;
    }
    const ids = shape?.enum ?? (shape?.type === 'boolean' ? ['true', 'false'] : []);
    if (ids.length > 0 && ids.length <= MOST_CHOICES) return `\${${++this.count}|${ids.join(',')}|}`;
    return this.next(sample(shape));
  }
}

/** A value that may stand there. */
export function sample(shape: Shape | undefined): string {
  if (shape?.const !== undefined) return String(shape.const);
  const [example] = shape?.examples ?? [];
  if (example !== undefined) return String(example);
  if (shape?.refers) return shape.refers.replace(/s$/, '');
  if (shape?.minimum !== undefined) return String(Math.max(1, shape.minimum));
  return shape?.enum?.[0] ?? (shape?.what?.startsWith('name') ? 'name' : '');
}
