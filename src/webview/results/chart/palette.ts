import { element } from '../../shared/dom';
import { type Paint } from './scene';

export interface Palette {
  readonly colors: Readonly<Record<Paint, string>>;
  readonly font: string;
}

const PAINTS: readonly Paint[] = [
  ...(['text', 'quiet', 'grid', 'sent', 'reported', 'written'] as const),
  ...(['pending', 'limit', 'blackout', 'estimate', 'focus', 'background'] as const),
];

/** The colours that the style sheet gives to the charts now, as a canvas takes them: of the theme, or of the system. */
export function readPalette(): Palette {
  const probe = element('span', { class: 'probe', attributes: { 'aria-hidden': 'true' } });
  document.body.append(probe);
  try {
    const colors = Object.fromEntries(
      PAINTS.map((paint) => {
        probe.className = `probe paint-${paint}`;
        return [paint, getComputedStyle(probe).color];
      }),
    ) as Record<Paint, string>;
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
