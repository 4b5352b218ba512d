/** Images that were built from the RISC-V specifications alone. */
import { riscvImages } from '../builders/independent/armRiscvImages';
import { requireAnswers, requireDevices } from './builtImages';

describe('RISC-V images from an independent builder', function () {
  this.timeout(60_000);
  for (const image of riscvImages()) {
    it(`${image.name}: all ${image.expectations.length} requests`, () => {
      requireAnswers(image);
    });

    it(`${image.name}: lists its devices and tells every entry`, () => {
      requireDevices(image);
    });
  }
});
