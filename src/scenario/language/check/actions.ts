import { type ScenarioProblem } from '../../outcome';
import { error, nearest } from '../problems';
import { ACTIONS } from '../schema/steps';
import { childOf, type Path, pathText, type SourceMap, type SourceNode } from '../source/node';

/** Every step, nested ones included, in the order in which they are done; bounded by the depth of the text. */
export function* stepsOf(
  root: SourceNode,
  path: Path = ['steps'],
): Generator<{ readonly path: Path; readonly step: SourceMap }> {
  const list = childOf(root, 'steps');
  if (list?.kind !== 'list') return;
  for (const [index, step] of list.items.entries()) yield* stepAt(step, [...path, index]);
}

function* stepAt(step: SourceNode, path: Path): Generator<{ readonly path: Path; readonly step: SourceMap }> {
  if (step.kind !== 'map') return;
  yield { path, step };
  const repeat = childOf(step, 'repeat');
  if (repeat) yield* stepsOf(repeat, [...path, 'repeat', 'steps']);
  const during = childOf(step, 'during');
  const inner = childOf(during, 'step');
  if (inner) yield* stepAt(inner, [...path, 'during', 'step']);
  const moments = childOf(during, 'moments');
  if (moments?.kind !== 'list') return;
  for (const [index, moment] of moments.items.entries()) {
    yield* stepsOf(moment, [...path, 'during', 'moments', index, 'steps']);
  }
}

const KNOWN: readonly string[] = ACTIONS;

/** A step does one thing. */
export function checkActions(root: SourceMap): readonly ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  for (const { path, step } of stepsOf(root)) {
    problems.push(...momentProblems(step));
    const keys = [...step.entries.keys()];
    const actions = keys.filter((key) => KNOWN.includes(key));
    const [first, second] = actions;
    if (first === undefined) {
      // A misspelt one is told as an unknown key.
      if (keys.some((key) => nearest(key, KNOWN) !== undefined && key !== 'note' && key !== 'errno'))
        continue;
      const at = { start: step.start, end: Math.min(step.end, step.start + 1) };
      problems.push(error(at, `${pathText(path)} does nothing.`, `A step has one of ${KNOWN.join(', ')}.`));
    } else if (second !== undefined) {
      const key = step.entries.get(second)?.key ?? step;
      problems.push(
        error(
          key,
          `A step does one thing, and ${pathText(path)} has ${first} and ${second}.`,
          'Begin another step with "- ".',
        ),
      );
    }
  }
  return problems;
}

function momentProblems(step: SourceMap): readonly ScenarioProblem[] {
  const moments = childOf(childOf(step, 'during'), 'moments');
  if (moments?.kind !== 'list') return [];
  return moments.items.flatMap((moment) => {
    const given = ['after', 'every'].filter((key) => childOf(moment, key));
    if (moment.kind !== 'map' || given.length === 1) return [];
    const at = { start: moment.start, end: Math.min(moment.end, moment.start + 1) };
    return [
      error(
        at,
        given.length === 0 ? 'A moment has neither after nor every.' : 'A moment has both after and every.',
        'Give it one of the two.',
      ),
    ];
  });
}
