/** AMD-Vi images that were built from the specification alone, through the directory, the walk and the batch. */
import { builtAmd } from '../builders/independent/amd';
import { requireAnswers, requireDevices } from './builtImages';

describe('AMD-Vi images from an independent builder', function () {
  this.timeout(60_000);
  for (const image of builtAmd()) {
    it(`${image.name}: all ${image.expectations.length} requests`, () => {
      requireAnswers(image);
    });

    it(`${image.name}: lists its devices and tells every entry`, () => {
      requireDevices(image);
    });
  }
});
