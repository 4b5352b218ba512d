import { element } from './dom';

export interface Painted<Name extends string> {
  readonly colors: Readonly<Record<Name, string>>;
  readonly font: string;
}

/** The colours that the style sheet gives to `.paint-NAME` now, as a canvas takes them: of the theme, or of the system. */
export function readColors<Name extends string>(names: readonly Name[]): Painted<Name> {
  const probe = element('span', { class: 'probe', attributes: { 'aria-hidden': 'true' } });
  document.body.append(probe);
  try {
    const colors = Object.fromEntries(
      names.map((name) => {
        probe.className = `probe paint-${name}`;
        return [name, getComputedStyle(probe).color];
      }),
    ) as Record<Name, string>;
    return { colors, font: getComputedStyle(probe).fontFamily };
  } finally {
    probe.remove();
  }
}

/** Calls when the theme, its contrast, or the system's own colours change. */
export function onThemeChange(changed: () => void): void {
  const observer = new MutationObserver(changed);
  const attributes = { attributes: true, attributeFilter: ['class', 'style', 'data-vscode-theme-kind'] };
  observer.observe(document.body, attributes);
  // The theme's colours are variables of the root element.
  observer.observe(document.documentElement, attributes);
  for (const query of ['(forced-colors: active)', '(prefers-contrast: more)'])
    matchMedia(query).addEventListener('change', changed);
}
