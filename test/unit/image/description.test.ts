import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  checkDescription,
  type DescribedIommu,
  type ImageDescription,
  IOMMU_KINDS,
  parseDescription,
  REGISTERS,
  writeDescription,
} from '../../../src/image/description/index';
import { refusal, value } from './support';

/** A good description with parts replaced. */
const described = (parts: Record<string, unknown> = {}): string =>
  JSON.stringify({
    version: 1,
    image: 'x.elf.gz',
    iommus: [{ name: 'dmar0', kind: 'vt-d', segment: 0, registers: { RTADDR: '0x14ab1e000' } }],
    ...parts,
  });

const withSegments = (...segments: readonly unknown[]): string =>
  described({ image: { file: 'x.raw', segments } });

/** `code: the text that is marked`. */
const marks = (text: string): string[] =>
  checkDescription(text).map(({ code, start, end }) => `${code}: ${text.slice(start, end)}`);

describe('description files: what is read', () => {
  it('an ELF core with one IOMMU', () => {
    const description = value(parseDescription(described()));
    assert.deepEqual(description, {
      version: 1,
      file: 'x.elf.gz',
      iommus: [{ name: 'dmar0', kind: 'vt-d', segment: 0, registers: new Map([['RTADDR', 0x14ab1e000n]]) }],
    });
  });

  it('numbers and "0x" strings, exact to 64 bits', () => {
    const text = `{"version": 1, "image": {"file": "x", "segments": [{"paddr": "0xffffffff000", "offset": 4096, "length": "8K"}]},
      "iommus": [{"name": "a", "kind": "vt-d", "registers": {
        "RTADDR": 18446744073709551615, "CAP": "0xd2008c22260206", "GSTS": 3288334336}}]}`;
    const { segments, iommus } = value(parseDescription(text));
    assert.deepEqual(segments, [{ paddr: 0xffffffff000, offset: 4096, length: 8192 }]);
    assert.deepEqual(
      [...(iommus[0]?.registers ?? [])],
      [
        ['RTADDR', 0xffff_ffff_ffff_ffffn],
        ['GSTS', 0xc400_0000n],
        ['CAP', 0xd2_008c_2226_0206n],
      ],
    );
  });

  it('a segment without a length, a $schema, a byte order mark, no PCI segment', () => {
    const text = `\ufeff${withSegments({ paddr: 0, offset: 0 })}`.replace('{', '{"$schema": "x",');
    const { segments } = value(parseDescription(text.replace('"segment":0,', '')));
    assert.deepEqual(segments, [{ paddr: 0, offset: 0 }]);
  });

  it('whose devices: bus:device.function and numbers, both ends included, up to the width of each kind', () => {
    const owned = (kind: string, register: object, ...requesters: string[]): object => ({
      name: kind,
      kind,
      base: '0xfed90000',
      requesters,
      registers: register,
    });
    const text = described({
      iommus: [
        owned('vt-d', { RTADDR: 0 }, '00:02.0', '3:1F.7', '00:00.0-00:1f.7', '0x100-0x1ff', '65535'),
        owned('amd-vi', { DevTabBase: 0 }, '0xff00-0xff00'),
        owned('smmuv3', { STRTAB_BASE: 0, STRTAB_BASE_CFG: 0 }, '0x10000-0xffffffff'),
        owned('riscv', { ddtp: 0 }, '0x10000-0xffffff'),
      ],
    });
    const { iommus } = value(parseDescription(text));
    assert.deepEqual(
      iommus.map(({ base, requesters }) => [base, requesters]),
      [
        [
          0xfed9_0000,
          [
            { start: 0x10, end: 0x11 },
            { start: 0x3ff, end: 0x400 },
            { start: 0, end: 0x100 },
            { start: 0x100, end: 0x200 },
            { start: 0xffff, end: 0x10000 },
          ],
        ],
        [0xfed9_0000, [{ start: 0xff00, end: 0xff01 }]],
        [0xfed9_0000, [{ start: 0x10000, end: 2 ** 32 }]],
        [0xfed9_0000, [{ start: 0x10000, end: 2 ** 24 }]],
      ],
    );
    assert.deepEqual(marks(text), ['description/shared-requesters: "0x10000-0xffffff"']);
  });

  for (const kind of IOMMU_KINDS) {
    it(`every register of ${kind}, up to its width`, () => {
      const registers = Object.fromEntries(
        REGISTERS[kind].map(({ name, bits }) => [name, `0x${'f'.repeat(bits / 4)}`]),
      );
      const description = value(parseDescription(described({ iommus: [{ name: 'x', kind, registers }] })));
      assert.equal(description.iommus[0]?.registers.size, REGISTERS[kind].length);
    });
  }

  const name = fc.string({ minLength: 1, maxLength: 8 });
  const ID_BITS = { 'vt-d': 16, 'amd-vi': 16, smmuv3: 32, riscv: 24, ept: 16 };
  const iommu = fc.constantFrom(...IOMMU_KINDS).chain((kind) =>
    fc.record(
      {
        name,
        kind: fc.constant(kind),
        segment: fc.nat(0xffff),
        base: fc.nat(2 ** 31 - 1).map((frame) => frame * 4096),
        requesters: fc.array(
          fc
            .tuple(fc.nat(2 ** ID_BITS[kind] - 1), fc.nat(2 ** ID_BITS[kind] - 1))
            .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) + 1 })),
          { minLength: 1, maxLength: 4 },
        ),
        registers: fc
          .tuple(...REGISTERS[kind].map(({ bits }) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n })))
          .map((values) => new Map(REGISTERS[kind].map((register, i) => [register.name, values[i] ?? 0n]))),
      },
      { noNullPrototype: true, requiredKeys: ['name', 'kind', 'segment', 'registers'] },
    ),
  );
  const iommus: fc.Arbitrary<DescribedIommu[]> = fc.uniqueArray(iommu, {
    minLength: 1,
    maxLength: 4,
    selector: (each) => each.name,
  });
  const pieces = fc
    .array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 8 })
    .map((gaps) =>
      gaps.map((gap, i) => ({ paddr: (i * 1000 + gap - 1) * 4096, offset: i * 4096, length: 4096 })),
    );

  it('comes back the same from what writeDescription writes', () => {
    fc.assert(
      fc.property(name, fc.option(pieces, { nil: undefined }), iommus, (file, segments, described) => {
        const description: ImageDescription = {
          version: 1,
          file,
          ...(segments && { segments }),
          iommus: described,
        };
        assert.deepEqual(value(parseDescription(writeDescription(description))), description);
      }),
    );
  });
});

describe('description files: what is wrong, and where', () => {
  const iommu = { name: 'a', kind: 'vt-d', registers: { RTADDR: '0x1000' } };
  const cases: [string, string, string[]][] = [
    ['an unknown version', described({ version: 2 }), ['description/version: 2']],
    ['a version that is no number', described({ version: '1' }), ['description/value: "1"']],
    ['an image that is no name', described({ image: 7 }), ['description/value: 7']],
    ['an empty image name', described({ image: '' }), ['description/value: ""']],
    ['no IOMMUs', described({ iommus: [] }), ['description/value: []']],
    ['an unknown kind', described({ iommus: [{ ...iommu, kind: 'gart' }] }), ['description/value: "gart"']],
    ['an unknown property', described({ imgae: 1 }), ['description/unknown-property: "imgae"']],
    [
      'an unknown register beside a missing one',
      described({ iommus: [{ ...iommu, registers: { RTADR: 1 } }] }),
      ['description/missing: "registers"', 'description/unknown-register: "RTADR"'],
    ],
    [
      'a register of more bits than it has',
      described({ iommus: [{ ...iommu, registers: { RTADDR: 0, GSTS: '0xc700000000000000' } }] }),
      ['description/register-width: "0xc700000000000000"'],
    ],
    [
      'a register of more than 64 bits',
      described({ iommus: [{ ...iommu, registers: { RTADDR: '0x10000000000000000' } }] }),
      ['description/register-width: "0x10000000000000000"'],
    ],
    [
      'values that are no numbers',
      described({ iommus: [{ ...iommu, registers: { RTADDR: 'here', CAP: 1.5, ECAP: -1, GSTS: null } }] }),
      [
        'description/value: "here"',
        'description/value: 1.5',
        'description/value: -1',
        'description/value: null',
      ],
    ],
    ['two IOMMUs of one name', described({ iommus: [iommu, iommu] }), ['description/duplicate-name: "a"']],
    [
      'a PCI segment that is none',
      described({ iommus: [{ ...iommu, segment: 65536 }] }),
      ['description/value: 65536'],
    ],
    [
      'requesters that are none',
      described({ iommus: [{ ...iommu, requesters: ['02.0', '0000:00:02.0', '0x', 7, '1-2-3', ''] }] }),
      [
        'description/value: "02.0"',
        'description/value: "0000:00:02.0"',
        'description/value: "0x"',
        'description/value: 7',
        'description/value: "1-2-3"',
        'description/value: ""',
      ],
    ],
    [
      'an empty list of requesters',
      described({ iommus: [{ ...iommu, requesters: [] }] }),
      ['description/value: []'],
    ],
    [
      'requesters of more bits than there are',
      described({ iommus: [{ ...iommu, requesters: ['0x0-0x10000', '0x10000000000000000'] }] }),
      ['description/requester-width: "0x0-0x10000"', 'description/requester-width: "0x10000000000000000"'],
    ],
    [
      'a range that ends before it begins',
      described({ iommus: [{ ...iommu, requesters: ['00:02.0-00:01.7'] }] }),
      ['description/requester-range: "00:02.0-00:01.7"'],
    ],
    [
      'a base of 52 bits and more',
      described({ iommus: [{ ...iommu, base: '0x10000000000000' }] }),
      ['description/address-width: "0x10000000000000"'],
    ],
    [
      'a device that two IOMMUs of a segment name (a warning)',
      described({
        iommus: [
          { ...iommu, requesters: ['0x0-0xff', '0x80-0x8f'] },
          { ...iommu, name: 'b', requesters: ['0x200-0x2ff', '00:1f.7'] },
          { ...iommu, name: 'c', segment: 1, requesters: ['0x0-0xffff'] },
        ],
      }),
      ['description/shared-requesters: "00:1f.7"'],
    ],
    ['an empty list of segments', withSegments(), ['description/value: []']],
    ['a negative address', withSegments({ paddr: -4096, offset: 0 }), ['description/value: -4096']],
    [
      'an address of 52 bits and more',
      withSegments({ paddr: '0x10000000000001', offset: 0 }),
      ['description/address-width: "0x10000000000001"'],
    ],
    ['an empty segment', withSegments({ paddr: 0, offset: 0, length: 0 }), ['description/empty-segment: 0']],
    [
      'segments off the frames (a warning)',
      withSegments({ paddr: 1, offset: 3, length: 100 }),
      ['description/unaligned: 1', 'description/unaligned: 100'],
    ],
    [
      'overlapping segments, in any order',
      withSegments({ paddr: 8192, offset: 0, length: 8192 }, { paddr: 0, offset: 0, length: 12288 }),
      ['description/overlap: {"paddr":0,"offset":0,"length":12288}'],
    ],
    [
      'a segment twice',
      withSegments({ paddr: 0, offset: 0 }, { paddr: 0, offset: 9 }),
      ['description/overlap: {"paddr":0,"offset":9}'],
    ],
    ['a property twice', described().replace('{', '{"image": "y", '), ['description/duplicate: "image"']],
    ['a text that is no object', '[]', ['description/value: []']],
    ['an empty text', '', ['description/json: ']],
    ['hexadecimal numbers without quotes', '{"version": 0x1}', ['description/json: x1']],
    ['comments', '{"version": 1 /* one */}', ['description/json: /* one */']],
  ];
  for (const [what, text, expected] of cases) {
    it(what, () => {
      assert.deepEqual(marks(text).slice(0, expected.length), expected);
      if (!text.includes('0x1}') && !text.includes('/*')) assert.equal(marks(text).length, expected.length);
      const warningsOnly = checkDescription(text).every(({ severity }) => severity === 'warning');
      assert.equal(parseDescription(text).ok, warningsOnly);
    });
  }

  it('finds every requester range that another IOMMU of the segment overlaps', () => {
    const range = fc.tuple(fc.nat(40), fc.nat(12)).map(([start, more]) => ({ start, last: start + more }));
    const owner = fc.tuple(fc.nat(1), fc.array(range, { minLength: 1, maxLength: 4 }));
    fc.assert(
      fc.property(fc.array(owner, { minLength: 1, maxLength: 4 }), (owners) => {
        const iommus = owners.map(([segment, ranges], i) => ({
          ...iommu,
          name: `${i}`,
          segment,
          requesters: ranges.map(({ start, last }) => `${start}-${last}`),
        }));
        // In the order of their starts, each range that meets one before it of another IOMMU is reported once.
        const placed = owners
          .flatMap(([segment, ranges], i) => ranges.map((each) => ({ ...each, segment, i })))
          .sort((a, b) => a.start - b.start || a.i - b.i);
        const shared = placed.filter((a, at) =>
          placed.slice(0, at).some((b) => a.segment === b.segment && a.i !== b.i && a.start <= b.last),
        );
        const codes = checkDescription(described({ iommus })).map(({ code }) => code);
        assert.deepEqual(
          codes,
          shared.map(() => 'description/shared-requesters'),
        );
      }),
    );
  });

  it('writes requesters as people do', () => {
    const iommus = [
      { ...iommu, requesters: ['0x10', '0-255'] },
      {
        name: 's',
        kind: 'smmuv3',
        registers: { STRTAB_BASE: 0, STRTAB_BASE_CFG: 0 },
        requesters: ['65536-65551'],
      },
    ];
    const text = writeDescription(value(parseDescription(described({ iommus }))));
    const written = (JSON.parse(text) as { iommus: { requesters: string[] }[] }).iommus;
    assert.deepEqual(
      written.map(({ requesters }) => requesters),
      [['00:02.0', '00:00.0-00:1f.7'], ['0x10000-0x1000f']],
    );
  });

  it('lists the known registers, and the right spelling of a misspelt one', () => {
    const text = described({ iommus: [{ ...iommu, registers: { RTADDR: 0, gsts: 0 } }] });
    const [problem] = checkDescription(text);
    assert.match(problem?.message ?? '', /"gsts" is not a register .* known: RTADDR, GSTS, CAP, ECAP/);
    assert.match(problem?.hint ?? '', /"GSTS"/);
  });

  it('says line and column when a description is opened', () => {
    const text = '{\n  "version": 1,\n  "image": 5\n}';
    const { message } = refusal(parseDescription(text));
    assert.match(message, /^Description, line 1, column 1: iommus is missing\. \(and 1 more/);
    assert.match(refusal(parseDescription('{\n "version": 3}')).message, /line 2, column 13: Version 3 /);
  });

  it('refuses deep nesting and endless texts without reading them', () => {
    for (const open of ['[', '{"a":', '"\r[[', ']{"a":[']) {
      const problems = checkDescription(open.repeat(200_000));
      assert.ok(problems.length > 0 && problems.length <= 100);
    }
    assert.deepEqual(marks(' '.repeat(2 ** 24 + 1)), ['description/too-long:  ']);
  });
});
