import { type expectation, type alternativesOf, type fileShape } from '../../src/scenario/language/shape';

export function scenarioReference(language: {
  readonly alternativesOf: typeof alternativesOf;
  readonly expectation: typeof expectation;
  readonly fileShape: typeof fileShape;
  readonly examples: Readonly<Record<string, string>>;
  readonly actions: readonly string[];
}): string;
