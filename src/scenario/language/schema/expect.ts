import * as z from 'zod';
import { FAULTS } from '../../../engine/faults';
import { FINDING_KINDS } from '../../../engine/ledger/finding';
import {
  address,
  count,
  deviceName,
  attachmentName,
  expectedCount,
  expectedNumber,
  expectedTime,
  flag,
  oneOf,
  size,
  text,
  word,
} from './values';

const place = {
  domain: attachmentName(
    'The domain, or a guest with tables of its own; left out: the first domain.',
  ).optional(),
  iova: address('An address that the entry maps.'),
};

/** What the leaf entry of an address holds in memory now. */
const entry = z
  .strictObject({
    ...place,
    present: flag('Something maps the address.').optional(),
    size: size('Bytes that the leaf maps.').optional(),
    dirty: flag('D of the leaf: of any of its copies.').optional(),
    accessed: flag('A of the leaf.').optional(),
    permission: oneOf(['R', 'W', 'RW'], 'What the leaf allows.').optional(),
    word: word('The whole word, of a leaf that maps something.').optional(),
  })
  .meta({ description: 'The leaf entry of an address, as memory has it.' });

/** What tables say to a device’s request; nothing is cached, marked or counted by asking. */
const translation = z
  .strictObject({
    device: deviceName(),
    pasid: count('Process.', 2 ** 20 - 1).optional(),
    iova: address('Where it would go.'),
    access: oneOf(['read', 'write'], 'What it would do.').default('write'),
    to: address('Guest physical address that it reaches.').optional(),
    fault: oneOf(FAULTS, 'Why it is refused: docs/faults.md.').optional(),
  })
  .meta({ description: 'A translation by the tables in memory, without caches.' });

const cached = z
  .strictObject({
    device: deviceName('Of the device TLB of this device; left out: the IOTLBs.').optional(),
    iova: address('An address that the cached translation maps.'),
    present: flag('Whether there is one.').default(true),
    stale: flag('Whether memory says something else by now.').optional(),
    dirtyDone: flag('Whether the next write touches no table.').optional(),
    size: size('Bytes that it maps.').optional(),
  })
  .meta({ description: 'A translation that a cache holds.' });

const fault = z
  .strictObject({
    device: deviceName().optional(),
    iova: address('The address that was refused.').optional(),
    code: text('Part of the vendor’s name or code: page-request, 0x10, not present.').optional(),
    count: expectedCount('How many records of the log match.').optional(),
  })
  .meta({ description: 'Records of the fault log that match.' });

/** What the last dirty report (of a step `readDirty`, `dmaLog`, `harvestCpu`, `type1`) named. */
const dirty = z
  .strictObject({
    ranges: z
      .array(z.strictObject({ start: address('First address.'), end: address('First address behind it.') }))
      .max(1000)
      .meta({ description: 'Exactly these ranges, merged.' })
      .optional(),
    holds: z
      .array(address('An address.'))
      .max(1000)
      .meta({ description: 'Addresses that were reported.' })
      .optional(),
    lacks: z
      .array(address('An address.'))
      .max(1000)
      .meta({ description: 'Addresses that were not reported.' })
      .optional(),
    pages: expectedCount('Pages that were reported, of the size of the bitmap’s bits.').optional(),
  })
  .meta({ description: 'What the last dirty report named.' });

const findings = z
  .strictObject(
    Object.fromEntries(
      FINDING_KINDS.map((kind) => [kind, expectedCount(`Findings of this kind: ${kind}.`).optional()]),
    ) as Record<(typeof FINDING_KINDS)[number], z.ZodOptional<ReturnType<typeof expectedCount>>>,
  )
  .meta({ description: 'What the ledger found, by kind; the kinds that are left out are not looked at.' });

const migration = z
  .strictObject({
    converged: flag('Whether it came to an end by its rule.').optional(),
    rounds: expectedCount('Rounds, the blackout’s included.').optional(),
    blackout: expectedTime('How long the guest stood still.').optional(),
    total: expectedTime('From the first round to the guest running at the destination.').optional(),
    preparation: expectedTime('What was done before the first round.').optional(),
    sent: expectedCount('Bytes over the link.').optional(),
    amplification: expectedNumber('Bytes reported for each byte written, by pages of 4 KiB.').optional(),
    missesAdded: expectedNumber('Misses of the IOTLB that small pages add.').optional(),
    lost: expectedCount('Bytes that the destination lacks.').optional(),
  })
  .meta({ description: 'How the migration went.' });

export const expect = z
  .strictObject({
    clean: flag(
      'The ledger found nothing wrong, and nothing is lost: no kind of finding but over-report.',
    ).optional(),
    lost: expectedCount(
      'Pages of 4 KiB whose newest contents are neither at the destination nor pending in a dirty mark or log. Counts once somebody copies: switching tracking on copies all of memory.',
    ).optional(),
    lostAt: z
      .array(address('Guest physical address.'))
      .max(1000)
      .meta({ description: 'Exactly these pages are lost.' })
      .optional(),
    stale: expectedCount('Uses of translations after software had been told that they are gone.').optional(),
    findings: findings.optional(),
    faults: z
      .union([expectedCount('Records in the fault logs.'), z.array(fault).max(100)])
      .meta({ description: 'How many faults were logged, or which.' })
      .optional(),
    entries: z.array(entry).max(1000).optional().meta({ description: 'Leaf entries in memory.' }),
    translations: z
      .array(translation)
      .max(1000)
      .optional()
      .meta({ description: 'What tables say to requests.' }),
    cached: z.array(cached).max(1000).optional().meta({ description: 'What caches hold.' }),
    dirty: dirty.optional(),
    written: expectedCount('Bytes that devices, vCPUs and the host wrote, by pages of 4 KiB.').optional(),
    reported: expectedCount('Bytes that dirty reports named.').optional(),
    over: expectedCount(
      'Bytes that were reported and not written since they were reported before; reports with clear: false do not count.',
    ).optional(),
    requests: expectedCount('Requests of devices.').optional(),
    refused: expectedCount('Requests of devices that were refused.').optional(),
    counters: z
      .record(z.string(), z.record(z.string(), expectedCount('The counter.')))
      .meta({
        description:
          'Counters of IOMMUs, by the IOMMU’s name (iommu0) and the counter’s; of the run (cycles, requests) by the name machine.',
      })
      .optional(),
    migration: migration.optional(),
  })
  .meta({ description: 'What must be so now.' });
