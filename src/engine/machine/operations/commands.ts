import { refused } from '../../driver/errno';
import { type MachineCore } from '../core';
import { report, type Doing, type Of } from './common';
import { encodeCommand, encodeCommands } from './commandText';

const count = (commands: number): string => `${commands} ${commands === 1 ? 'command' : 'commands'}`;

/** A command of host software, and a wait after it. */
export function* command(machine: MachineCore, { iommu, command: text }: Of<'command'>): Doing {
  const unit = machine.units.find(({ name }) => name === iommu);
  if (!unit) {
    const names = machine.units.map(({ name }) => name).join(', ');
    return report(refused('ENODEV', `there is no IOMMU ${iommu}; there are ${names}`), '');
  }
  const encoded = encodeCommand(unit.iommu.kind, { ...text });
  if (!encoded.ok) return report(encoded, '');
  const outcome = yield* machine.software(unit.driver.submit([encoded.value]));
  return report(outcome, `${iommu} has done ${encoded.value.name}.`, { commands: 1 });
}

/** Commands of a guest, up to the first that is refused: those before it are done, and counted. */
export function* guestCommands(machine: MachineCore, { viommu, commands }: Of<'guestCommands'>): Doing {
  const { virtual } = machine.guests;
  const found = virtual.get(viommu);
  if (!found) {
    const ids = virtual.ids.join(', ');
    const there = ids === '' ? 'there is none' : `there are ${ids}`;
    return report(refused('ENOENT', `there is no vIOMMU ${viommu}; ${there}`), '');
  }
  const encoded = encodeCommands(found.unit.iommu.kind, commands);
  if (!encoded.ok) return report(encoded, '');
  const { handled, outcome } = yield* machine.software(virtual.give(viommu, encoded.value));
  const through = found.queue ? 'through its own queue' : 'through the kernel';
  const done = report(outcome, `The guest of vIOMMU ${viommu} sent ${count(handled)} ${through}.`);
  const summary = outcome.ok ? done.summary : `${done.summary} ${count(handled)} before it were done.`;
  return { ...done, summary, counts: { commands: handled } };
}
