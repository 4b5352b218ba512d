// `npm test`: everything, from a fresh clone with nothing but Node. No dependency is used before it is installed.
import { LayerReport, clock, timeTable, wallTime } from './lib/report.mjs';
import { budgets, layers } from './lib/layers.mjs';

const HELP = `usage: npm test -- [--only LAYER[,LAYER]] [--skip LAYER[,LAYER]] [--update-images]

  --only           these layers, and what they need
  --skip           all but these
  --update-images  take the pictures that README and docs show anew

layers: ${layers.map(({ name }) => name).join(', ')}

VSCODE_HOST_DIR    where the VS Code host is kept (default: the user's cache folder)
CHROMIUM_PATH      a Chromium or Chrome to use
VSCODE_EXECUTABLE  a desktop VS Code for the in-host suites, or "download"
FUZZ_SEED, FUZZ_SECONDS  see "npm run fuzz -- --help"`;

function usage(why) {
  console.error(`${why}\n\n${HELP}`);
  process.exit(2);
}

/** The layers asked for, with what they need, in order. */
function chosenLayers() {
  const names = new Set(layers.map(({ name }) => name));
  const options = { '--only': undefined, '--skip': [] };
  const args = process.argv.slice(2).flatMap((argument) => argument.split(/(?<=^--(?:only|skip))=/));
  while (args.length > 0) {
    const option = args.shift();
    if (option === '--help' || option === '-h') {
      console.log(HELP);
      process.exit(0);
    } else if (option === '--update-images') process.env.UPDATE_IMAGES = '1';
    else if (option in options) {
      const given = (args.shift() ?? '').split(',').filter(Boolean);
      if (given.length === 0) usage(`${option} needs the name of a layer`);
      for (const name of given) if (!names.has(name)) usage(`there is no layer ${name}`);
      options[option] = [...(options[option] ?? []), ...given];
    } else usage(`unknown option ${option}`);
  }
  const wanted = new Set(options['--only'] ?? names);
  for (const layer of [...layers].reverse())
    if (wanted.has(layer.name)) layer.needs.forEach((name) => wanted.add(name));
  for (const name of options['--skip']) wanted.delete(name);
  return layers.filter(({ name }) => wanted.has(name));
}

const chosen = chosenLayers();
const started = Date.now();
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, () => process.exit(code)); // whose handler ends every child
}

const runs = new Map();
for (const layer of chosen) {
  const state = { layer, report: new LayerReport(layer.name), span: [0, 0] };
  state.done = new Promise((resolve) => (state.finish = resolve));
  runs.set(layer.name, state);
}

async function runLayer(state) {
  const { layer, report } = state;
  const needed = layer.needs.map((name) => runs.get(name)).filter(Boolean);
  await Promise.all(needed.map(({ done }) => done));
  state.span[0] = Date.now();
  const bad = needed.filter((need) => need.report.failed > 0).map((need) => need.layer.name);
  report.line(`\n== ${layer.name} (at ${clock(Date.now() - started)})`);
  try {
    if (bad.length > 0) report.fail(`${layer.name} can run`, [`it needs ${bad.join(' and ')}, which failed`]);
    else await layer.run(report);
  } catch (error) {
    report.fail(`${layer.name} runs`, String(error.message ?? error).split('\n'));
  }
  state.span[1] = Date.now();
  report.line(`   ${layer.name} took ${clock(state.span[1] - state.span[0])}`);
  state.finish();
}

/** Layers of a lane, one after the other. */
async function runLane(lane) {
  for (const state of runs.values()) if (state.layer.lane === lane) await runLayer(state);
}

async function showInOrder() {
  for (const { report, done } of runs.values()) {
    report.open();
    await done;
  }
}

await Promise.all([showInOrder(), ...[...new Set(chosen.map(({ lane }) => lane))].map(runLane)]);

const states = [...runs.values()];
const sum = (key, list) => list.reduce((total, { report }) => total + report[key], 0);
const row = (title, list) => ({
  title,
  milliseconds: wallTime(list.map(({ span }) => span)),
  budget: budgets[title],
  passed: sum('passed', list),
  failed: sum('failed', list),
  skipped: sum('skipped', list),
});
const groups = [...new Set(chosen.map(({ group }) => group))].map((group) =>
  row(
    group,
    states.filter(({ layer }) => layer.group === group),
  ),
);
const failures = states.flatMap(({ layer, report }) =>
  report.failures.map((name) => `${layer.name}: ${name}`),
);
console.log(`\n${timeTable([...groups, row('all', states)]).join('\n')}`);
if (failures.length > 0) console.log(`\nfailed:\n${failures.map((name) => `  ${name}`).join('\n')}`);
console.log(`\n${sum('passed', states)} passed, ${sum('failed', states)} failed`);
process.exit(sum('failed', states) > 0 || sum('passed', states) === 0 ? 1 : 0);
