import { MOST_BUCKETS, type ToTraceView } from '../messages/traceMessages';
import { type TraceStrings } from '../messages/traceStrings';
import { element } from '../shared/dom';
import { fill } from '../shared/fill';
import { readColors } from '../shared/theme';
import { grouped } from './cells';

const SERIES = ['maps', 'unmaps', 'faults', 'others'] as const;
/** Between two colours, which may be alike. */
const GAP = 1;
/** What is there is seen, however little of a bucket it is. */
const LEAST_WIDTH = 2;
/** The frame around what the grid shows is at least so high, in pixels. */
const LEAST_FRAME = 3;

type Density = Pick<Extract<ToTraceView, { type: 'density' }>, 'total' | (typeof SERIES)[number]>;

export interface DensityStripOptions {
  readonly strings: TraceStrings;
  /** There is room for so many buckets now: another height than before. */
  readonly sized: (buckets: number) => void;
  /** Somebody points at this part of the view: 0 is its beginning, 1 its end. */
  readonly jump: (share: number) => void;
}

/** The whole view along the scrollbar: of the rows in each part of it, which share maps, unmaps and faults; where the grid and the bookmarks are. */
export class DensityStrip {
  readonly element: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #frame = element('div', { class: 'frame' });
  readonly #ticks = element('div', { class: 'ticks' });
  #density: Density | undefined;
  #buckets = 0;
  #height = 0;

  constructor(private readonly options: DensityStripOptions) {
    this.#canvas = element('canvas', {
      attributes: { role: 'img', 'aria-label': options.strings.density },
    });
    this.element = element(
      'div',
      { class: 'density', attributes: { title: options.strings.density } },
      this.#canvas,
      this.#ticks,
      this.#frame,
    );
    this.element.addEventListener('pointerdown', (event) => this.#onPointer(event));
    new ResizeObserver(() => this.#onSize()).observe(this.element);
  }

  /** Parts that there is room for; 0 before the strip stands in the document. */
  get buckets(): number {
    return this.#buckets;
  }

  show(density: Density | undefined): void {
    this.#density = density;
    this.#canvas.setAttribute('aria-label', this.#words(density));
    this.paint();
  }

  /** Where the grid is: shares of the view, 0 to 1. */
  frame(start: number, end: number): void {
    const height = this.#height;
    const least = Math.min(1, LEAST_FRAME / Math.max(1, height));
    const size = Math.min(1, Math.max(least, end - start));
    const top = Math.min(start, 1 - size);
    this.#frame.style.transform = `translateY(${top * height}px)`;
    this.#frame.style.height = `${size * height}px`;
  }

  /** Where bookmarks are: shares of the view. */
  marks(shares: readonly number[]): void {
    this.#ticks.replaceChildren(
      ...shares.map((share) => {
        const tick = element('span', { class: 'tick' });
        tick.style.top = `${share * 100}%`;
        return tick;
      }),
    );
  }

  /** In the colours of now. */
  paint(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const scale = devicePixelRatio;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const context = this.#canvas.getContext('2d');
    const density = this.#density;
    if (!context || !density || density.maps.length === 0) return;
    const { colors } = readColors(SERIES);
    context.scale(scale, scale);
    const count = density.maps.length;
    for (let bucket = 0; bucket < count; bucket++) {
      // On whole pixels of the screen: between two of them the colours would mix with the background.
      const top = Math.round((bucket * height * scale) / count) / scale;
      const bottom = Math.round(((bucket + 1) * height * scale) / count) / scale;
      let left = 0;
      for (const { series, size } of sharesOf(density, bucket, width)) {
        context.fillStyle = colors[series];
        context.fillRect(left, top, Math.max(0, size - GAP), bottom - top);
        left += size;
      }
    }
  }

  #words(density: Density | undefined): string {
    const { strings } = this.options;
    if (!density) return strings.density;
    const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);
    const densest = density.maps.indexOf(Math.max(...density.maps));
    const counts = [density.maps, density.unmaps, density.faults].map((values) => grouped(sum(values)));
    const said = fill(strings.densitySaid, ...counts);
    if (sum(density.maps) === 0) return said;
    return fill(strings.densityMost, said, Math.round((100 * densest) / density.maps.length));
  }

  #onSize(): void {
    this.#height = this.element.clientHeight;
    this.paint();
    const buckets = Math.max(1, Math.min(MOST_BUCKETS, Math.floor(this.#height / 2)));
    if (buckets === this.#buckets) return;
    this.#buckets = buckets;
    this.options.sized(buckets);
  }

  #onPointer(event: PointerEvent): void {
    if (event.button !== 0) return;
    event.preventDefault();
    const box = this.element.getBoundingClientRect();
    const jump = ({ clientY }: PointerEvent): void =>
      this.options.jump(Math.min(1, Math.max(0, (clientY - box.top) / box.height)));
    jump(event);
    this.element.setPointerCapture(event.pointerId);
    this.element.addEventListener('pointermove', jump);
    this.element.addEventListener(
      'lostpointercapture',
      () => this.element.removeEventListener('pointermove', jump),
      { once: true },
    );
  }
}

/** How wide each series of a bucket is, the whole as wide as the strip. */
function sharesOf(
  density: Density,
  bucket: number,
  width: number,
): readonly { readonly series: (typeof SERIES)[number]; readonly size: number }[] {
  const counts = SERIES.map((series) => density[series][bucket] ?? 0);
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return [];
  const sizes = counts.map((count) => (count === 0 ? 0 : Math.max(LEAST_WIDTH, (count / all) * width)));
  const used = sizes.reduce((sum, size) => sum + size, 0);
  return SERIES.map((series, index) => ({ series, size: ((sizes[index] ?? 0) * width) / used }));
}
