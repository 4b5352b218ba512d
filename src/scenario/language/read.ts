import { runSteps } from '../../engine/steps';
import { type RunProgress } from '../run/live';
import { type ScenarioOutline, type ScenarioProblem } from '../outcome';
import { checkScenario } from './check/index';
import { mergePatch, without } from './merge';
import { outlineOf } from './outline';
import { fillIn } from './parameters';
import { type Places, placesOf } from './places';
import { error, inOrder, isError, MOST_PROBLEMS, suggest, warning } from './problems';
import { scenario as schema, type Scenario, VARIANT_KEYS } from './schema/scenario';
import { applySettings } from './settings';
import { entryOf, keyRangeAt, plainValue, sizeOf, type SourceEntry, type SourceMap } from './source/node';
import { parseText } from './source/parse';
import { upgrade } from './versions/index';
import { wordIssues } from './wording';

export type { Places } from './places';
export type { Path } from './source/node';

const MOST_VARIANTS = 64;
/** Values of all variants together, each with what it shares with the others. */
const MOST_IN_VARIANTS = 500_000;

/** One variant as it runs. */
export interface ReadVariant {
  /** Absent when there are errors. */
  readonly scenario?: Scenario;
  readonly problems: readonly ScenarioProblem[];
  readonly places: Places;
}

export interface ReadScenario {
  /** Of the text and of every variant, each told once, in the order of the text. */
  readonly problems: readonly ScenarioProblem[];
  /** As far as the text can be read; null: not at all. */
  readonly outline: ScenarioOutline | null;
  /**
   * A variant by its name, or null for a file that has none. `set`: paths as `machine.memory` to values as YAML has them, over what
   * file and variant say.
   */
  readonly variant: (name: string | null, set?: Readonly<Record<string, string>>) => ReadVariant;
}

/** Reads a scenario's text. Never throws; what is wrong is told with its place. */
export const readScenario = (text: string): ReadScenario => runSteps(readInSlices(text));

/** As `readScenario`; gives way after the text and after each variant. */
export function* readInSlices(text: string): Generator<RunProgress, ReadScenario, void> {
  const opened = open(text);
  if (!(opened instanceof Reader)) return opened;
  yield READING;
  return yield* opened.read();
}

/** One variant alone, whatever is wrong with the others. */
export function readVariant(
  text: string,
  name: string | null,
  set: Readonly<Record<string, string>> = {},
): ReadVariant & Pick<ReadScenario, 'outline'> {
  const opened = open(text);
  if (!(opened instanceof Reader)) return { ...opened.variant(name, set), outline: opened.outline };
  const read = opened.variant(name, set);
  return { ...read, outline: opened.outline(read.scenario ? [read.scenario] : []) };
}

const READING: RunProgress = { message: 'Reading the scenario' };

/** What can be looked into, or that nothing can. */
function open(text: string): Reader | ReadScenario {
  const parsed = parseText(text);
  const upgraded = parsed.root ? upgrade(parsed.root) : undefined;
  const before = [...parsed.problems, ...(upgraded?.problems ?? [])];
  const root = upgraded?.root;
  const none: ReadVariant = { problems: inOrder(before), places: placesOf(text, parsed.root) };
  if (!root) {
    const outline = parsed.root ? outlineOf(parsed.root, []) : null;
    return { problems: none.problems, outline, variant: () => none };
  }
  return new Reader(text, root, before);
}

interface VariantRead {
  readonly name: string | null;
  readonly read: ReadVariant;
}

class Reader {
  private readonly variants: ReadonlyMap<string, SourceEntry>;
  private readonly base: SourceMap;
  /** Variants that are read. */
  private readonly most: number;
  /** Of no variant. */
  private readonly own: readonly ScenarioProblem[];
  private readonly usedParameters = new Set<string>();

  constructor(
    private readonly text: string,
    private readonly root: SourceMap,
    before: readonly ScenarioProblem[],
  ) {
    const variants = entryOf(root, 'variants')?.value;
    this.variants = variants?.kind === 'map' ? variants.entries : new Map<string, SourceEntry>();
    this.base = without(root, 'variants');
    const most = Math.max(1, Math.floor(MOST_IN_VARIANTS / sizeOf(this.base)));
    this.most = Math.min(most, MOST_VARIANTS);
    const tooMuch =
      this.variants.size > most ? [error(keyRangeAt(root, ['variants']), TOO_MUCH, TOO_MUCH_HINT)] : [];
    this.own = [...before, ...this.checkVariants(), ...tooMuch];
  }

  *read(): Generator<RunProgress, ReadScenario, void> {
    const names = this.variants.size > 0 ? [...this.variants.keys()].slice(0, this.most) : [null];
    const each: VariantRead[] = [];
    for (const name of names) {
      each.push({ name, read: this.one(name, {}) });
      // More would be told when these are gone.
      if (each.reduce((sum, { read }) => sum + read.problems.length, 0) > 2 * MOST_PROBLEMS) break;
      yield { ...READING, fraction: each.length / names.length };
    }
    const problems = [...this.own, ...this.unusedParameters(), ...this.merged(each)];
    return {
      problems: inOrder(problems),
      outline: this.outline(each.flatMap(({ read }) => read.scenario ?? [])),
      variant: (name, set) => this.variant(name, set),
    };
  }

  outline(scenarios: readonly Scenario[]): ScenarioOutline {
    return outlineOf(this.root, scenarios);
  }

  variant(name: string | null, set: Readonly<Record<string, string>> = {}): ReadVariant {
    const wrong = this.wrongName(name);
    if (wrong) return { problems: inOrder([...this.own, wrong]), places: placesOf(this.text, this.root) };
    const { scenario, problems: found, places } = this.one(name, set);
    const all = inOrder([...this.own, ...found]);
    return { problems: all, places, ...(scenario && !all.some(isError) && { scenario }) };
  }

  private wrongName(name: string | null): ScenarioProblem | undefined {
    const names = [...this.variants.keys()];
    if (name === null ? names.length === 0 : this.variants.has(name)) return undefined;
    const at = keyRangeAt(this.root, ['variants']);
    if (name === null)
      return error(
        at,
        'The scenario has variants, and runs as one of them.',
        `There are ${names.join(', ')}.`,
      );
    return error(at, `The scenario has no variant "${name}".`, suggest(name, names, 'variants'));
  }

  private checkVariants(): readonly ScenarioProblem[] {
    const entry = entryOf(this.root, 'variants');
    if (!entry) return [];
    const { value } = entry;
    if (value.kind !== 'map' || value.entries.size === 0) {
      return [
        error(
          entry.key,
          'variants is not names with what each changes.',
          'Write name: {} for the scenario as it is.',
        ),
      ];
    }
    const problems: ScenarioProblem[] = [];
    if (value.entries.size > MOST_VARIANTS) {
      const message = `The scenario has ${value.entries.size} variants; ${MOST_VARIANTS} at most are read.`;
      problems.push(error(entry.key, message, 'A sweep sets parameters from outside.'));
    }
    const known: readonly string[] = VARIANT_KEYS;
    for (const [name, { key, value: patch }] of value.entries) {
      if (!/^[A-Za-z][\w-]{0,63}$/.test(name)) {
        problems.push(
          error(
            key,
            `"${name.slice(0, 40)}" is no name of a variant.`,
            'A name has letters, digits, - and _.',
          ),
        );
      }
      if (patch.kind === 'map') {
        for (const [changed, { key: at }] of patch.entries) {
          if (known.includes(changed)) continue;
          problems.push(
            error(at, `A variant cannot change "${changed.slice(0, 40)}".`, suggest(changed, known, 'keys')),
          );
        }
      } else if (patch.kind === 'list' || patch.value !== null) {
        problems.push(
          error(key, `The variant "${name}" is not keys with values.`, 'Write {} for the scenario as it is.'),
        );
      }
    }
    return problems;
  }

  private unusedParameters(): readonly ScenarioProblem[] {
    const parameters = entryOf(this.base, 'parameters')?.value;
    if (parameters?.kind !== 'map') return [];
    return [...parameters.entries]
      .filter(([name]) => !this.usedParameters.has(name))
      .map(([name, { key }]) =>
        warning(key, `Nothing uses the parameter "${name}".`, `Write $${name} where it belongs.`),
      );
  }

  private one(name: string | null, set: Readonly<Record<string, string>>): ReadVariant {
    const patch = name === null ? undefined : this.variants.get(name)?.value;
    const combined =
      patch?.kind === 'map' ? mergePatch(this.base, without(patch, ...unknownKeys(patch))) : this.base;
    const settings = applySettings(combined.kind === 'map' ? combined : this.base, set);
    const { root, problems: unfilled } = fillIn(settings.root, this.usedParameters);
    const found = [...settings.problems, ...unfilled];
    const places = placesOf(this.text, root);
    const parsed = schema.safeParse(plainValue(root));
    // What has no value yet is no wrong value, too.
    const told = parsed.success
      ? []
      : wordIssues(parsed.error.issues, root).filter(
          ({ start }) => !unfilled.some((at) => at.start === start),
        );
    const problems = [...found, ...told, ...checkScenario(root, parsed.success ? parsed.data : undefined)];
    return { problems, places, ...(parsed.success && !problems.some(isError) && { scenario: parsed.data }) };
  }

  /** Problems of the variants, each told once; those that not every variant has, and that stand above them, say which. */
  private merged(each: readonly VariantRead[]): readonly ScenarioProblem[] {
    const end = this.text.length;
    const found = new Map<
      string,
      { readonly problem: ScenarioProblem; readonly names: Set<string | null> }
    >();
    for (const { name, read } of each) {
      for (const problem of read.problems) {
        const key = `${problem.start} ${problem.end} ${problem.message}`;
        const known = found.get(key) ?? { problem, names: new Set() };
        known.names.add(name);
        found.set(key, known);
      }
    }
    return [...found.values()].map(({ problem, names }) => {
      const bounded = { ...problem, start: Math.min(problem.start, end), end: Math.min(problem.end, end) };
      const [first] = names;
      const own = typeof first === 'string' ? this.variants.get(first) : undefined;
      const inside =
        own && names.size === 1 && own.key.start <= problem.start && problem.end <= own.value.end;
      if (names.size === each.length || inside) return bounded;
      return {
        ...bounded,
        message: `${problem.message} (In ${[...names].slice(0, 3).join(', ')}${names.size > 3 ? ', …' : ''}.)`,
      };
    });
  }
}

const TOO_MUCH = `The variants have more than ${MOST_IN_VARIANTS.toLocaleString('en')} values together.`;
const TOO_MUCH_HINT = 'Put some of them into a file of their own.';

/** Told by themselves. */
const unknownKeys = (patch: SourceMap): readonly string[] => {
  const known: readonly string[] = VARIANT_KEYS;
  return [...patch.entries.keys()].filter((key) => !known.includes(key));
};
