import { InvalidArgumentError } from 'commander';

/** Paths of a scenario with their values, as YAML has them, in the order given: `migrate.link` -> [`25Gbps`, `100Gbps`]. */
export type Settings = ReadonlyMap<string, readonly string[]>;

/** `machine.memory`, `steps[2].split.protocol`: what is below the top of a scenario. */
const PATH = /^[A-Za-z][\w-]*(\.[\w$-]+|\[\d+\])+$/;

/** `key=value`; the option may be repeated, `previous` is what came before. A comma is part of the value. */
export const parseSetting = (text: string, previous: Settings = new Map()): Settings =>
  add(text, previous, (value) => [value]);

/** `key=a,b,c`; the option may be repeated. Commas in quotes are part of a value. */
export const parseSettings = (text: string, previous: Settings = new Map()): Settings =>
  add(text, previous, splitValues);

function add(text: string, previous: Settings, split: (value: string) => readonly string[]): Settings {
  const equals = text.indexOf('=');
  const key = text.slice(0, Math.max(equals, 0)).trim();
  if (!PATH.test(key)) {
    throw new InvalidArgumentError('Write PATH=VALUE: machine.memory=64M, parameters.page=0x1000.');
  }
  if (previous.has(key)) throw new InvalidArgumentError(`${key} is given twice.`);
  const values = split(text.slice(equals + 1)).map((value) => value.trim());
  if (values.includes('')) throw new InvalidArgumentError(`A value of ${key} is missing.`);
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw new InvalidArgumentError(`${key} has the value ${twice} twice.`);
  return new Map([...previous, [key, values]]);
}

const QUOTES = '"\'';

function splitValues(text: string): readonly string[] {
  const values: string[] = [];
  let start = 0;
  let quote = '';
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (QUOTES.includes(character)) quote = character;
    else if (character === ',') {
      values.push(text.slice(start, index));
      start = index + 1;
    }
  }
  return [...values, text.slice(start)];
}
