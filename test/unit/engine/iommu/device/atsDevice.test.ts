/** A PCIe device with a TLB of its own: what it sends, what it keeps, and when it says that it has forgotten. */
import assert from 'node:assert/strict';
import { AtsDevice } from '../../../../../src/engine/iommu/device/atsDevice';
import { type DmaRequest } from '../../../../../src/engine/iommu/request';
import { SeededRandom } from '../../../../../src/engine/random';
import { pasid, requesterId } from '../../../../../src/engine/values';
import { TablePort } from './tablePort';

const REQUESTER = requesterId(0x10);

function deviceOn(port: TablePort, options: { ats?: boolean; entries?: number } = {}): AtsDevice {
  const { ats = true, entries = 16 } = options;
  return new AtsDevice({ requester: REQUESTER, port, entries, random: new SeededRandom(2), ats });
}

const dma = (
  address: number,
  access: DmaRequest['access'] = 'write',
  more: Partial<DmaRequest> = {},
): DmaRequest => ({
  requester: REQUESTER,
  pasid: null,
  addressLo: address % 2 ** 32,
  addressHi: Math.floor(address / 2 ** 32),
  length: 8,
  access,
  kind: 'untranslated',
  ...more,
});

/** A port with page 1 at 0x51 for reads and writes, page 2 at 0x62 for reads, and 2M from page 0x200 on at 0x80000. */
function port(): TablePort {
  const made = new TablePort();
  made.pages.set(1, { output: 0x51, permission: 3, shift: 12 });
  made.pages.set(2, { output: 0x62, permission: 1, shift: 12 });
  made.pages.set(0x200, { output: 0x80000, permission: 3, shift: 21 });
  return made;
}

/** Sends an invalidation, and what it can answer at once. */
const invalidateNow = (device: AtsDevice, operation: Parameters<AtsDevice['invalidate']>[0]): void => {
  device.invalidate(operation, () => undefined);
  device.complete();
};

/** A device's invalidations by numbers: each answer is given once. */
function numbered(device: AtsDevice) {
  let answered: number[] = [];
  return {
    invalidate: (operation: Parameters<AtsDevice['invalidate']>[0], number: number): void => {
      device.invalidate(operation, () => answered.push(number));
    },
    complete: (): number[] => {
      answered = [];
      device.complete();
      return answered;
    },
  };
}

const everything = {
  requester: REQUESTER,
  pasid: null,
  global: true,
  pages: { startPage: 0, endPage: 2 ** 52 },
};
const ofPage = (page: number, more: { pasid?: number | null; global?: boolean } = {}) => ({
  requester: REQUESTER,
  pasid: null,
  global: false,
  pages: { startPage: page, endPage: page + 1 },
  ...more,
});

describe('Device with ATS', () => {
  it('asks once for a page, then sends translated requests', () => {
    const table = port();
    const device = deviceOn(table);
    assert.equal(device.runDma(dma(0x1008))?.ok, true);
    device.runDma(dma(0x1010, 'read'));
    assert.deepEqual(table.log, [
      'ask to write 0x1008',
      'write translated 0x51008+8',
      'read translated 0x51010+8',
    ]);
  });

  it('keeps the whole size that it was granted', () => {
    const table = port();
    const device = deviceOn(table);
    device.runDma(dma(0x2a5000));
    device.runDma(dma(0x3ff000));
    assert.deepEqual(table.log.slice(1), ['write translated 0x800a5000+8', 'write translated 0x801ff000+8']);
  });

  it('asks to read with No Write, and again when it writes', () => {
    const table = port();
    table.pages.set(1, { output: 0x51, permission: 1, shift: 12 });
    const device = deviceOn(table);
    device.runDma(dma(0x1000, 'read'));
    table.pages.set(1, { output: 0x51, permission: 3, shift: 12 });
    device.runDma(dma(0x1000));
    device.runDma(dma(0x1000, 'atomic'));
    assert.deepEqual(table.log, [
      'ask to read 0x1000',
      'read translated 0x51000+8',
      'ask to write 0x1000',
      'write translated 0x51000+8',
      'atomic translated 0x51000+8',
    ]);
  });

  it('does not access what it was not granted', () => {
    const table = port();
    const device = deviceOn(table);
    assert.deepEqual(device.runDma(dma(0x2000)), { ok: false, fault: 'write-denied', depth: 0, stage: null });
    assert.deepEqual(table.log, ['ask to write 0x2000']);
    assert.equal(device.runDma(dma(0x2000, 'read'))?.ok, true);
    const refused = device.runDma(dma(0x9000, 'read'));
    assert.ok(refused && !refused.ok && refused.fault === 'not-present');
    assert.equal(table.log.at(-1), 'ask to read 0x9000');
  });

  it('writes through a translation that memory took back, until it is told', () => {
    const table = port();
    const device = deviceOn(table);
    device.runDma(dma(0x1000));
    table.pages.delete(1);
    assert.equal(device.runDma(dma(0x1000))?.ok, true);
    invalidateNow(device, ofPage(1));
    assert.equal(device.runDma(dma(0x1000))?.ok, false);
  });

  it('loses entries by itself as often as the rules say, and asks again', () => {
    const asked = (evictEvery: number): number => {
      const table = port();
      const device = new AtsDevice({
        requester: REQUESTER,
        port: { request: (request) => table.request(request), rules: { evictEvery } },
        entries: 16,
        random: new SeededRandom(2),
        ats: true,
      });
      for (let index = 0; index < 100; index++) assert.equal(device.runDma(dma(0x1000))?.ok, true);
      return table.log.filter((line) => line.startsWith('ask')).length;
    };
    assert.equal(asked(0), 1);
    assert.equal(asked(1), 100);
    const some = asked(4);
    assert.ok(some > 10 && some < 50, `${some}`);
    assert.equal(asked(4), some);
  });

  it('sends what it holds along with a translated request, for observers', () => {
    const seen: DmaRequest[] = [];
    const table = port();
    const device = new AtsDevice({
      requester: REQUESTER,
      port: {
        request: (request) => {
          seen.push(request);
          return table.request(request);
        },
      },
      entries: 4,
      random: new SeededRandom(1),
      ats: true,
    });
    device.runDma(dma(0x2a5010));
    const through = seen.at(-1)?.through;
    assert.deepEqual(
      [through?.page, through?.shift, through?.outputPage, through?.dirtyDone],
      [0x200, 21, 0x80000, true],
    );
  });

  it('without room in its TLB asks for every access', () => {
    const table = port();
    const device = deviceOn(table, { entries: 0 });
    device.runDma(dma(0x1000));
    device.runDma(dma(0x1000));
    assert.deepEqual(
      table.log.filter((line) => line.startsWith('ask')),
      ['ask to write 0x1000', 'ask to write 0x1000'],
    );
  });

  it('cuts a transfer at pages and ends at the first refusal', () => {
    const table = port();
    const device = deviceOn(table);
    const outcome = device.runDma(dma(0x1ff8, 'read', { length: 4096 + 16 }));
    assert.ok(outcome && !outcome.ok && outcome.fault === 'not-present');
    assert.deepEqual(
      table.log.filter((line) => line.startsWith('read')),
      ['read translated 0x51ff8+8', 'read translated 0x62000+4096'],
    );
  });

  it('asks without an access when that is what is wanted', () => {
    const table = port();
    const device = deviceOn(table);
    assert.equal(device.runDma(dma(0x1000, 'read', { kind: 'translation', noWrite: true }))?.ok, true);
    device.runDma(dma(0x1000, 'read'));
    assert.deepEqual(table.log, ['ask to read 0x1000', 'read translated 0x51000+8']);
  });
});

describe('Device without ATS', () => {
  it('sends untranslated requests only', () => {
    const table = port();
    deviceOn(table, { ats: false }).runDma(dma(0x1008));
    assert.deepEqual(table.log, ['write untranslated 0x1008+8']);
  });

  it('forgets all translations when ATS is switched off', () => {
    const table = port();
    const device = deviceOn(table);
    device.runDma(dma(0x1000));
    device.setAts(false);
    assert.equal(device.tlb.size, 0);
    device.runDma(dma(0x1000));
    assert.equal(table.log.at(-1), 'write untranslated 0x1000+8');
  });
});

describe('Invalidate requests', () => {
  const held = (device: AtsDevice): string[] =>
    [...device.tlb.entries()].map(({ page, tag }) => `${tag.space}:${page}`).sort();

  function filled(): AtsDevice {
    const device = deviceOn(port());
    device.runDma(dma(0x1000));
    device.runDma(dma(0x200000));
    device.runDma(dma(0x1000, 'write', { pasid: pasid(5) }));
    device.runDma(dma(0x1000, 'write', { pasid: pasid(6) }));
    return device;
  }

  it('drop every translation with a part in the range, of one PASID, of none, or of all', () => {
    const left = (operation: Parameters<AtsDevice['invalidate']>[0]): string[] => {
      const device = filled();
      invalidateNow(device, operation);
      return held(device);
    };
    assert.deepEqual(held(filled()), ['-1:1', '-1:512', '5:1', '6:1']);
    assert.deepEqual(left(ofPage(1)), ['-1:512', '5:1', '6:1']);
    assert.deepEqual(left(ofPage(0x3ff)), ['-1:1', '5:1', '6:1'], 'larger than the range');
    assert.deepEqual(left(ofPage(1, { pasid: 5 })), ['-1:1', '-1:512', '6:1']);
    assert.deepEqual(left(ofPage(1, { global: true })), ['-1:512']);
    assert.deepEqual(left(everything), []);
  });

  it('are answered at once when nothing is on its way', () => {
    const device = filled();
    const asked = numbered(device);
    asked.invalidate(ofPage(1), 7);
    asked.invalidate(ofPage(2), 8);
    assert.equal(device.pendingInvalidations, 2);
    assert.deepEqual(asked.complete(), [7, 8]);
    assert.deepEqual([device.pendingInvalidations, asked.complete()], [0, []]);
  });

  it('are answered after the delay of the device, or never', () => {
    const device = filled();
    const asked = numbered(device);
    device.completionDelay = 2;
    asked.invalidate(ofPage(1), 7);
    assert.deepEqual([asked.complete(), asked.complete(), asked.complete()], [[], [], [7]]);
    device.completionDelay = Infinity;
    asked.invalidate(ofPage(1), 8);
    for (let call = 0; call < 100; call++) assert.deepEqual(asked.complete(), []);
    assert.equal(device.pendingInvalidations, 1);
  });

  it('wait at every moment of a write that uses what they take, and of no other', () => {
    for (let steps = 1; ; steps++) {
      const device = deviceOn(port());
      const asked = numbered(device);
      const running = device.dma(dma(0x1000));
      let isDone = false;
      for (let step = 0; step < steps && !isDone; step++) isDone = running.next().done === true;
      asked.invalidate(ofPage(2), 1);
      asked.invalidate(ofPage(1, { pasid: 5 }), 2);
      assert.deepEqual(asked.complete(), [1, 2]);
      asked.invalidate(ofPage(1), 3);
      assert.deepEqual(asked.complete(), isDone ? [3] : [], `after ${steps} steps`);
      if (isDone) break;
      while (running.next().done !== true) assert.deepEqual(asked.complete(), []);
      assert.deepEqual(asked.complete(), [3]);
      assert.equal(device.inFlight, 0);
    }
  });

  it('leave nothing in the TLB of an answer that was on its way', () => {
    for (const operation of [ofPage(0x205), everything]) {
      const table = port();
      const device = deviceOn(table);
      const running = device.dma(dma(0x2a5000));
      running.next();
      running.next();
      // The answer is made, and not yet there.
      invalidateNow(device, operation);
      while (running.next().done !== true);
      assert.equal(device.tlb.size, 0);
    }
  });

  it('after which the device asks again: what it gets then it keeps, old or new', () => {
    const device = filled();
    invalidateNow(device, everything);
    device.runDma(dma(0x1000));
    assert.deepEqual(held(device), ['-1:1']);
  });
});

describe('Stopping a device', () => {
  it('lets what is on its way end, and starts nothing', () => {
    const table = port();
    const device = deviceOn(table);
    const running = device.dma(dma(0x1ff8, 'read', { length: 16 }));
    running.next();
    device.stop();
    assert.deepEqual([device.running, device.inFlight], [false, 1]);
    let last = running.next();
    while (last.done !== true) last = running.next();
    assert.equal(last.value, undefined, 'not all of it has landed');
    assert.equal(device.inFlight, 0);
    assert.deepEqual(table.log, ['ask to read 0x1ff8', 'read translated 0x51ff8+8'], 'not the second page');
    assert.equal(device.runDma(dma(0x1000)), undefined);
    device.resume();
    assert.equal(device.runDma(dma(0x1000))?.ok, true);
  });

  it('counts requests of a device without ATS, too', () => {
    const device = deviceOn(port(), { ats: false });
    const running = device.dma(dma(0x1000));
    running.next();
    assert.equal(device.inFlight, 1);
    running.return(undefined);
    assert.equal(device.inFlight, 0);
  });
});
