import { element, icon } from '../shared/dom';

export interface ButtonOptions {
  readonly class?: string;
  /** Path of an icon that stands in the place of the text; the text is its name. */
  readonly icon?: string;
  readonly act: () => void;
}

/** A button with a text, or with an icon that the text names. */
export function button(
  text: string,
  { class: name = 'button', icon: path, act }: ButtonOptions,
): HTMLButtonElement {
  const made = element('button', {
    class: path === undefined ? name : `${name} icon-button`,
    attributes: { type: 'button', ...(path !== undefined && { 'aria-label': text, title: text }) },
  });
  if (path === undefined) made.append(text);
  else made.append(icon(path, 'icon'));
  made.addEventListener('click', act);
  return made;
}

/** A list of choices with a name for screen readers. */
export function choice<Value extends string>(
  label: string,
  options: Readonly<Record<Value, string>>,
  value: Value,
  chosen: (value: Value) => void,
): HTMLSelectElement {
  const select = element('select', { class: 'choice', attributes: { 'aria-label': label, title: label } });
  for (const [key, text] of Object.entries<string>(options))
    select.append(element('option', { text, attributes: { value: key } }));
  select.value = value;
  select.addEventListener('change', () => chosen(select.value as Value));
  return select;
}

export const ICONS = {
  close: 'M4 3l4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4-4-4z',
  next: 'M7.3 3h1.4v7.3L12 7l1 1-5 5-5-5 1-1 3.3 3.3z',
  previous: 'M7.3 13h1.4V5.7L12 9l1-1-5-5-5 5 1 1 3.3-3.3z',
} as const;
