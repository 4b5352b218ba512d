import { type ScenarioProblem } from '../../outcome';
import { error, warning } from '../problems';
import { SCENARIO_VERSION } from '../schema/scenario';
import { entryOf, type SourceMap } from '../source/node';
import { from1to2 } from './1to2';

interface Upgraded {
  readonly root: SourceMap;
  readonly problems: readonly ScenarioProblem[];
}

/** By the version that each begins with. */
const UPGRADES: Readonly<Record<number, (root: SourceMap) => Upgraded>> = { 1: from1to2 };
const OLDEST = Math.min(...Object.keys(UPGRADES).map(Number));
const NOW = String(SCENARIO_VERSION);

/** Reads a scenario of any version that there was as one of the current version. Refuses others: `root` is absent. */
export function upgrade(root: SourceMap): {
  readonly root?: SourceMap;
  readonly problems: readonly ScenarioProblem[];
} {
  const entry = entryOf(root, 'version');
  if (!entry) {
    const hint = `Add version: ${NOW} as the first line.`;
    return {
      problems: [error({ start: root.start, end: firstKeyEnd(root) }, 'The scenario has no version.', hint)],
    };
  }
  const { value: node, key } = entry;
  const at = node.end > node.start ? node : key;
  const given = node.kind === 'scalar' ? node.value : undefined;
  if (typeof given !== 'bigint') {
    return { problems: [error(at, 'version is not a whole number.', `Write version: ${NOW}.`)] };
  }
  if (given > BigInt(SCENARIO_VERSION)) {
    const message = `Version ${node.kind === 'scalar' ? node.text.slice(0, 40) : ''} of the language is newer than this program, which knows versions ${OLDEST} to ${NOW}.`;
    return { problems: [error(at, message, 'Install a newer IOPTE Inspector.')] };
  }
  if (given < BigInt(OLDEST)) {
    const message = `There is no version ${given} of the language: versions ${OLDEST} to ${NOW} can be read.`;
    return { problems: [error(at, message, `Write it anew from a template, with version: ${NOW}.`)] };
  }
  let result: Upgraded = { root, problems: [] };
  for (let version = Number(given); version < SCENARIO_VERSION; version++) {
    const next = UPGRADES[version]?.(result.root) ?? result;
    result = { root: next.root, problems: [...result.problems, ...next.problems] };
  }
  if (given === BigInt(SCENARIO_VERSION)) return result;
  const entries = new Map(result.root.entries);
  entries.set('version', {
    key,
    value: { kind: 'scalar', value: BigInt(SCENARIO_VERSION), text: NOW, start: at.start, end: at.end },
  });
  const told = warning(
    at,
    `This is version ${given} of the language; it is read as version ${NOW}.`,
    `Rename what is marked, then write version: ${NOW}.`,
  );
  return { root: { ...result.root, entries }, problems: [told, ...result.problems] };
}

const firstKeyEnd = (root: SourceMap): number => [...root.entries.values()][0]?.key.end ?? root.start;
