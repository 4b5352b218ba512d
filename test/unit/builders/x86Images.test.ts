import assert from 'node:assert/strict';
import { builtAmd } from '../../builders/independent/amd';
import { builtVtd } from '../../builders/independent/vtd';

describe('images built from the VT-d and AMD specifications', () => {
  for (const image of [...builtVtd(), ...builtAmd()]) {
    it(`expects one answer of each request: ${image.name}`, () => {
      const answers = new Map<string, string>();
      for (const { requester, pasid, iova, access, answer, why } of image.expectations) {
        const request = `${requester} ${String(pasid)} ${iova} ${access}`;
        const text = Object.entries(answer)
          .filter(([key]) => key !== 'level' && key !== 'stage')
          .map(([key, value]) => `${key} ${String(value)}`)
          .join();
        assert.equal(answers.get(request) ?? text, text, `${why}: ${request}`);
        answers.set(request, text);
        if (answer.ok) assert.ok(answer.paddr < 1n << 64n && iova < 1n << 64n, why);
      }
      assert.ok(answers.size > 0, 'something is expected');
    });
  }
});
