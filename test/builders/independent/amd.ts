/** All AMD-Vi images. */
import { type BuiltImage } from '../built';
import { deviceTableEdges, deviceTruthTable } from './amdDeviceTable';
import { gcr3Tables, guestTables } from './amdGuest';
import { hostLevelSkips, hostPageSizes, hostTables } from './amdHost';
import { nestedGuest } from './amdNested';

export function builtAmd(): BuiltImage[] {
  return [
    deviceTruthTable(),
    ...deviceTableEdges(),
    ...([1, 2, 3, 4, 5, 6] as const).map((mode) => hostTables(mode)),
    hostPageSizes(),
    ...([3, 4, 6] as const).map((mode) => hostLevelSkips(mode)),
    gcr3Tables(),
    guestTables(4),
    guestTables(5),
    nestedGuest(4, true),
    nestedGuest(5, true),
    nestedGuest(4, false),
  ];
}
