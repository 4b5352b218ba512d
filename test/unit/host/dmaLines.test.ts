import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseDmaLines, parseTypedDma } from '../../../src/host/commands/machine/dmaLines';

const GOOD = '{"sid":"00:02.0","pasid":null,"iova":"0x1000","length":64,"access":"write"}';

/** What is wrong with a second line, after a good one. */
function wrongWith(line: string): string {
  const read = parseDmaLines(`${GOOD}\n${line}\n${GOOD}`);
  assert.equal(read.ok, false, line);
  assert.equal(read.line, 2, line);
  return read.why;
}

describe('a trace of DMA', () => {
  it('is one JSON object a line, with empty lines and comments left out', () => {
    const read = parseDmaLines(`# a comment\r\n\r\n${GOOD}\r\n  ${GOOD}`);
    assert.ok(read.ok);
    const request = { sid: '00:02.0', pasid: null, iova: '0x1000', length: 64, access: 'write' };
    assert.deepEqual(read.value, [request, request]);
  });

  it('reads a page without PASID where a line does not say otherwise', () => {
    const read = parseDmaLines('{"sid":16,"iova":4096}');
    assert.ok(read.ok);
    assert.deepEqual(read.value, [{ sid: 16, pasid: null, iova: 4096, length: 4096, access: 'read' }]);
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['{"sid"', /^this is not JSON$/],
    ['00:02.0 write 0x1000 4096', /^this is not JSON$/],
    ['[]', /^"sid" is missing/],
    ['7', /^this is not an object$/],
    ['null', /^this is not an object$/],
    ['{"iova":1}', /^"sid" is missing, and not a device such as "00:02.0" or 16$/],
    ['{"sid":"00:02.9","iova":1}', /^"sid" is "00:02.9"/],
    ['{"sid":true,"iova":1}', /^"sid" is true/],
    [
      '{"sid":16,"pasid":1048576,"iova":1}',
      /^"pasid" is 1048576, and not null or a number of at most 20 bits$/,
    ],
    ['{"sid":16,"pasid":-1,"iova":1}', /^"pasid" is -1/],
    ['{"sid":16,"pasid":"1","iova":1}', /^"pasid" is "1"/],
    ['{"sid":16}', /^"iova" is missing, and not an address/],
    ['{"sid":16,"iova":"0x"}', /^"iova" is "0x"/],
    ['{"sid":16,"iova":-4096}', /^"iova" is -4096/],
    ['{"sid":16,"iova":"0x10000000000000000"}', /^"iova" is "0x10000000000000000"/],
    ['{"sid":16,"iova":18446744073709551615}', /has more digits than a JSON number keeps/],
    ['{"sid":16,"iova":0,"length":0}', /^"length" is 0, and not a number of bytes from 1 to 1G$/],
    ['{"sid":16,"iova":0,"length":1.5}', /^"length" is 1.5/],
    ['{"sid":16,"iova":0,"length":"4K"}', /^"length" is "4K"/],
    ['{"sid":16,"iova":0,"length":1073741825}', /^"length" is 1073741825/],
    [
      '{"sid":16,"iova":0,"access":"execute"}',
      /^"access" is "execute", and not "read", "write" or "atomic"$/,
    ],
  ];
  for (const [line, why] of wrong) {
    it(`says the line and what is wrong with it: ${line}`, () => {
      assert.match(wrongWith(line), why);
    });
  }

  it('says at which line it is too long', () => {
    const read = parseDmaLines(`${GOOD}\n\n${GOOD}\n# a comment\n${GOOD}`, 2);
    assert.deepEqual(read, { ok: false, line: 5, why: 'more than 2 requests' });
  });

  it('never throws, whatever is in the file', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map((each) => JSON.stringify(each)),
        ),
        (text) => {
          const read = parseDmaLines(text);
          assert.ok(read.ok || (read.line >= 1 && read.why !== ''));
        },
      ),
    );
  });
});

describe('a typed DMA request', () => {
  it('is device, access, IOVA and bytes, with a PASID after the device', () => {
    assert.deepEqual(parseTypedDma(' 00:02.0 write 0x1000 64 '), {
      ...{ sid: '00:02.0', pasid: null, iova: '0x1000', length: 64, access: 'write' },
    });
    assert.deepEqual(parseTypedDma('0x10/5 atomic 2M'), {
      ...{ sid: '0x10', pasid: 5, iova: '2M', length: 4096, access: 'atomic' },
    });
  });

  for (const [text, why] of [
    ['', /^"sid" is ""/],
    ['00:02.0', /^"iova" is missing/],
    ['00:02.0 write', /^"iova" is missing/],
    ['00:02.0 fetch 0x1000', /^"access" is "fetch"/],
    ['00:02.0/x write 0x1000', /^x is not a PASID$/],
    ['00:02.0/0x100000 write 0x1000', /^"pasid" is 1048576/],
    ['00:02.0 write 0x1000 many', /^"length" is "many"/],
    ['00:02.0 write 0x1000 2G', /^"length" is 2147483648/],
    ['00:02.0 write 0x1000 4096 more', /^"more" is one word too many/],
  ] as const) {
    it(`says what is wrong with it: "${text}"`, () => {
      const read = parseTypedDma(text);
      assert.match(typeof read === 'string' ? read : '', why);
    });
  }
});
