import { runNames } from '../messages/resultsFigures';
import { type Axis, type ResultsModel } from '../messages/resultsMessages';
import { type ResultsStrings } from '../messages/resultsStrings';
import { domainOf } from './chart/domain';
import { draw } from './chart/draw';
import { layout } from './chart/layout';
import { readPalette } from './chart/palette';

/** Pixels of the screen that one of a chart's takes in a picture. */
const SCALE = 2;
const WIDTH = 960;
const MARGIN = 16;
const TITLE = 46;
/** Charts that stand in one picture; a canvas has an end. */
const MOST_CHARTS = 8;

/** The charts of the runs below each other, each with its name and how it ended, as a PNG; null when none has a chart. */
export async function picture(
  { runs }: ResultsModel,
  axis: Axis,
  strings: ResultsStrings,
): Promise<Uint8Array | null> {
  const names = runNames(runs);
  const shown = runs
    .flatMap(({ migration, title }, index) =>
      migration && migration.rounds.length > 0
        ? [{ migration, title: `${names[index] ?? ''} – ${title}` }]
        : [],
    )
    .slice(0, MOST_CHARTS);
  if (shown.length === 0) return null;
  const domain = domainOf(shown.map(({ migration }) => migration));
  const charts = shown.map(({ migration, title }) => ({
    scene: layout({ migration, domain, axis, strings, width: WIDTH, cursor: undefined }),
    title,
    why: migration.why,
  }));
  const height = charts.reduce((all, { scene }) => all + scene.height + TITLE + MARGIN, MARGIN);

  const canvas = document.createElement('canvas');
  canvas.width = (WIDTH + 2 * MARGIN) * SCALE;
  canvas.height = height * SCALE;
  const context = canvas.getContext('2d');
  if (!context) return null;
  const palette = readPalette();
  context.scale(SCALE, SCALE);
  context.fillStyle = palette.colors.background;
  context.fillRect(0, 0, WIDTH + 2 * MARGIN, height);
  context.translate(MARGIN, MARGIN);
  for (const { scene, title, why } of charts) {
    context.fillStyle = palette.colors.text;
    context.textBaseline = 'top';
    context.font = `600 15px ${palette.font}`;
    context.fillText(title, 0, 0, WIDTH);
    context.font = `12px ${palette.font}`;
    context.fillText(why, 0, 22, WIDTH);
    context.translate(0, TITLE);
    draw(context, scene, palette);
    context.translate(0, scene.height + MARGIN);
  }
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'));
  return blob && new Uint8Array(await blob.arrayBuffer());
}
