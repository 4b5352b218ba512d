/** Hits that are marked in one text at most: a text of one letter would have thousands. */
const MOST_HITS = 50;

/** Where a text that was searched for stands in another, however its letters are written. */
export function hitsIn(text: Text, wanted: string): Range[] {
  if (wanted === '') return [];
  const written = text.data.toLowerCase();
  // Letters that change their length with their case would be marked in the wrong place.
  if (written.length !== text.data.length) return [];
  const hits: Range[] = [];
  for (
    let at = written.indexOf(wanted);
    at >= 0 && hits.length < MOST_HITS;
    at = written.indexOf(wanted, at + wanted.length)
  ) {
    const hit = document.createRange();
    hit.setStart(text, at);
    hit.setEnd(text, at + wanted.length);
    hits.push(hit);
  }
  return hits;
}

/** Marks hits, in the place of those that had been marked there. */
export function markHits(where: 'found-row' | 'found-line', hits: readonly Range[]): void {
  if (hits.length === 0) CSS.highlights.delete(where);
  else CSS.highlights.set(where, new Highlight(...hits));
}
