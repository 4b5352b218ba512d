import { done, refused, type Outcome } from '../../driver/errno';
import { type AddressRange } from '../../driver/iommufd/ranges';
import { READ, WRITE } from '../../pageTable/entryClass';
import { type Steps } from '../../steps';
import { formatRequester, formatSize, hex, parseDevice } from '../../values';
import { type MachineCore, type MachineStep } from '../core';
import { type DomainChoice } from '../domainChoice';
import { type MachineHwpt } from '../domains';
import { type MachineGuest } from '../guests/guest';
import { numberIn, textIn } from '../inputs';
import { tableChoices } from '../tableChoices';
import { type MachineFunction } from '../unit';
import { hwptOf, PAGE, report, type Doing, type Of } from './common';
import { guestKindOf } from '../../driver/guest/index';

/** Of guest memory that a guest's tables are given when nothing else is said. */
const DEFAULT_MEMORY = 4n << 20n;
const QUEUE_MEMORY = 4096n;

/** A guest's own tables over a nest parent. */
export function* createGuest(machine: MachineCore, operation: Of<'createGuest'>): Doing {
  const { parent, viommu, iommu } = operation;
  const below = parentOf(machine, parent);
  if (!below.ok) return report(below, '');
  const device = deviceOf(
    machine,
    viommu === undefined ? iommu : machine.guests.virtual.get(viommu)?.unit.name,
  );
  if (!device.ok) return report(device, '');
  if (viommu !== undefined && machine.guests.virtual.get(viommu)?.parent !== below.value)
    return report(refused('EINVAL', `vIOMMU ${viommu} is not there, or is not over domain ${parent}`), '');
  const choice = choiceOf(machine, operation);
  if (!choice.ok) return report(choice, '');
  const length = numberIn(textIn(operation.memoryLength ?? String(DEFAULT_MEMORY)), 'the length of memory');
  if (!length.ok) return report(length, '');
  const start = operation.memory === undefined ? undefined : numberIn(textIn(operation.memory), 'the memory');
  if (start && !start.ok) return report(start, '');
  const range = machine.guests.memory.find(start?.value, length.value);
  if (!range.ok) return report(range, '');
  const mapped = yield* mapWhole(machine, below.value, range.value);
  if (!mapped.ok) return report(mapped, '');
  const given = { parent: below.value, choice: choice.value, device: device.value, viommu };
  const made = yield* machine.software(machine.guests.create({ ...given, range: range.value }));
  if (!made.ok) {
    yield* unmapAll(machine, below.value, mapped.value);
    return report(made, '');
  }
  const { id } = made.value;
  const where = `${formatSize(length.value)} at guest physical ${hex(range.value.start)}`;
  const summary = `Made guest ${id} over domain ${parent}: ${choice.value.choice.title} in ${where}.`;
  return report(made, summary, { domain: id });
}

export function* guestMap(machine: MachineCore, operation: Of<'guestMap'>): Doing {
  const found = guestRange(machine, operation);
  if (!found.ok) return report(found, '');
  const { guest, page, pages, text } = found.value;
  const to = numberIn(textIn(operation.to), 'the guest physical address');
  if (!to.ok) return report(to, '');
  if (to.value % PAGE !== 0n) return report(refused('EINVAL', `${hex(to.value)} is no multiple of 4K`), '');
  const permission = textIn(operation.permission);
  const allowed = (permission.includes('R') ? READ : 0) | (permission.includes('W') ? WRITE : 0);
  const outcome = yield* machine.software(guest.tables.map(page, Number(to.value / PAGE), pages, allowed));
  const summary = `Guest ${guest.id} mapped ${text} to guest physical ${hex(to.value)}, ${permission}.`;
  return report(outcome, summary, { pages });
}

export function* guestUnmap(machine: MachineCore, operation: Of<'guestUnmap'>): Doing {
  const found = guestRange(machine, operation);
  if (!found.ok) return report(found, '');
  const { guest, page, pages, text } = found.value;
  const unmapped = yield* machine.software(guest.unmap(page, pages));
  if (!unmapped.ok) return report(unmapped, '');
  const counts = { pages: unmapped.value };
  if (operation.invalidate !== true)
    return report(unmapped, `Guest ${guest.id} unmapped ${text}, and invalidated nothing.`, counts);
  const range = guest.changed(page, page + pages);
  const [name = ''] = machine.guests.commandsOf(guest);
  const sent = yield* machine.software(machine.guests.invalidate(guest, range, name));
  return report(sent, `Guest ${guest.id} unmapped ${text}, and invalidated it.`, counts);
}

export function* guestInvalidate(machine: MachineCore, operation: Of<'guestInvalidate'>): Doing {
  const { iova, length = '4K', command } = operation;
  const found =
    iova === undefined
      ? wholeGuest(machine, operation.guest)
      : guestRange(machine, { guest: operation.guest, iova, length });
  if (!found.ok) return report(found, '');
  const { guest, page, pages, text } = found.value;
  const names = machine.guests.commandsOf(guest);
  const name = names.find((each) => each.includes(textIn(command ?? '')));
  if (name === undefined)
    return report(
      refused('EINVAL', `guests here have no "${command ?? ''}"; they have ${names.join(', ')}`),
      '',
    );
  const range = pages === 0 ? null : guest.changed(page, page + pages);
  const sent = yield* machine.software(machine.guests.invalidate(guest, range, name));
  const commands = sent.ok ? sent.value : 0;
  const how = command === undefined ? '' : `, by ${name}`;
  return report(sent, `Guest ${guest.id} invalidated ${text}${how}.`, { commands });
}

export function* createVirtualIommu(machine: MachineCore, operation: Of<'createVirtualIommu'>): Doing {
  const { parent, hardwareQueue, iommu } = operation;
  const below = parentOf(machine, parent);
  if (!below.ok) return report(below, '');
  const device = deviceOf(machine, iommu);
  if (!device.ok) return report(device, '');
  const { memory, virtual } = machine.guests;
  const granule = BigInt(below.value.paging.granule);
  const queue =
    hardwareQueue === true
      ? memory.find(undefined, granule > QUEUE_MEMORY ? granule : QUEUE_MEMORY)
      : done(undefined);
  if (!queue.ok) return report(queue, '');
  const range = queue.value;
  const mapped = range ? yield* mapWhole(machine, below.value, range) : done([]);
  if (!mapped.ok) return report(mapped, '');
  const place = range && { start: range.start, end: range.start + QUEUE_MEMORY };
  const made = yield* machine.software(virtual.create(below.value, device.value, place));
  if (!made.ok) {
    yield* unmapAll(machine, below.value, mapped.value);
    return report(made, '');
  }
  if (range) memory.hold(range);
  const where = range ? `, with a queue of the guest's own at guest physical ${hex(range.start)}` : '';
  return report(made, `Made vIOMMU ${made.value} over domain ${parent}${where}.`, { viommu: made.value });
}

export function* createVirtualDevice(machine: MachineCore, operation: Of<'createVirtualDevice'>): Doing {
  const { viommu, requester, virtualId } = operation;
  const parsed = parseDevice(textIn(requester));
  const device = parsed && machine.functionOf(parsed.requester);
  if (!device) return report(refused('ENODEV', `"${requester}" is no device of this machine`), '');
  const id = parseDevice(textIn(virtualId));
  if (!id) return report(refused('EINVAL', `"${virtualId}" is no id of a device`), '');
  const virtual = BigInt(id.requester);
  const made = machine.iommufd.vdeviceAlloc({ viommuId: viommu, deviceId: device.id, virtualId: virtual });
  yield { kind: 'software', name: 'name the device' };
  const summary = `The guest of vIOMMU ${viommu} knows ${formatRequester(device.requester)} as ${hex(id.requester)}.`;
  return report(made, summary, made.ok ? { vdevice: made.value } : {});
}

function parentOf(machine: MachineCore, id: number): Outcome<MachineHwpt> {
  const found = hwptOf(machine, id);
  if (!found.ok || found.value.nestParent) return found;
  return refused('EINVAL', `domain ${id} is no nest parent (nestParent of the machine, or of createDomain)`);
}

/** A device behind an IOMMU; absent: the first one. */
function deviceOf(machine: MachineCore, iommu: string | undefined): Outcome<MachineFunction> {
  const found = machine.guests.deviceBehind(iommu);
  return found ? done(found) : refused('ENODEV', `there is no device behind ${iommu ?? 'an IOMMU'}`);
}

function choiceOf(machine: MachineCore, { tables, pages }: Of<'createGuest'>): Outcome<DomainChoice> {
  const kind = guestKindOf(machine.spec.vendor);
  const choice = machine.hwpts.choice(tables ?? kind.tables, pages ?? []);
  if (!choice.ok || choice.value.choice.stage === 1) return choice;
  const stage1 = tableChoices(machine.spec.vendor).filter(({ stage }) => stage === 1);
  return refused('EINVAL', `a guest has tables of stage 1: ${stage1.map(({ id }) => id).join(', ')}`);
}

/** Maps what is not mapped of a range, IOVA = guest physical; the parts. EINVAL: something else is mapped in it. */
function* mapWhole(
  machine: MachineCore,
  parent: MachineHwpt,
  { start, end }: AddressRange,
): Steps<MachineStep, Outcome<readonly AddressRange[]>> {
  const gaps: AddressRange[] = [];
  let at = start;
  const ioas = machine.iommufd.object(parent.ioas);
  for (const area of ioas?.kind === 'ioas' ? ioas.areas.allIn({ start, end }) : []) {
    if (area.pages.address + area.startByte !== area.start)
      return refused(
        'EINVAL',
        `at ${hex(area.start)} domain ${parent.id} leads elsewhere than the guest's CPUs`,
      );
    if (area.start > at) gaps.push({ start: at, end: area.start });
    at = area.end;
  }
  if (at < end) gaps.push({ start: at, end });
  for (const [index, gap] of gaps.entries()) {
    const mapped = yield* machine.map(parent, gap.start, gap.end - gap.start, gap.start, 'RW');
    if (mapped.ok) continue;
    yield* unmapAll(machine, parent, gaps.slice(0, index));
    return mapped;
  }
  return done(gaps);
}

function* unmapAll(
  machine: MachineCore,
  parent: MachineHwpt,
  ranges: readonly AddressRange[],
): Steps<MachineStep, void> {
  for (const { start, end } of ranges) yield* machine.unmap(parent, start, end - start);
}

interface GuestRange {
  readonly guest: MachineGuest;
  readonly page: number;
  /** 0: everything. */
  readonly pages: number;
  readonly text: string;
}

function wholeGuest(machine: MachineCore, id: number): Outcome<GuestRange> {
  const guest = machine.guests.get(id);
  if (guest) return done({ guest, page: 0, pages: 0, text: 'everything' });
  const ids = machine.guests.all.map((each) => each.id).join(', ');
  return refused('ENOENT', `there is no guest ${id}; ${ids === '' ? 'there is none' : `there are ${ids}`}`);
}

/** Whole pages of 4 KiB. */
function guestRange(
  machine: MachineCore,
  of: { readonly guest: number; readonly iova: string; readonly length: string },
): Outcome<GuestRange> {
  const found = wholeGuest(machine, of.guest);
  if (!found.ok) return found;
  const start = numberIn(textIn(of.iova), 'the IOVA');
  const bytes = numberIn(textIn(of.length), 'the length');
  if (!start.ok) return start;
  if (!bytes.ok) return bytes;
  const end = start.value + bytes.value;
  if (bytes.value === 0n || start.value % PAGE !== 0n || bytes.value % PAGE !== 0n || end > 1n << 64n)
    return refused('EINVAL', `${of.length} at ${of.iova} are no whole pages of 4K below 2^64`);
  const text = `${formatSize(bytes.value)} at ${hex(start.value)}`;
  return done({
    guest: found.value.guest,
    page: Number(start.value / PAGE),
    pages: Number(bytes.value / PAGE),
    text,
  });
}
