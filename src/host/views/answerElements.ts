import type { DomainKey, TraceId } from '../../inspection/protocol';
import type { Inspection } from '../inspections';
import type { Wording } from './wording';

/** Where Domains, or the editor of a trace, shows what a row is about. */
export type Place =
  | { readonly kind: 'domain'; readonly domain: DomainKey }
  | { readonly kind: 'iova'; readonly domain: DomainKey; readonly iova: bigint }
  | {
      readonly kind: 'device';
      readonly iommu: string;
      readonly requester: number;
      readonly pasid: number | null;
    }
  /** A row of a trace, from 0. */
  | { readonly kind: 'row'; readonly trace: TraceId; readonly row: number };

/** A row of Results: of a search, a list of aliases or a difference, or of what a trace was asked. */
export interface AnswerElement {
  readonly kind: 'answer';
  readonly id: string;
  /** The image that the row is about; undefined: a trace. */
  readonly inspection: Inspection | undefined;
  readonly wording: Wording;
  readonly place?: Place;
  readonly parent?: AnswerElement;
  readonly startsOpen?: boolean;
  readonly children?: () => Promise<readonly AnswerElement[]>;
}

/** What one question gave. */
export interface Answers {
  /** What was asked, beside the view's name. */
  readonly title: string;
  /** What the rows do not tell: what is missing, that there are none. */
  readonly message: string;
  readonly inspections: readonly Inspection[];
  readonly rows: readonly AnswerElement[];
}

/** A value that came with a command: a row of Results, or not. */
export const isAnswer = (value: unknown): value is AnswerElement =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'answer';

/** A row as text. */
export const answerText = ({ wording }: AnswerElement): string =>
  `${wording.label} ${wording.description}`.trim();
