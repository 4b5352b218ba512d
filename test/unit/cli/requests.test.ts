import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { CliError } from '../../../src/cli/errors';
import { jsonText } from '../../../src/cli/output';
import { parseRequest, readLines, type NumberedLine } from '../../../src/cli/requests';
import { answerLine, answerOf } from '../../../src/cli/words';
import { type Translation } from '../../../src/inspection/protocol';

const parse = (text: string) => parseRequest({ text, number: 7 }, 'r.jsonl');

function refusal(text: string): CliError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  return assert.fail(`accepted: ${text}`);
}

describe('requests of iopte translate', () => {
  it('reads the documented form', () => {
    assert.deepEqual(parse('{"sid": "0x10", "pasid": null, "iova": "0xffee0000", "access": "read"}'), {
      requester: 0x10,
      pasid: null,
      iova: 0xffee0000n,
      access: 'read',
    });
    assert.deepEqual(
      parse('{"sid": "00:02.0", "pasid": "0x5", "iova": "4096", "access": "write", "note": 1}'),
      {
        requester: 0x10,
        pasid: 5,
        iova: 4096n,
        access: 'write',
      },
    );
    assert.deepEqual(parse('{"sid": 16, "iova": 4096, "access": "write"}'), {
      requester: 16,
      pasid: null,
      iova: 4096n,
      access: 'write',
    });
  });

  it('keeps every bit of a 64-bit address, hexadecimal and decimal, in and out', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.boolean(), (address, asDecimal) => {
        const written = asDecimal ? address.toString() : `0x${address.toString(16)}`;
        const request = parse(JSON.stringify({ sid: '0x8', pasid: null, iova: written, access: 'read' }));
        assert.equal(request.iova, address);
        const answer = answerOf({
          ok: true,
          paddr: address,
          size: 4096n,
          perm: 'RW',
          level: 1,
          entry: address,
        });
        const { paddr, entry } = JSON.parse(jsonText(answer)) as { paddr: string; entry: string };
        assert.equal(BigInt(paddr), address);
        assert.match(entry, /^0x(0|[1-9a-f][0-9a-f]*)$/);
        assert.equal(BigInt(entry), address);
      }),
    );
  });

  it('writes answers in the documented form', () => {
    const cases: [Translation, string][] = [
      [
        { ok: true, paddr: 0x9d61000n, size: 4096n, perm: 'RW', level: 1, entry: 0x9d61003n },
        '{"ok":true,"paddr":"0x9d61000","size":"0x1000","perm":"RW","level":1,"entry":"0x9d61003"}',
      ],
      [
        { ok: true, paddr: 5n, size: 4096n, perm: 'RW', level: null, entry: null },
        '{"ok":true,"paddr":"0x5","size":"0x1000","perm":"RW","level":null,"entry":null}',
      ],
      [{ ok: false, fault: 'not-present', level: 2 }, '{"ok":false,"fault":"not-present","level":2}'],
      [
        { ok: false, fault: 'interrupt-window', level: null },
        '{"ok":false,"fault":"interrupt-window","level":null}',
      ],
    ];
    for (const [answer, line] of cases) {
      assert.equal(answerLine(answer), line);
      assert.equal(jsonText(answerOf(answer)), line);
    }
  });

  it('names file, line and field of a line that is no request', () => {
    const cases: [string, RegExp][] = [
      ['{"sid": "0x10"', /^r\.jsonl:7: not JSON/],
      ['[]', /^r\.jsonl:7: not a JSON object/],
      ['null', /not a JSON object/],
      ['{"iova": "0x0", "access": "read"}', /"sid" is missing/],
      ['{"sid": "0x100000000", "iova": "0x0", "access": "read"}', /"sid" is "0x100000000"/],
      ['{"sid": "0x10", "segment": 65536, "iova": "0x0", "access": "read"}', /"segment" is 65536/],
      ['{"sid": "0x10", "access": "read"}', /"iova" is missing/],
      ['{"sid": "0x10", "iova": "0x10000000000000000", "access": "read"}', /"iova" is/],
      ['{"sid": "0x10", "iova": -1, "access": "read"}', /"iova" is -1/],
      ['{"sid": "0x10", "iova": 18446744073709547520, "access": "read"}', /cannot hold exactly/],
      ['{"sid": "0x10", "iova": 0.5, "access": "read"}', /"iova" is 0.5/],
      ['{"sid": "0x10", "pasid": "0x100000", "iova": "0x0", "access": "read"}', /"pasid" is/],
      ['{"sid": "0x10", "iova": "0x0"}', /"access" is missing/],
      ['{"sid": "0x10", "iova": "0x0", "access": "RW"}', /"access" is "RW"/],
    ];
    for (const [text, message] of cases) {
      const error = refusal(text);
      assert.match(error.message, message);
      assert.equal(error.exitCode, 1);
      assert.ok(error.hint);
    }
  });

  it('never fails otherwise, whatever the line is', () => {
    const field = fc.oneof(fc.jsonValue(), fc.string());
    const object = fc.record({ sid: field, pasid: field, iova: field, access: field }, { requiredKeys: [] });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          object.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          try {
            parse(text);
          } catch (error) {
            assert.ok(error instanceof CliError);
          }
        },
      ),
    );
  });

  describe('lines', () => {
    async function read(chunks: readonly (Uint8Array | string)[]): Promise<NumberedLine[]> {
      const lines: NumberedLine[] = [];
      async function* source(): AsyncGenerator<Uint8Array | string> {
        for (const chunk of chunks) yield await Promise.resolve(chunk);
      }
      for await (const batch of readLines(source(), 'r.jsonl')) lines.push(...batch);
      return lines;
    }

    it('are the same however the bytes are cut, with their numbers, without blank ones', async () => {
      const text = '{"a": "ä表"}\r\n\n  \n{"b": 2}\n{"c": 3}';
      const bytes = Buffer.from(text);
      const expected = [
        { text: '{"a": "ä表"}\r', number: 1 },
        { text: '{"b": 2}', number: 4 },
        { text: '{"c": 3}', number: 5 },
      ];
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 0, max: bytes.length })), async (cuts) => {
          const places = [0, ...cuts.sort((one, other) => one - other), bytes.length];
          const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
          assert.deepEqual(await read(chunks), expected);
        }),
      );
    });

    it('may begin with a byte order mark, however it is cut', async () => {
      const bytes = Buffer.from('\u{feff}{"a": 1}\n{"b": 2}');
      for (let cut = 0; cut <= bytes.length; cut++) {
        assert.deepEqual(await read([bytes.subarray(0, cut), bytes.subarray(cut)]), [
          { text: '{"a": 1}', number: 1 },
          { text: '{"b": 2}', number: 2 },
        ]);
      }
    });

    it('are given before one that is too long is refused', async () => {
      const given: NumberedLine[] = [];
      async function* source(): AsyncGenerator<string> {
        yield await Promise.resolve(`{"a": 1}\n${'x'.repeat(70_000)}\n{"b": 2}\n`);
      }
      await assert.rejects(async () => {
        for await (const batch of readLines(source(), 'r.jsonl')) given.push(...batch);
      }, /r\.jsonl:2: the line has more than 65536 characters/);
      assert.deepEqual(given, [{ text: '{"a": 1}', number: 1 }]);
    });

    it('are refused when they never end', async () => {
      const chunk = 'x'.repeat(60_000);
      await assert.rejects(
        read(['{}\n', chunk, chunk]),
        /r\.jsonl:2: the line has more than 65536 characters/,
      );
    });
  });
});
