import * as z from 'zod';
import { descriptionSchema } from './schema';

/** The JSON schema (draft-07, which editors know best) of a description file. */
export function descriptionJsonSchema(): object {
  return z.toJSONSchema(descriptionSchema, { target: 'draft-7', io: 'input' });
}
