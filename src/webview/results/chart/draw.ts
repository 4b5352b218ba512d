import { type Palette } from './palette';
import { FONT_PIXELS, type Mark, type Scene } from './scene';

type Context = CanvasRenderingContext2D;
type Of<Kind extends Mark['kind']> = Extract<Mark, { kind: Kind }>;

/** Paints a scene with its left upper corner at the context's origin. */
export function draw(context: Context, scene: Scene, palette: Palette): void {
  for (const mark of scene.marks) {
    context.save();
    context.strokeStyle = context.fillStyle = palette.colors[mark.paint];
    if (mark.kind === 'box') drawBox(context, mark);
    else if (mark.kind === 'line') drawLine(context, mark);
    else if (mark.kind === 'dot') drawDot(context, mark, palette);
    else drawText(context, mark, palette);
    context.restore();
  }
}

/** Lines of one pixel stand on whole pixels. */
const crisp = (value: number): number => Math.round(value) + 0.5;

function drawBox(context: Context, { x, y, width, height, fill }: Of<'box'>): void {
  if (height <= 0 || width <= 0) return;
  if (fill === 'solid') {
    context.globalAlpha = 0.65;
    context.fillRect(x, y, width, height);
  } else if (fill === 'tint') {
    context.globalAlpha = 0.1;
    context.fillRect(x, y, width, height);
  } else if (fill === 'hatched') hatch(context, x, y, width, height);
  context.globalAlpha = 1;
  if (fill === 'tint' || width < 3) return;
  const [left, top] = [crisp(x), crisp(y)];
  context.lineWidth = fill === 'open' ? 2 : 1;
  context.strokeRect(left, top, Math.max(1, Math.round(width) - 1), Math.max(1, Math.round(height) - 1));
}

const HATCH_PIXELS = 6;

function hatch(context: Context, x: number, y: number, width: number, height: number): void {
  context.save();
  context.globalAlpha = 0.14;
  context.fillRect(x, y, width, height);
  context.globalAlpha = 0.8;
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.beginPath();
  for (let at = -height; at < width; at += HATCH_PIXELS) {
    context.moveTo(x + at, y + height);
    context.lineTo(x + at + height, y);
  }
  context.lineWidth = 1;
  context.stroke();
  context.restore();
}

function drawLine(context: Context, { points, width, dash }: Of<'line'>): void {
  context.lineWidth = width;
  context.lineJoin = 'round';
  context.setLineDash([...(dash ?? [])]);
  const snap = width === 1 ? crisp : (value: number): number => value;
  context.beginPath();
  points.forEach(({ x, y }, index) => {
    if (index === 0) context.moveTo(snap(x), snap(y));
    else context.lineTo(snap(x), snap(y));
  });
  context.stroke();
}

const DOT_PIXELS = 3.5;
const DIAMOND_PIXELS = 6;

/** On a rim of the background, so that it is seen on lines and boxes. */
function drawDot(context: Context, { x, y, shape }: Of<'dot'>, palette: Palette): void {
  context.beginPath();
  if (shape === 'circle') context.arc(x, y, DOT_PIXELS, 0, 2 * Math.PI);
  else {
    context.moveTo(x, y - DIAMOND_PIXELS);
    context.lineTo(x + DIAMOND_PIXELS, y);
    context.lineTo(x, y + DIAMOND_PIXELS);
    context.lineTo(x - DIAMOND_PIXELS, y);
    context.closePath();
  }
  context.lineWidth = 3;
  context.strokeStyle = palette.colors.background;
  context.stroke();
  context.fill();
}

function drawText(context: Context, mark: Of<'text'>, palette: Palette): void {
  const { text, align, x, y, bold, boxed } = mark;
  context.font = `${bold ? '600 ' : ''}${FONT_PIXELS}px ${palette.font}`;
  context.textAlign = align;
  context.textBaseline = 'middle';
  if (boxed) {
    const { width } = context.measureText(text);
    const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
    context.globalAlpha = 0.85;
    context.fillStyle = palette.colors.background;
    context.fillRect(left - 2, y - FONT_PIXELS / 2 - 2, width + 4, FONT_PIXELS + 4);
    context.globalAlpha = 1;
    context.fillStyle = palette.colors[mark.paint];
  }
  context.fillText(text, x, y);
}
