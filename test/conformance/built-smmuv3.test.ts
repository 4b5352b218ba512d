/** Images that were built from the SMMUv3 and Armv8 specifications alone, through the gate, the directory, the walk and the batch. */
import { smmuv3Images } from '../builders/independent/armRiscvImages';
import { requireAnswers, requireDevices } from './builtImages';

describe('SMMUv3 images from an independent builder', function () {
  this.timeout(60_000);
  for (const image of smmuv3Images()) {
    it(`${image.name}: all ${image.expectations.length} requests`, () => {
      requireAnswers(image);
    });

    it(`${image.name}: lists its devices and tells every entry`, () => {
      requireDevices(image);
    });
  }
});
