import { type Axis, type MigrationModel } from '../../messages/resultsMessages';
import { type ResultsStrings } from '../../messages/resultsStrings';
import { element } from '../../shared/dom';
import { type Domain } from './domain';
import { draw } from './draw';
import { layout } from './layout';
import { type Palette } from './palette';
import { slotAt, type Scene } from './scene';

export interface ChartOptions {
  readonly migration: MigrationModel;
  readonly domain: Domain;
  readonly axis: Axis;
  readonly strings: ResultsStrings;
  readonly label: string;
}

const STEPS: Readonly<Record<string, number>> = {
  ...{ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 },
  ...{ Home: -Infinity, End: Infinity },
};

/** A migration's chart with a cursor on one of its rounds, moved by arrow keys and by the pointer. */
export class ChartView {
  readonly element: HTMLCanvasElement;
  #cursor: number | undefined;
  #scene: Scene | undefined;
  #palette: Palette;

  /** @param moved  called with the index of the round that the cursor is on now */
  constructor(
    private readonly options: ChartOptions,
    palette: Palette,
    private readonly moved: (cursor: number) => void,
  ) {
    this.#palette = palette;
    this.element = element('canvas', {
      class: 'chart',
      attributes: { role: 'application', tabindex: '0', 'aria-label': options.label },
    });
    this.element.addEventListener('keydown', (event) => this.#onKey(event));
    this.element.addEventListener('focus', () => this.#move(this.#cursor ?? 0));
    this.element.addEventListener('pointermove', (event) => this.#onPointer(event));
    this.element.addEventListener('pointerdown', (event) => this.#onPointer(event));
  }

  get cursor(): number | undefined {
    return this.#cursor;
  }

  setCursor(cursor: number | undefined): void {
    this.#cursor = cursor;
    this.paint();
  }

  usePalette(palette: Palette): void {
    this.#palette = palette;
    this.paint();
  }

  /** As wide as there is room, and as sharp as the screen is. */
  paint(): void {
    const width = this.element.parentElement?.clientWidth ?? 0;
    if (width === 0) return;
    const { migration, domain, axis, strings } = this.options;
    const scene = layout({ migration, domain, axis, strings, width, cursor: this.#cursor });
    this.#scene = scene;
    const scale = devicePixelRatio;
    this.element.width = Math.round(scene.width * scale);
    this.element.height = Math.round(scene.height * scale);
    this.element.style.width = `${scene.width}px`;
    this.element.style.height = `${scene.height}px`;
    const context = this.element.getContext('2d');
    if (!context) return;
    context.scale(scale, scale);
    draw(context, scene, this.#palette);
  }

  #onKey(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#move((this.#cursor ?? 0) + step);
  }

  #onPointer(event: PointerEvent): void {
    if (this.#scene) this.#move(slotAt(this.#scene.slots, event.offsetX));
  }

  #move(to: number): void {
    const last = this.options.migration.rounds.length - 1;
    const cursor = Math.min(last, Math.max(0, to));
    if (cursor === this.#cursor || last < 0) return;
    this.setCursor(cursor);
    this.moved(cursor);
  }
}
