import { hex, type VendorWords, type WalkResult, type WalkStep } from '../../inspection/protocol';
import type { Inspection } from '../inspections';
import type { Wording } from './wording';

interface OfWalk {
  readonly inspection: Inspection;
  readonly result: WalkResult;
  /** Of the IOMMU that was walked. */
  readonly words: VendorWords;
}

export interface ResultElement extends OfWalk {
  readonly kind: 'result';
}

export interface StepElement extends OfWalk {
  readonly kind: 'step';
  readonly step: WalkStep;
  /** Where it stands: `3`, or `3.2.1` in the stage-2 walk of the third step. */
  readonly place: string;
  /** The last entry of its walk: what is there maps, or ends the walk. */
  readonly last: boolean;
  readonly parent?: WalkElement;
}

/** The entries of one stage, where a walk has two. */
export interface StageElement extends OfWalk {
  readonly kind: 'stage';
  readonly stage: 1 | 2;
  readonly steps: readonly WalkStep[];
  readonly place: string;
  /** Below the step whose entry it found. */
  readonly parent?: WalkElement;
}

export interface LineElement {
  readonly kind: 'line';
  readonly id: string;
  readonly wording: Wording;
  readonly parent?: WalkElement;
}

/** What the Walk tree consists of: the answer, the steps that led to it, their stage-2 walks, and what each step read. */
export type WalkElement = ResultElement | StepElement | StageElement | LineElement;

/** A value that came with a command: an item of Walk, or not. */
export const isWalkElement = (value: unknown): value is WalkElement =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  ['result', 'step', 'stage', 'line'].includes(String(value.kind));

/** The rows of a walk: the answer first. The steps of a walk through two stages stand below their stage. */
export function rowsOf(inspection: Inspection, result: WalkResult, words: VendorWords): WalkElement[] {
  const walk = { inspection, result, words };
  const { steps } = result;
  const nested = steps.some(({ stage, under }) => stage === 1 && under !== undefined);
  const answer: WalkElement = { kind: 'result', ...walk };
  if (!nested) return [answer, ...stepsOf(walk, steps, '')];
  const structures = steps.filter(({ stage }) => stage === undefined);
  const stageOf = (wanted: 1 | 2): StageElement[] => {
    const own = steps.filter(({ stage }) => stage === wanted);
    const place = String(structures.length + wanted);
    return own.length === 0 ? [] : [{ kind: 'stage', ...walk, stage: wanted, steps: own, place }];
  };
  return [answer, ...stepsOf(walk, structures, ''), ...stageOf(1), ...stageOf(2)];
}

/** The steps below a stage. */
export const stepsOfStage = (element: StageElement): StepElement[] =>
  stepsOf(element, element.steps, `${element.place}.`, element);

/** The stage-2 walk that found the entry of a step. */
export function stageBelow(element: StepElement): StageElement | undefined {
  const { inspection, result, words, step, place } = element;
  if (!step.under || step.under.length === 0) return undefined;
  const below = { stage: 2, steps: step.under, place: `${place}.2`, parent: element } as const;
  return { kind: 'stage', inspection, result, words, ...below };
}

function stepsOf(
  { inspection, result, words }: OfWalk,
  steps: readonly WalkStep[],
  before: string,
  parent?: WalkElement,
): StepElement[] {
  return steps.map((step, index) => ({
    kind: 'step',
    inspection,
    result,
    words,
    step,
    place: `${before}${index + 1}`,
    last: index === steps.length - 1,
    ...(parent && { parent }),
  }));
}

export function idOf(element: WalkElement): string {
  if (element.kind === 'line') return element.id;
  const { inspection, result } = element;
  const { requester, pasid, iova, access } = result.request;
  const walk = `${inspection.id}/${result.iommu}/${requester}/${pasid ?? ''}/${access}/${hex(iova)}`;
  return element.kind === 'result' ? walk : `${walk}#${element.place}`;
}
