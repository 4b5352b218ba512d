import * as z from 'zod';
import { expect } from './expect';
import { devices, domains, machine } from './machine';
import { migrate } from './migrate';
import { step } from './steps';
import { name, text } from './values';

/** Version of the language that this program writes; older ones are upgraded by src/scenario/language/versions. */
export const SCENARIO_VERSION = 2;

const scalar = z.union([z.string(), z.bigint(), z.number(), z.boolean()]);

/** A scenario as one variant has it: after parameters are filled in and the variant is merged over the rest. */
export const scenario = z.strictObject({
  version: z.literal(BigInt(SCENARIO_VERSION)).meta({ description: 'Version of the language.' }),
  title: text('What happens, in a line.'),
  about: text('What it shows, and why.').optional(),
  source: z
    .union([text('Where it is from.'), z.array(text('Where it is from.')).max(20)])
    .meta({ description: 'Where it is from: a commit, a mail, a specification with its section.' })
    .optional(),
  parameters: z
    .record(name(), scalar)
    .meta({ description: 'Values that `$name` stands for anywhere below; sweeps set them.' })
    .optional(),
  machine,
  devices,
  domains,
  steps: z.array(step).max(1000).meta({ description: 'What is done, in order.' }).default([]),
  migrate: migrate.optional(),
  expect: expect.optional(),
});

/** What a variant may change: objects are merged, lists and values replaced, null takes away (RFC 7396). */
export const VARIANT_KEYS = [
  'about',
  'parameters',
  'machine',
  'devices',
  'domains',
  'steps',
  'migrate',
  'expect',
] as const;

export type Scenario = z.output<typeof scenario>;
