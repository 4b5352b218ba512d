import assert from 'node:assert/strict';
import { InvalidArgumentError } from 'commander';
import {
  parseAddress,
  parseDevice,
  parseDomain,
  parseLimit,
  parsePasid,
  parseRegisters,
  parseStage,
} from '../../../src/cli/arguments';

const refused = (parse: () => unknown, message: RegExp): void => {
  assert.throws(parse, (error) => error instanceof InvalidArgumentError && message.test(error.message));
};

describe('arguments of the command line', () => {
  it('reads addresses in hexadecimal, decimal and with units, up to 64 bits', () => {
    assert.equal(parseAddress('0xffffffffffffffff'), 2n ** 64n - 1n);
    assert.equal(parseAddress('0xFEE0_0000'), 0xfee00000n);
    assert.equal(parseAddress('4096'), 4096n);
    assert.equal(parseAddress('2M'), 2n * 1024n * 1024n);
  });

  it('refuses addresses that are none, negative or too long, and says what to write', () => {
    for (const text of ['', 'x', '-1', '0x', '0x1.5', '1e3', '0x10000000000000000', '4096 4096']) {
      refused(() => parseAddress(text), /64 bits.*0x/s);
    }
  });

  it('reads devices as bus:device.function, with a segment, or as a requester id', () => {
    assert.deepEqual(parseDevice('00:02.0'), { requester: 0x10 });
    assert.deepEqual(parseDevice('0001:ff:1f.7'), { requester: 0xffff, segment: 1 });
    assert.deepEqual(parseDevice('0x10'), { requester: 0x10 });
    assert.deepEqual(parseDevice('0xffffffff'), { requester: 0xffff_ffff });
    for (const text of ['00:20.0', '00:02.8', '02.0', '0x100000000', 'nvme']) {
      refused(() => parseDevice(text), /bus:device\.function/);
    }
  });

  it('reads a stage, 1 or 2', () => {
    assert.equal(parseStage('1'), 1);
    assert.equal(parseStage('2'), 2);
    refused(() => parseStage('3'), /1 or 2/);
  });

  it('bounds PASIDs and domain ids to 20 bits, limits to what a number holds', () => {
    assert.equal(parsePasid('0xfffff'), 0xfffff);
    assert.equal(parseDomain('5'), 5);
    assert.equal(parseLimit('1000'), 1000);
    refused(() => parsePasid('0x100000'), /PASID/);
    refused(() => parseDomain('-5'), /domain id/);
    refused(() => parseLimit('0x20000000000000'), /limit/);
    refused(() => parseLimit('0'), /from 1 to/);
  });

  it('collects registers, also over several options', () => {
    const registers = parseRegisters(
      'CAP=0xd2008c222f0606',
      parseRegisters('RTADDR=0x2f8f000, GSTS=0xc7000000'),
    );
    assert.deepEqual(
      [...registers],
      [
        ['RTADDR', 0x2f8f000n],
        ['GSTS', 0xc7000000n],
        ['CAP', 0xd2008c222f0606n],
      ],
    );
  });

  it('refuses registers without a value, with a bad one, or given twice', () => {
    refused(() => parseRegisters('RTADDR'), /"RTADDR" is not NAME=VALUE/);
    refused(() => parseRegisters('RTADDR=0xg'), /NAME=VALUE/);
    refused(() => parseRegisters('RTADDR=0x1,,GSTS=1'), /"" is not NAME=VALUE/);
    refused(() => parseRegisters('RTADDR=0x1,RTADDR=0x1'), /RTADDR is given twice/);
  });
});
