import { type JSONPath } from 'jsonc-parser';
import { FRAME_BYTES, hex, parseInteger } from '../../engine/values';
import { type DescribedSegment } from '../readers/describedSegment';
import { PHYSICAL_END } from '../segments';
import { type JsonText, nodeAt, rangeOf, type TextRange } from './jsonText';
import { type IommuKind, REGISTERS, type RegisterSpec } from './registers';
import { DEVICE_IDS, parseRequesters } from './requesters';
import { pathText } from './shape';
import { type TextProblem } from './textProblem';
import { type DescribedIommu, type IdRange, type ImageDescription } from './types';

const MAX_PROBLEMS = 100;

/** What `checkShape` gives, as far as it is used here. */
interface Shape {
  readonly image: string | { readonly file: string; readonly segments: readonly RawSegment[] };
  readonly iommus: readonly {
    readonly name: string;
    readonly kind: DescribedIommu['kind'];
    readonly segment?: number | undefined;
    readonly base?: number | string | undefined;
    readonly requesters?: readonly string[] | undefined;
    readonly registers: Readonly<Record<string, unknown>>;
  }[];
}

interface RawSegment {
  readonly paddr: number | string;
  readonly offset: number | string;
  readonly length?: number | string | undefined;
}

/** A range of `requesters` and where it stands. */
interface NamedRange extends IdRange {
  readonly segment: number;
  readonly iommu: number;
  readonly index: number;
}

/** Turns a description of the right shape into values and checks what a shape cannot say. */
export function checkMeaning(
  shape: Shape,
  json: JsonText,
): { readonly description: ImageDescription; readonly problems: readonly TextProblem[] } {
  const checker = new Checker(json);
  const { image } = shape;
  const segments = typeof image === 'string' ? undefined : checker.segments(image.segments);
  const description: ImageDescription = {
    version: 1,
    file: typeof image === 'string' ? image : image.file,
    ...(segments && { segments }),
    iommus: checker.iommus(shape.iommus),
  };
  return { description, problems: checker.problems.slice(0, MAX_PROBLEMS) };
}

class Checker {
  readonly problems: TextProblem[] = [];
  private readonly named: NamedRange[] = [];

  constructor(private readonly json: JsonText) {}

  private report(
    severity: TextProblem['severity'],
    code: string,
    path: JSONPath,
    message: string,
    hint: string,
  ): void {
    const node = nodeAt(this.json, path);
    const range: TextRange = node ? rangeOf(node) : { start: 0, end: 1 };
    const where = `${pathText(path)}: ${message}.`;
    this.problems.push({ severity, code: `description/${code}`, message: where, hint, ...range });
  }

  segments(raw: readonly RawSegment[]): DescribedSegment[] {
    const segments = raw.map((segment, i) => this.segment(segment, ['image', 'segments', i]));
    this.findOverlaps(segments);
    return segments;
  }

  private segment(raw: RawSegment, path: JSONPath): DescribedSegment {
    const paddr = this.exact(raw.paddr, PHYSICAL_END, [...path, 'paddr']);
    const offset = this.exact(raw.offset, Number.MAX_SAFE_INTEGER, [...path, 'offset']);
    this.checkAligned(paddr, [...path, 'paddr']);
    if (raw.length === undefined) return { paddr, offset };
    const at = [...path, 'length'];
    const length = this.exact(raw.length, PHYSICAL_END, at);
    if (length === 0) this.report('error', 'empty-segment', at, 'a segment has at least 1 byte', LENGTH_HINT);
    if (paddr + length > PHYSICAL_END) {
      this.report('error', 'address-width', at, `the segment ends beyond 52 bits`, LENGTH_HINT);
    }
    this.checkAligned(length, at);
    return { paddr, offset, length };
  }

  private exact(raw: number | string, limit: number, path: JSONPath): number {
    const value = typeof raw === 'number' ? BigInt(raw) : parseInteger(raw);
    if (value !== undefined && value <= BigInt(limit)) return Number(value);
    const shown = value === undefined ? 'more than 64 bits' : hex(value);
    this.report('error', 'address-width', path, `${shown} is too large (at most ${hex(limit)})`, LENGTH_HINT);
    return 0;
  }

  /** Page tables are read by whole frames. */
  private checkAligned(value: number, path: JSONPath): void {
    if (value % FRAME_BYTES === 0) return;
    const message = `${hex(value)} is not a multiple of 4096; a frame that is held in part cannot be read`;
    this.report('warning', 'unaligned', path, message, 'Start and end segments at multiples of 4096.');
  }

  private findOverlaps(segments: readonly DescribedSegment[]): void {
    const order = segments
      .map(({ paddr, length }, index) => ({ paddr, end: paddr + (length ?? 0), index }))
      .sort((a, b) => a.paddr - b.paddr || a.index - b.index);
    let before = order[0];
    for (const next of order.slice(1)) {
      if (before && (next.paddr < before.end || next.paddr === before.paddr)) {
        const [low, high] = [Math.min(before.index, next.index), Math.max(before.index, next.index)];
        this.report(
          'error',
          'overlap',
          ['image', 'segments', high],
          `overlaps segments[${low}] at ${hex(next.paddr)}`,
          'A physical address can come from one place of the file only.',
        );
      }
      if (!before || next.end > before.end) before = next;
    }
  }

  iommus(raw: Shape['iommus']): DescribedIommu[] {
    const names = new Map<string, number>();
    const iommus = raw.map(({ name, kind, segment = 0, base, requesters, registers }, i) => {
      const same = names.get(name);
      if (same !== undefined) {
        const message = `"${name}" is the name of iommus[${same}] too`;
        this.report(
          'error',
          'duplicate-name',
          ['iommus', i, 'name'],
          message,
          'Give each IOMMU its own name.',
        );
      }
      names.set(name, same ?? i);
      const values = REGISTERS[kind].flatMap((register): [string, bigint][] => {
        const value = registers[register.name];
        if (typeof value !== 'number' && typeof value !== 'string') return [];
        return [[register.name, this.register(register, value, ['iommus', i, 'registers', register.name])]];
      });
      return {
        name,
        kind,
        segment,
        ...(base !== undefined && { base: this.exact(base, PHYSICAL_END - 1, ['iommus', i, 'base']) }),
        ...(requesters && {
          requesters: requesters.flatMap((text, index) => {
            const range = this.range(text, kind, ['iommus', i, 'requesters', index]);
            if (range) this.named.push({ ...range, segment, iommu: i, index });
            return range ?? [];
          }),
        }),
        registers: new Map(values),
      };
    });
    this.findSharedRequesters();
    return iommus;
  }

  /** The range, or nothing when it is none. */
  private range(text: string, kind: IommuKind, path: JSONPath): IdRange | undefined {
    const range = parseRequesters(text);
    const { name, bits } = DEVICE_IDS[kind];
    if (!range || range.first >= 1n << BigInt(bits) || range.last >= 1n << BigInt(bits)) {
      const hint = `Write bus:device.function, or numbers up to ${hex(2 ** bits - 1)}.`;
      this.report('error', 'requester-width', path, `"${text}" is too large: ${name} has ${bits} bits`, hint);
      return undefined;
    }
    const [start, end] = [Number(range.first), Number(range.last) + 1];
    if (start < end) return { start, end };
    const message = `"${text}" ends before it begins`;
    this.report('error', 'requester-range', path, message, 'Write the lower one first; both are included.');
    return undefined;
  }

  /** A device that two IOMMUs of one segment name cannot be told by its id alone: worth a warning. */
  private findSharedRequesters(): void {
    const ranges = this.named.sort((a, b) => a.segment - b.segment || a.start - b.start || a.iommu - b.iommu);
    /** Of the ranges of this segment so far, the one that reaches furthest, and the furthest of another IOMMU. */
    let furthest: NamedRange | undefined;
    let second: NamedRange | undefined;
    for (const range of ranges) {
      if (furthest?.segment !== range.segment) [furthest, second] = [undefined, undefined];
      const other = furthest?.iommu === range.iommu ? second : furthest;
      if (other && range.start < other.end) this.reportShared(range, other);
      if (!furthest || range.end > furthest.end) {
        if (furthest && furthest.iommu !== range.iommu) second = furthest;
        furthest = range;
      } else if (range.iommu !== furthest.iommu && range.end > (second?.end ?? 0)) second = range;
    }
  }

  private reportShared(a: NamedRange, b: NamedRange): void {
    const [low, high] = a.iommu < b.iommu ? [a, b] : [b, a];
    this.report(
      'warning',
      'shared-requesters',
      ['iommus', high.iommu, 'requesters', high.index],
      `overlaps iommus[${low.iommu}].requesters[${low.index}] at ${hex(Math.max(a.start, b.start))}`,
      'A device of one segment belongs to one IOMMU; otherwise the IOMMU must be named when it is asked for.',
    );
  }

  private register({ name, bits }: RegisterSpec, raw: number | string, path: JSONPath): bigint {
    const value = typeof raw === 'number' ? BigInt(raw) : parseInteger(raw);
    if (value !== undefined && value < 1n << BigInt(bits)) return value;
    const shown = value === undefined ? 'the value has more than 64 bits' : `${hex(value)} does not fit`;
    this.report(
      'error',
      'register-width',
      path,
      `${name} has ${bits} bits; ${shown}`,
      'A wider read brings the neighbouring register along: keep the bits that belong to this one.',
    );
    return 0n;
  }
}

const LENGTH_HINT = 'Physical addresses have at most 52 bits; correct paddr, offset and length.';
