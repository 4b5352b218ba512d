import { TIME_MODES, type TimeMode } from '../messages/traceColumns';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { button, choice } from './controls';

export interface Toolbar {
  readonly element: HTMLElement;
  /** Shows whether the panel of groups is open. */
  pressGroup(isOpen: boolean): void;
}

/** Above the grid: the boxes, how times are shown, and what else opens. */
export function toolbar(
  strings: TraceStrings,
  boxes: readonly HTMLElement[],
  menus: readonly HTMLElement[],
  time: TimeMode,
  actions: { readonly useTime: (mode: TimeMode) => void; readonly toggleGroup: () => void },
): Toolbar {
  const modes = Object.fromEntries(TIME_MODES.map((mode) => [mode, strings.timeModes[mode]])) as Record<
    TimeMode,
    string
  >;
  const group = button(strings.group, { act: actions.toggleGroup });
  group.setAttribute('aria-expanded', 'false');
  return {
    element: element(
      'div',
      { class: 'toolbar' },
      ...boxes,
      element(
        'div',
        { class: 'tools' },
        choice(strings.timeMode, modes, time, actions.useTime),
        group,
        ...menus,
      ),
    ),
    pressGroup: (isOpen) => group.setAttribute('aria-expanded', String(isOpen)),
  };
}
