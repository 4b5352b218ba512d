import { eptImages } from '../builders/independent/ept';
import { requireAnswers, requireDevices } from './builtImages';

describe('EPT of guests from an independent builder', () => {
  for (const image of eptImages()) {
    it(`${image.name}, by its EPTP: all ${image.expectations.length} accesses`, () => {
      requireAnswers(image);
    });

    it(`${image.name}, by its EPTP: lists the guest`, () => {
      requireDevices(image);
    });
  }
});
