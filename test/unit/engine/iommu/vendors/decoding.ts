import assert from 'node:assert/strict';
import { type CacheOperation } from '../../../../../src/engine/iommu/cacheOperation';
import { type Command } from '../../../../../src/engine/iommu/commands';
import { type RegisterFile } from '../../../../../src/engine/iommu/vendor';

type Words = readonly bigint[];

export const bit = (place: number): bigint => 1n << BigInt(place);

/** What tests ask of a vendor's decoder. */
export function decoding(decode: (words: Words, registers: RegisterFile) => Command, usual: RegisterFile) {
  return {
    decode: (words: Words, registers = usual): Command => decode(words, registers),
    /** Of a command that removes something. */
    operations: (words: Words, registers = usual): readonly CacheOperation[] => {
      const command = decode(words, registers);
      assert.equal(command.kind, 'invalidate');
      return command.operations;
    },
    /** Why a command is illegal. */
    refused: (words: Words, registers = usual): string => {
      const command = decode(words, registers);
      assert.equal(command.kind, 'illegal');
      return command.why;
    },
  };
}
