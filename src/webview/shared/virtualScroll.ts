import { element } from './dom';

/** A thumb must be found and held, however long the list. */
const LEAST_THUMB = 28;
/** Rows that a notch of a wheel is, where it does not say pixels. */
const LINES_A_NOTCH = 1;
/** What is left of a flick's speed after a millisecond, and the speed (rows a millisecond) at which it stops. */
const GLIDE = 0.997;
const STANDSTILL = 0.002;

export interface VirtualScrollOptions {
  readonly label: string;
  /** Id of what it scrolls. */
  readonly controls: string;
  readonly rowHeight: number;
  /** The position changed: by a person, or because the list became shorter. */
  readonly changed: (position: number) => void;
  /** A person moved it. */
  readonly moved?: () => void;
}

/**
 * A vertical scrollbar over a list of any length. The position is the index of the row at the top, with the part of it that is scrolled
 * away behind the point: no element is as high as the list, so the end of every list is reached, and row by row.
 */
export class VirtualScroll {
  readonly element: HTMLElement;
  readonly #thumb = element('div', { class: 'thumb' });
  #position = 0;
  #total = 0;
  #visible = 1;
  #height = 0;
  #glide = 0;

  constructor(private readonly options: VirtualScrollOptions) {
    this.element = element(
      'div',
      {
        class: 'scrollbar',
        attributes: {
          ...{ role: 'scrollbar', 'aria-orientation': 'vertical', 'aria-label': options.label },
          ...{ 'aria-controls': options.controls, 'aria-valuemin': '0' },
        },
      },
      this.#thumb,
    );
    this.element.addEventListener('pointerdown', (event) => this.#onPointer(event));
    new ResizeObserver(() => {
      this.#height = this.element.clientHeight;
      this.#paint();
    }).observe(this.element);
    this.#paint();
  }

  get position(): number {
    return this.#position;
  }

  /** The highest position: the last row stands at the bottom. */
  get end(): number {
    return Math.max(0, this.#total - this.#visible);
  }

  /** @param visible  rows that there is room for; 12.5 */
  setExtent(total: number, visible: number): void {
    this.#total = total;
    this.#visible = Math.max(1, visible);
    this.scrollTo(this.#position);
    this.#paint();
  }

  scrollTo(position: number): void {
    const next = Math.min(this.end, Math.max(0, position));
    if (next === this.#position) return;
    this.#position = next;
    this.#paint();
    this.options.changed(next);
  }

  scrollBy(rows: number): void {
    this.scrollTo(this.#position + rows);
  }

  #move(position: number): void {
    const before = this.#position;
    this.scrollTo(position);
    if (this.#position !== before) this.options.moved?.();
  }

  /** Scrolls with the wheel and with fingers over an element. */
  follow(target: HTMLElement): void {
    target.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false });
    this.#followTouch(target);
  }

  #onWheel(event: WheelEvent): void {
    // Zoom, and what goes sideways.
    if (event.ctrlKey || event.shiftKey || event.deltaY === 0) return;
    event.preventDefault();
    const units: Readonly<Record<number, number>> = {
      [WheelEvent.DOM_DELTA_PIXEL]: 1 / this.options.rowHeight,
      [WheelEvent.DOM_DELTA_LINE]: LINES_A_NOTCH,
      [WheelEvent.DOM_DELTA_PAGE]: this.#visible,
    };
    this.#stopGliding();
    const rows = event.deltaY * (units[event.deltaMode] ?? 0) * (event.altKey ? 5 : 1);
    this.#move(this.#position + rows);
  }

  #followTouch(target: HTMLElement): void {
    let last: { readonly y: number; readonly time: number } | undefined;
    let speed = 0;
    target.addEventListener('pointerdown', ({ pointerType, clientY: y, timeStamp: time }) => {
      this.#stopGliding();
      speed = 0;
      last = pointerType === 'touch' ? { y, time } : undefined;
    });
    target.addEventListener('pointermove', ({ pointerType, clientY: y, timeStamp: time }) => {
      if (!last || pointerType !== 'touch') return;
      const rows = (last.y - y) / this.options.rowHeight;
      speed = rows / Math.max(1, time - last.time);
      last = { y, time };
      this.#move(this.#position + rows);
    });
    const release = ({ type, timeStamp }: PointerEvent): void => {
      if (!last) return;
      const isFlick = type === 'pointerup' && timeStamp - last.time < 60;
      last = undefined;
      if (isFlick && !matchMedia('(prefers-reduced-motion: reduce)').matches) this.#startGliding(speed);
    };
    target.addEventListener('pointerup', release);
    target.addEventListener('pointercancel', release);
  }

  #startGliding(speed: number): void {
    let before = performance.now();
    let current = speed;
    const step = (now: number): void => {
      const passed = now - before;
      before = now;
      this.scrollBy(current * passed);
      current *= GLIDE ** passed;
      this.#glide = Math.abs(current) > STANDSTILL ? requestAnimationFrame(step) : 0;
    };
    this.#glide = requestAnimationFrame(step);
  }

  #stopGliding(): void {
    cancelAnimationFrame(this.#glide);
    this.#glide = 0;
  }

  get #thumbHeight(): number {
    const share = this.#total === 0 ? 1 : Math.min(1, this.#visible / this.#total);
    return Math.min(this.#height, Math.max(LEAST_THUMB, this.#height * share));
  }

  /** Pixels that the thumb can go. */
  get #way(): number {
    return Math.max(0, this.#height - this.#thumbHeight);
  }

  #onPointer(event: PointerEvent): void {
    if (event.button > 1 || this.end === 0) return;
    event.preventDefault();
    this.#stopGliding();
    const box = this.element.getBoundingClientRect();
    const top = (this.#way * this.#position) / this.end;
    const y = event.clientY - box.top;
    const isOnThumb = y >= top && y < top + this.#thumbHeight;
    if (!isOnThumb && event.button === 0 && !event.shiftKey) {
      this.#move(this.#position + Math.sign(y - top) * this.#visible);
      return;
    }
    const grip = isOnThumb ? y - top : this.#thumbHeight / 2;
    const drag = ({ clientY }: { clientY: number }): void => this.#dragTo(clientY - box.top - grip);
    drag(event);
    this.element.classList.add('dragged');
    this.element.setPointerCapture(event.pointerId);
    this.element.addEventListener('pointermove', drag);
    this.element.addEventListener(
      'lostpointercapture',
      () => {
        this.element.classList.remove('dragged');
        this.element.removeEventListener('pointermove', drag);
      },
      { once: true },
    );
  }

  #dragTo(top: number): void {
    const way = this.#way;
    if (way === 0) return;
    const position = (Math.min(way, Math.max(0, top)) / way) * this.end;
    // Where a pixel is many rows, which part of a row would be at the top is chance.
    const isCoarse = this.end > way;
    this.#move(isCoarse && top < way ? Math.round(position) : position);
  }

  #paint(): void {
    const { style, hidden } = this.#thumb;
    const isNeeded = this.end > 0 && this.#height > 0;
    if (hidden === isNeeded) this.#thumb.hidden = !isNeeded;
    style.height = `${this.#thumbHeight}px`;
    style.transform = `translateY(${isNeeded ? (this.#way * this.#position) / this.end : 0}px)`;
    this.element.setAttribute('aria-valuemax', String(Math.ceil(this.end)));
    this.element.setAttribute('aria-valuenow', String(Math.round(this.#position)));
  }
}
