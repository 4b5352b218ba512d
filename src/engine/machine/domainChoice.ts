import { type MachineCapabilities } from '../driver/capabilities/index';
import { failure, success, type Result } from '../result';
import { type EmulatedKind } from '../iommu/vendor';
import { pageShiftsOf } from './choices';
import { shiftsIn } from './inputs';
import { tableChoices, type TableChoice, type TableShape } from './tableChoices';

/** What the tables of one domain are made of. */
export interface DomainChoice {
  readonly choice: TableChoice;
  readonly shape: TableShape;
  /** log2 sizes that mapping uses; undefined: all. */
  readonly pageShifts: readonly number[] | undefined;
}

/** What a domain is made of that is asked for by words; both absent: as `first` is. */
export function domainChoice(
  vendor: EmulatedKind,
  capabilities: MachineCapabilities,
  first: DomainChoice,
  tables: string | undefined,
  pages: readonly string[] | undefined,
): Result<DomainChoice> {
  const choices = tableChoices(vendor);
  const choice = tables === undefined ? first.choice : choices.find(({ id }) => id === tables);
  if (!choice) {
    const ids = choices.map(({ id }) => id).join(', ');
    return failure('machine/tables', `${vendor} has no tables "${String(tables)}".`, `It has ${ids}.`);
  }
  const isFirst = choice === first.choice;
  if (pages === undefined && isFirst) return success(first);
  const shifts = shiftsIn(pages ?? [], pageShiftsOf(choice));
  if (!shifts.ok) return shifts;
  const shape = isFirst ? first.shape : choice.shape(capabilities);
  return success({ choice, shape, pageShifts: shifts.value });
}
