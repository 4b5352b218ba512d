import assert from 'node:assert/strict';
import {
  type FirmwareIommu,
  type FirmwareOwnership,
  type Ownership,
} from '../../../src/engine/firmware/index';
import { findOwner, type IdRange, type IommuKind } from '../../../src/image/description/index';

interface Iommu {
  readonly name: string;
  readonly kind: IommuKind;
  readonly segment: number;
  readonly base?: number;
  readonly requesters?: readonly IdRange[];
}

const iommu = (name: string, parts: Partial<Iommu> = {}): Iommu => ({
  name,
  kind: 'vt-d',
  segment: 0,
  ...parts,
});

/** `owner a:10`, `candidates a:10 b:10`, `none unknown`. */
function find(
  iommus: readonly Iommu[],
  firmware: FirmwareOwnership | undefined,
  segment: number,
  id: number,
): string {
  const answer = findOwner(iommus, firmware, segment, id);
  if (answer.kind === 'none') return `none ${answer.reason}`;
  const owners = answer.kind === 'owner' ? [answer.owner] : answer.candidates;
  return [answer.kind, ...owners.map((owner) => `${owner.iommu.name}:${owner.id.toString(16)}`)].join(' ');
}

const range = (start: number, end: number): IdRange => ({ start, end });

describe('which IOMMU owns a device: by the description', () => {
  it('the one that names it, else those of the segment that name none', () => {
    const iommus = [
      iommu('graphics', { requesters: [range(0x10, 0x11)] }),
      iommu('rest'),
      iommu('other', { segment: 1, requesters: [range(0, 0x100), range(0x200, 0x300)] }),
    ];
    assert.equal(find(iommus, undefined, 0, 0x10), 'owner graphics:10');
    assert.equal(find(iommus, undefined, 0, 0x11), 'owner rest:11');
    assert.equal(find(iommus, undefined, 1, 0xff), 'owner other:ff');
    assert.equal(find(iommus, undefined, 1, 0x100), 'none unknown');
    assert.equal(find(iommus, undefined, 1, 0x2ff), 'owner other:2ff');
    assert.equal(find(iommus, undefined, 2, 0x10), 'none unknown');
  });

  it('no tables of a guest, unless there is nothing else', () => {
    const guest = iommu('guest', { kind: 'ept' });
    assert.equal(find([guest, iommu('rest')], undefined, 0, 0x10), 'owner rest:10');
    assert.equal(find([guest], undefined, 0, 0x10), 'owner guest:10');
    assert.equal(find([guest, iommu('other', { segment: 1 })], undefined, 0, 0x10), 'owner guest:10');
  });

  it('all that claim it', () => {
    assert.equal(find([iommu('a'), iommu('b')], undefined, 0, 5), 'candidates a:5 b:5');
    const named = [
      iommu('a', { requesters: [range(0, 8)] }),
      iommu('b', { requesters: [range(4, 8)] }),
      iommu('c'),
    ];
    assert.equal(find(named, undefined, 0, 5), 'candidates a:5 b:5');
  });

  it('ids of more than 16 bits', () => {
    const smmu = iommu('smmu', { kind: 'smmuv3', requesters: [range(0x10000, 0x20000)] });
    assert.equal(find([smmu], undefined, 0, 0x1_0010), 'owner smmu:10010');
  });
});

describe('which IOMMU owns a device: by the firmware tables', () => {
  const unit = (base: number, parts: Partial<FirmwareIommu> = {}): FirmwareIommu => ({
    kind: 'vt-d',
    base,
    segments: [0],
    table: 'DMAR',
    ...parts,
  });
  const saying = (answer: Ownership): FirmwareOwnership => ({
    iommus: [],
    problems: [],
    ownerOf: () => answer,
  });
  const owned = (by: FirmwareIommu, id = 0x10): FirmwareOwnership =>
    saying({ kind: 'owner', owner: { iommu: by, id, why: 'The table names it.' } });
  const first = unit(0xfed9_0000);
  const second = unit(0xfed9_1000);

  it('the IOMMU with the base that owns it, whatever the description says of requesters', () => {
    const iommus = [
      iommu('a', { base: first.base, requesters: [range(0x10, 0x11)] }),
      iommu('b', { base: second.base }),
    ];
    assert.equal(find(iommus, owned(second), 0, 0x10), 'owner b:10');
  });

  it('with the id that the table gives', () => {
    const smmu = unit(0x905_0000, { kind: 'smmuv3', segments: [1] });
    const iommus = [iommu('smmu', { kind: 'smmuv3', segment: 1 })];
    assert.equal(find(iommus, owned(smmu, 0x10010), 1, 0x10), 'owner smmu:10010');
  });

  it('an IOMMU without a base when only that can be meant', () => {
    assert.equal(find([iommu('a')], owned(first), 0, 0x10), 'owner a:10');
    assert.equal(find([iommu('a'), iommu('b', { base: second.base })], owned(first), 0, 0x10), 'owner a:10');
    assert.equal(find([iommu('a', { segment: 1 })], owned(first), 0, 0x10), 'none not-described');
    assert.equal(find([iommu('a', { kind: 'amd-vi' })], owned(first), 0, 0x10), 'none not-described');
    assert.equal(find([iommu('a', { base: second.base })], owned(first), 0, 0x10), 'none not-described');
  });

  it('of several without a base the one that names it, else all', () => {
    const named = [iommu('a', { requesters: [range(0x10, 0x11)] }), iommu('b')];
    assert.equal(find(named, owned(first), 0, 0x10), 'owner a:10');
    assert.equal(find([iommu('a'), iommu('b')], owned(first), 0, 0x10), 'candidates a:10 b:10');
    const others = [iommu('a', { requesters: [range(0, 1)] }), iommu('b', { requesters: [range(1, 2)] })];
    assert.equal(find(others, owned(first), 0, 0x10), 'candidates a:10 b:10');
  });

  it('those of the candidates that the description has', () => {
    const both = saying({
      kind: 'candidates',
      candidates: [first, second].map((each) => ({ iommu: each, id: 0x4100, why: 'Perhaps.' })),
      why: 'It may be behind a bridge.',
    });
    const [a, b] = [iommu('a', { base: first.base }), iommu('b', { base: second.base })];
    assert.equal(find([a, b], both, 0, 0x4100), 'candidates a:4100 b:4100');
    assert.equal(find([b], both, 0, 0x4100), 'owner b:4100');
  });

  it('none when nothing translates; the description when the tables do not speak of it', () => {
    const why = 'It reaches memory without an SMMU.';
    assert.equal(find([iommu('a')], saying({ kind: 'untranslated', why }), 0, 0x10), 'none untranslated');
    assert.equal(find([iommu('a')], saying({ kind: 'unknown', why }), 0, 0x10), 'owner a:10');
  });

  it('says why, and what to do', () => {
    const lost = findOwner([iommu('a', { base: 0x1000 })], owned(first), 0, 0x10);
    assert.equal(lost.why, 'The table names it. The description has no IOMMU at 0xfed90000.');
    assert.match(lost.kind === 'none' ? lost.hint : '', /"base"/);
    const unclear = findOwner([iommu('a'), iommu('b')], owned(first), 0, 0x10);
    assert.match(unclear.why, /does not say which IOMMU has that "base"\.$/);
    const byDescription = findOwner([iommu('a')], undefined, 0, 0x10);
    assert.equal(byDescription.why, 'By the description 0000:00:02.0 belongs to a.');
  });
});
