import { type Inspection, type OpenIommu } from '../inspection';
import { type Failure } from '../protocol';
import { type Unread } from '../questions';
import { refuse } from '../requestError';

/** What the IOMMUs of a source keep from an answer over all tables. */
export function unreadOf(iommus: readonly OpenIommu[]): Pick<Unread, 'unreadIommus' | 'problems'> {
  return {
    unreadIommus: iommus.filter(({ directory }) => !directory).map(({ summary }) => summary.name),
    problems: iommus.flatMap((iommu) =>
      problemsOf(iommu).map(({ message }) => `${iommu.summary.name}: ${message}`),
    ),
  };
}

/** What keeps devices of an IOMMU that was read from being seen. */
const problemsOf = ({ directory }: OpenIommu): readonly Failure[] =>
  !directory || directory.off ? [] : directory.problems();

/** True when a device that an IOMMU does not list is not there. An IOMMU that is not there has none. */
export const listsAll = (iommu: OpenIommu | undefined): boolean =>
  iommu === undefined || (iommu.directory !== undefined && problemsOf(iommu).length === 0);

/** Refuses when no IOMMU of a source can be read: an empty answer would say that nothing is mapped. */
export function checkReadable({ iommus }: Inspection): void {
  if (iommus.length === 0 || iommus.some(({ directory }) => directory)) return;
  const [first] = iommus;
  const failure = first?.summary.failure;
  const more = iommus.length > 1 ? ` Nor can the ${iommus.length - 1} others.` : '';
  refuse(
    failure?.code ?? 'inspection/iommu-not-read',
    `${first?.summary.name ?? ''} cannot be read: ${failure?.message ?? ''}${more}`,
    failure?.hint,
  );
}
