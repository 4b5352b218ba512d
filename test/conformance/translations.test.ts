/** Every translation that the guest's emulator made, and every fault it gave, from every form of the image. */
import assert from 'node:assert/strict';
import { type Access, type TranslateRequest, type Translation } from '../../src/inspection/protocol';
import { openForm } from './engine';
import {
  NAMES,
  formsOf,
  readManifest,
  type ImageForm,
  type ImageName,
  type Manifest,
  type BareTranslation,
  type OracleTranslation,
} from './manifest';

/** "Fault Reason Encodings" of the VT-d specification. */
const WRITE_PERMISSION = '5';
const READ_PERMISSION = '6';
/** SFS.2: the present bit of a first-stage entry is clear, 71h. */
const FIRST_STAGE_PRESENT = '113';

describe('translations of real guests', function () {
  this.timeout(120_000);
  for (const name of NAMES) {
    const manifest = readManifest(name);
    for (const form of formsOf(name)) {
      describe(`${name}, ${form.title}`, () => {
        testForm(name, manifest, form);
      });
    }
  }

  function testForm(name: ImageName, manifest: Manifest, form: ImageForm): void {
    let translate: (requests: readonly TranslateRequest[]) => Promise<readonly Translation[]>;
    before(async () => {
      const { engine, inspection } = await openForm(manifest, form);
      translate = (requests) => engine.request('translate', { inspection, iommu: 'dmar0', requests });
    });

    const invalidated = manifest.oracle.translations_invalidated_but_still_mapped_same;
    const oracle = [...manifest.oracle.translations, ...invalidated.filter(isWhole)];
    assert.ok(oracle.length > 20, 'the manifest has translations');

    it(`agrees with all ${oracle.length} translations of the emulator`, async () => {
      const requests = oracle.map((one) => request(one, one.perm.startsWith('R') ? 'read' : 'write'));
      assert.deepEqual(
        await translate(requests),
        oracle.map((one) => expected(one)),
      );
    });

    const bare = invalidated.filter((one) => !isWhole(one));
    if (bare.length > 0) {
      it(`gives the address of ${bare.length} more of which the emulator told no more`, async () => {
        const answers = await translate(bare.map((one) => request(one, 'read')));
        assert.deepEqual(
          answers.map((answer) => answer.ok && answer.paddr),
          bare.map((one) => BigInt(one.paddr)),
        );
      });
    }

    it('gives the last byte of each of those pages', async () => {
      const last = (one: OracleTranslation): bigint =>
        BigInt(one.size) - 1n - (BigInt(one.iova) & (BigInt(one.size) - 1n));
      const requests = oracle.map((one) => request(one, 'read', last(one)));
      assert.deepEqual(
        await translate(requests),
        oracle.map((one) => expected(one, last(one))),
      );
    });

    it('lets writes through exactly where the emulator saw write permission', async () => {
      const answers = await translate(oracle.map((one) => request(one, 'write')));
      assert.deepEqual(
        answers,
        oracle.map((one) =>
          one.perm.includes('W') ? expected(one) : { ok: false, fault: 'write-denied', level: one.level },
        ),
      );
    });

    it(`refuses all ${manifest.oracle.faults.length} requests that faulted in the guest`, async () => {
      const requests = manifest.oracle.faults.map(([sid, iova, , write]): TranslateRequest => ({
        requester: Number(sid),
        pasid: null,
        iova: BigInt(iova),
        access: write === '1' ? 'write' : 'read',
      }));
      const answers = await translate(requests);
      manifest.oracle.faults.forEach(([sid, iova, reason, write], index) => {
        const answer = answers[index];
        assert.ok(answer && !answer.ok, `0x${BigInt(iova).toString(16)} of ${sid} faulted`);
        const first = name === 'vtd-sm-fl-share';
        const permission = write === '1' ? WRITE_PERMISSION : READ_PERMISSION;
        assert.equal(reason, first ? FIRST_STAGE_PRESENT : permission);
        // A second-stage entry has no present bit: hardware reports a missing one as a missing permission.
        const mapped = isMapped(manifest, Number(sid), BigInt(iova));
        const denied = write === '1' ? 'write-denied' : 'read-denied';
        assert.equal(answer.fault, mapped ? denied : 'not-present');
      });
    });

    const passed = manifest.devices.filter((device) => device.table === 'pt');
    if (name === 'vtd-pt-share') assert.equal(passed.length, 10, 'ten devices are passed through');
    if (passed.length > 0) {
      it(`passes every IOVA of the ${passed.length} devices in pass-through`, async () => {
        const iovas = [0n, 0x1000n, 0x5000n, 0x7fade000n, 0x1_2345_6789n, 0x7fff_ffff_fff8n];
        const requests = passed.flatMap((device) =>
          iovas.flatMap((iova) =>
            (['read', 'write'] as const).map((access) => ({
              requester: Number(device.sid),
              pasid: null,
              iova,
              access,
            })),
          ),
        );
        assert.deepEqual(
          await translate(requests),
          requests.map(({ iova }) => ({
            ok: true,
            paddr: iova,
            size: 4096n,
            perm: 'RW',
            level: null,
            entry: null,
          })),
        );
      });
    }
  }
});

function isWhole(one: OracleTranslation | BareTranslation): one is OracleTranslation {
  return 'pte' in one;
}

function request(one: BareTranslation, access: Access, offset = 0n): TranslateRequest {
  return { requester: Number(one.sid), pasid: null, iova: BigInt(one.iova) + offset, access };
}

function expected(one: OracleTranslation, offset = 0n): Translation {
  return {
    ok: true,
    paddr: BigInt(one.paddr) + offset,
    size: BigInt(one.size),
    perm: one.perm,
    level: one.level,
    entry: BigInt(one.pte),
  };
}

function isMapped(manifest: Manifest, requester: number, iova: bigint): boolean {
  const root = manifest.devices.find((device) => Number(device.sid) === requester)?.root;
  const ranges = manifest.decoded_ranges.find((domain) => domain.root === root)?.ranges ?? [];
  return ranges.some(
    (range) => iova >= BigInt(range.iova) && iova < BigInt(range.iova) + BigInt(range.length),
  );
}
