import { addressGateOf, gateOf, spaceOf } from '../../../engine/directory/gate';
import { openDirectory } from '../../../engine/directory/index';
import { GuestMemory } from '../../../engine/ledger/guestMemory';
import { READ, WRITE } from '../../../engine/pageTable/entryClass';
import { walkTables } from '../../../engine/pageTable/walk';
import { hex, pasid as pasidOf } from '../../../engine/values';
import { below, type Mismatch } from '../mismatch';
import { type Aspect, differs, type Expectations, type Look } from './look';

type Translation = NonNullable<Expectations['translations']>[number];

/** Where a request would go by the tables in memory: guest physical, or the fault. */
type Answer = { readonly to: string } | { readonly fault: string };

export const translations: Aspect<'translations'> = (expected, look) =>
  expected.flatMap((each, index) => mismatches(each, look).map((one) => below([index], one)));

function mismatches(expected: Translation, look: Look): Mismatch[] {
  const requester = look.names.device(expected.device, ['device']);
  const unknown = look.names.takeProblem();
  if (unknown) return [unknown];
  const answer = translate(expected, requester, look);
  const at = expected.fault !== undefined ? 'fault' : 'to';
  const wanted =
    expected.fault !== undefined
      ? `refused: ${expected.fault}`
      : expected.to === undefined
        ? 'translated'
        : `to ${hex(expected.to)}`;
  const isAs =
    expected.fault !== undefined
      ? 'fault' in answer && answer.fault === expected.fault
      : 'to' in answer && (expected.to === undefined || answer.to === hex(expected.to));
  if (isAs) return [];
  const actual = 'fault' in answer ? `refused: ${answer.fault}` : `to ${answer.to}`;
  return [differs([at], wanted, `${actual}, from ${hex(expected.iova)}`)];
}

function translate({ pasid, iova, access }: Translation, name: string, { machine }: Look): Answer {
  const from = machine.addFunction(name, false);
  if (!from) return { fault: 'iommu-not-found' };
  const { iommu } = from.unit;
  const opened = openDirectory(iommu.kind, machine.memory, iommu.registers);
  if (!opened.ok) return { fault: opened.failure.message };
  const directory = opened.value;
  const process = pasid === undefined ? null : pasidOf(pasid);
  const found = directory.lookup(from.requester, process).answer;
  const gate = gateOf(directory, iova, process) ?? addressGateOf(directory, found, iova);
  const answer = gate ? gate.answer : found;
  if (answer.kind === 'fault') return { fault: answer.fault };
  const write = access === 'write';
  if ((answer.permission & (write ? WRITE : READ)) === 0)
    return { fault: write ? 'write-denied' : 'read-denied' };
  if (answer.kind === 'pass-through') return { to: hex(iova) };
  const space = spaceOf(answer, iova);
  const { outcome } = walkTables(space, Number(iova & 0xffffffffn), Number(iova >> 32n), write);
  if (!outcome.ok) return { fault: outcome.fault };
  const address = (BigInt(outcome.paddrHi) << 32n) | BigInt(outcome.paddrLo);
  const page = new GuestMemory(machine.layout.regions).pageOf(Number(address >> 12n));
  if (page < 0) return { to: `host physical ${hex(address)}` };
  return { to: hex((BigInt(page) << 12n) | (address & 0xfffn)) };
}
