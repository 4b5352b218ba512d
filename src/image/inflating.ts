import { formatSize } from '../engine/values';
import { type ImageProblem } from './problems';

/** How the inflating of a gzip file ended. */
export type InflateEnd =
  | { readonly kind: 'complete' }
  /** The packed file ends too early. */
  | { readonly kind: 'cut' }
  /** The packed data are damaged at or soon after this offset of the packed file. */
  | { readonly kind: 'corrupt'; readonly offset: number; readonly why: string }
  /** A second member begins, and this platform inflates only one. */
  | { readonly kind: 'members' }
  /** The packed file cannot be read. */
  | { readonly kind: 'unreadable'; readonly offset: number; readonly why: string }
  /** There is no room for more bytes that are not zero. */
  | { readonly kind: 'full' }
  | { readonly kind: 'cancelled' };

/** The room that inflated bytes had: bytes, and why there is not even that much. */
export interface Room {
  readonly limit: number;
  readonly why?: string | undefined;
}

/** Words the end of an inflating that did not complete. `inflated`: bytes that came out before. */
export function inflateProblem(
  name: string,
  end: Exclude<InflateEnd, { kind: 'complete' | 'cancelled' }>,
  inflated: number,
  room: Room,
): ImageProblem {
  const kept = `the ${inflated} bytes before that are read`;
  const problem = (code: string, message: string, hint: string): ImageProblem => ({
    severity: 'error',
    code: `image/gzip-${code}`,
    message,
    hint,
  });
  switch (end.kind) {
    case 'cut':
      return problem(
        'truncated',
        `${name} ends in the middle of its gzip data; ${kept}.`,
        'The file is cut short: copy it again.',
      );
    case 'corrupt':
      return problem(
        'corrupt',
        `${name}: the gzip data are damaged at about offset ${end.offset} (${end.why}); ${kept}.`,
        'Copy or pack the file again; `gzip -t` tells whether a copy is whole.',
      );
    case 'members':
      return problem(
        'members',
        `${name} consists of several gzip members, of which a browser inflates only the first; ${kept}.`,
        'Unpack it, or pack it in one piece: gunzip -c FILE | gzip > NEW.',
      );
    case 'unreadable':
      return problem(
        'unreadable',
        `${name} cannot be read at offset ${end.offset} (${end.why}); ${kept}.`,
        'Check that the file is complete and readable, then open it again.',
      );
    case 'full':
      return problem(
        'limit',
        `${name}: there is room for ${formatSize(room.limit)} of inflated bytes that are not zero` +
          `${room.why === undefined ? '' : ` (${room.why})`}; ${kept}.`,
        'Unpack the file with gunzip and open the result: it is then read in place.',
      );
  }
}
