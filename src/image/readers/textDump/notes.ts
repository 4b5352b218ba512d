import { FRAME_BYTES, hex } from '../../../engine/values';
import { ProblemList } from '../../problems';
import { type FrameStore } from './frameStore';

/** Characters of a line that a problem shows. */
const SHOWN = 60;
/** Lines that are named when there are more. */
const NAMED = 4;

/** What is odd about a text, gathered while it is read; with line numbers. */
export class Notes {
  readonly problems = new ProblemList();
  private unknown = 0;
  private readonly examples: string[] = [];
  private full = false;

  /** A line that belongs to none of the files that are read. */
  unknownLine(text: string, line: number): void {
    this.unknown++;
    if (this.examples.length < NAMED) this.examples.push(`line ${line} "${shortened(text)}"`);
  }

  badLine(what: string, text: string, line: number): void {
    this.problems.add(
      'warning',
      'image/text-line',
      `Line ${line} ${what}: "${shortened(text)}".`,
      'What the line says is left out. Dump again if the text was cut or edited.',
    );
  }

  warn(code: string, message: string, hint?: string): void {
    this.problems.add('warning', `image/text-${code}`, message, hint);
  }

  info(code: string, message: string, hint?: string): void {
    this.problems.add('info', `image/text-${code}`, message, hint);
  }

  /** Puts a word in its place, or says why not. */
  place(store: FrameStore, frame: number, index: number, lo: number, hi: number, line: number): void {
    const placed = store.place(frame, index, lo, hi, line);
    if (placed === 'differs') this.contradiction(store, frame, index, { lo, hi }, line);
    else if (placed === 'full' && !this.full) {
      this.full = true;
      this.warn(
        'too-many-tables',
        `The text has more tables than are kept (65,536): from line ${line} on, words of further tables are left out.`,
        'Cut the text into files of fewer devices.',
      );
    }
  }

  /** Tells what was gathered about lines that are not understood. */
  finish(): void {
    if (this.unknown === 0) return;
    const more = this.unknown > this.examples.length ? ', …' : '';
    this.warn(
      'unknown-lines',
      `${this.unknown} ${this.unknown === 1 ? 'line is' : 'lines are'} not understood and left out: ${this.examples.join(', ')}${more}`,
      'Read are domain_translation_struct, dmar_translation_struct and iommu_regset of Intel, and devtbl of AMD.',
    );
  }

  private contradiction(
    store: FrameStore,
    frame: number,
    index: number,
    now: { readonly lo: number; readonly hi: number },
    line: number,
  ): void {
    const before = store.wordAt(frame, index);
    this.warn(
      'contradiction',
      `Line ${line} says ${wordText(now)} for the entry at ${hex(frame * FRAME_BYTES + index * 8)}, line ${before.line} says ` +
        `${wordText(before)}: line ${before.line} is believed.`,
      'The tables changed between the two dumps, or the text was edited.',
    );
  }
}

const wordText = ({ lo, hi }: { readonly lo: number; readonly hi: number }): string =>
  `0x${hi.toString(16).padStart(8, '0')}${lo.toString(16).padStart(8, '0')}`;

const shortened = (text: string): string =>
  text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, SHOWN) + (text.length > SHOWN ? '…' : '');
