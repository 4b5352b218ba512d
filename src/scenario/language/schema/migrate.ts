import * as z from 'zod';
import { DEFAULT_MIGRATION as base } from '../../../engine/migration/defaults';
import { count, domainName, flag, oneOf, rate, share, size, time } from './values';

/** Defaults and their sources: src/engine/migration/defaults.ts. */
export const migrate = z
  .strictObject({
    domains: z
      .array(domainName())
      .max(16)
      .meta({ description: 'Domains whose dirty pages are tracked; left out: every one that can.' })
      .optional(),
    link: rate('Rate of the link between the hosts.'),
    downtimeLimit: time('For how long the guest may stand still.').default(base.downtimeLimit),
    rule: oneOf(['qemu', 'cloud-hypervisor'], 'When rounds end.').default(base.rule),
    mostRounds: count('Rounds after which it is given up.', 10_000, 1).default(base.mostRounds),
    tracking: z
      .strictObject({
        starts: oneOf(['before-vcpus', 'at-migration', 'warm-up'], 'When dirty tracking starts.').default(
          base.tracking.starts,
        ),
        warmUp: time('warm-up: how long before the first round.').default(base.tracking.warmUp),
        ran: time('before-vcpus: how long the machine has run.').default(base.tracking.ran),
      })
      .meta({ description: 'When dirty tracking starts, and what it has run for by then.' })
      .optional(),
    pages: z
      .strictObject({
        policy: oneOf(
          ['as-is', 'split-eagerly', 'split-on-dirty'],
          'What is done about large pages.',
        ).default(base.pages.policy),
        to: size('Size of the pages to split to.').default(BigInt(base.pages.to)),
        collapseAfter: flag('Small pages become large ones again afterwards.').default(
          base.pages.collapseAfter,
        ),
      })
      .meta({ description: 'What is done about the sizes of pages.' })
      .optional(),
    firstRound: oneOf(['everything', 'populated'], 'What the first round sends.').default(base.firstRound),
    populated: size('populated: memory that has been touched.').optional(),
    zeroPages: share('Of the pages of the first round: those of zeros, which cost a few bytes.').default(
      base.zeroPages,
    ),
    costs: z
      .strictObject({
        scan: time('To look at one leaf entry.'),
        flush: time('One invalidation with its wait.'),
        split: time('To write one entry of a split.'),
        collapse: time('To read one entry of a collapse.'),
      })
      .partial()
      .meta({ description: 'Costs of software.' })
      .optional(),
    vcpus: z
      .strictObject({
        rate: rate('What vCPUs write in a second.'),
        workingSet: size('Memory that they write.'),
      })
      .meta({ description: 'What vCPUs write, tracked by 4 KiB.' })
      .optional(),
    by: oneOf(
      ['auto', 'machine', 'model'],
      'machine: every request through the emulated IOMMU; model: leaves and written pages only; auto: the machine where it is small enough.',
    ).default('auto'),
  })
  .meta({ description: 'Moves the guest to another host while it runs, after the steps.' });
