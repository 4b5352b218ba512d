import assert from 'node:assert/strict';
import { bigEndianImages, riscvImages, smmuv3Images } from '../../builders/independent/armRiscvImages';

describe('images built from the SMMUv3 and RISC-V specifications', () => {
  for (const image of [...smmuv3Images(), ...riscvImages(), ...bigEndianImages()]) {
    it(`expects one answer of each request: ${image.name}`, () => {
      const answers = new Map<string, string>();
      for (const { requester, pasid, iova, access, answer, why } of image.expectations) {
        const request = `${requester} ${String(pasid)} ${iova} ${access}`;
        const text = Object.entries(answer)
          .map(([key, value]) => `${key} ${String(value)}`)
          .join();
        assert.equal(answers.get(request) ?? text, text, `${why}: ${request}`);
        answers.set(request, text);
        assert.ok(iova >= 0n && iova < 1n << 64n, why);
        if (!answer.ok) continue;
        assert.ok(answer.paddr >= 0n && answer.paddr < 1n << 56n, why);
        assert.equal(answer.paddr % 4096n, iova % 4096n, `${why}: an address keeps its place in the page`);
      }
      assert.ok(answers.size > 0, 'something is expected');
    });
  }

  it('shows every page as read and written, or refused', () => {
    const seen = new Set(
      [...smmuv3Images(), ...riscvImages()].flatMap(({ expectations }) =>
        expectations.map(({ answer, access }) => (answer.ok ? `${access} of ${answer.perm}` : answer.fault)),
      ),
    );
    for (const expected of [
      'read of R',
      'write of W',
      'read of RW',
      'write of RW',
      'read-denied',
      'write-denied',
    ]) {
      assert.ok(seen.has(expected), expected);
    }
    assert.ok(!seen.has('write of R') && !seen.has('read of W'));
  });
});
