import { type ByteSource } from '../../../bytes/byteSource';
import { type Task } from '../../../bytes/task';
import { DeviceTableRows } from './deviceTableRows';
import { DmarUnits } from './dmarUnits';
import { DomainSections } from './domainSections';
import { FrameStore } from './frameStore';
import { readLines, type TextEnd } from './lines';
import { Notes } from './notes';
import { RegisterRows } from './registerRows';

/** Characters of a line that are looked at: the longest one has 150. */
const LONGEST = 512;
/** What shells and pagers print around the files, and dashes that someone drew. */
const SURROUNDINGS =
  /^(?:\S{1,80}|\[[^\]]{1,80}\])?[#$%>]\s*(?:(?:sudo\s+)?(?:cat|head|tail|more|less|zcat|grep|echo|for|do|done|cd|ls|exit|su|sudo)\b.*)?$|\/sys\/kernel\/debug|^==> .* <==$|^[-=*#_]{3,}$/;

/** What a text dump says, line by line. */
export class TextDump {
  readonly store = new FrameStore();
  readonly notes = new Notes();
  readonly domains = new DomainSections(this.store, this.notes);
  readonly units = new DmarUnits(this.notes);
  readonly deviceTable = new DeviceTableRows(this.notes);
  readonly registers = new RegisterRows(this.notes);

  async read(source: ByteSource, task: Task): Promise<TextEnd> {
    const end = await readLines(source, task, (bytes, start, stop, line) => {
      this.take(bytes, start, stop, line);
    });
    this.domains.end();
    this.notes.finish();
    return end;
  }

  private take(bytes: Uint8Array, first: number, stop: number, line: number): void {
    let start = first;
    let end = stop;
    if (line === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) start += 3;
    while (start < end && isSpace(bytes[start])) start++;
    while (end > start && isSpace(bytes[end - 1])) end--;
    if (start === end) return;
    const row = this.domains.takeRow(bytes, start, end, line);
    if (row === 'taken') return;
    const text = textOf(bytes, start, Math.min(end, start + LONGEST));
    if (row === 'bad') this.notes.badLine('is not a row of these tables', text, line);
    else if (!this.takeText(text, line) && !SURROUNDINGS.test(text)) this.notes.unknownLine(text, line);
  }

  /** Whoever takes a line ends what the others were reading. */
  private takeText(text: string, line: number): boolean {
    if (this.domains.takeText(text, line)) {
      this.units.end();
      this.registers.end();
      return true;
    }
    if (this.units.take(text, line)) {
      this.domains.end();
      this.registers.end();
      return true;
    }
    if (this.registers.take(text, line)) {
      this.domains.end();
      this.units.end();
      return true;
    }
    if (!this.deviceTable.take(text, line)) return false;
    this.domains.end();
    this.units.end();
    this.registers.end();
    return true;
  }
}

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13);

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}
