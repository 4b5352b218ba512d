/** All Intel VT-d images. */
import { type BuiltImage } from '../built';
import { missingCapabilities } from './vtdCapabilities';
import { firstStage, firstStageWithout1G } from './vtdFirstStage';
import { nested } from './vtdNested';
import { scalableDirectory, scalableGlobal, scalableReserved } from './vtdScalable';
import {
  legacyDirectory,
  secondStageCapabilities,
  secondStageLegacy,
  secondStageScalable,
} from './vtdSecondStage';

export function builtVtd(): BuiltImage[] {
  const depths = [3, 4, 5] as const;
  return [
    scalableDirectory(),
    scalableReserved(),
    ...scalableGlobal(),
    ...missingCapabilities(),
    firstStage(4),
    firstStage(5),
    firstStageWithout1G(),
    ...depths.map((levels) => secondStageScalable(levels)),
    ...depths.map((levels) => secondStageLegacy(levels)),
    ...secondStageCapabilities(),
    legacyDirectory(),
    nested(4, 4),
    nested(5, 5),
    nested(5, 4),
    nested(4, 5),
    nested(4, 3),
    nested(5, 3),
  ];
}
