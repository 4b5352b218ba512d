import * as z from 'zod';
import { address, count, oneOf, rate, share, size, text } from './values';

const memory = z
  .strictObject({ start: address('First IOVA.'), length: size('Bytes.') })
  .meta({
    description:
      'Where it reads and writes; left out: all guest memory, of which the larger part where it has a hole below 4 GiB.',
  })
  .optional();

const common = {
  rate: rate('What it moves in a second: counts during `migrate`, and between devices.').optional(),
  interval: count('Cycles between two of its requests, where steps count cycles.', 1e9, 1).optional(),
};

/** The generators of src/engine/traffic, with their defaults. */
export const traffic = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('rx-ring').meta({ description: 'Receive ring of a network interface.' }),
      ...common,
      memory,
      entries: count('Descriptors in the ring; a power of two.', 2 ** 16, 1).default(512),
      packet: count('Bytes of a packet: at most those of a buffer.', 2 ** 24, 1).default(1500),
      buffer: size('Bytes of a buffer: one packet each.').transform(Number).default(2048),
      buffers: oneOf(
        ['recycled', 'fresh'],
        'Whether the ring’s buffers are used again and again, or each packet gets the next one of all memory.',
      ).default('recycled'),
    }),
    z.strictObject({
      kind: z.literal('nvme').meta({ description: 'Queue pair of an NVMe controller.' }),
      ...common,
      memory,
      depth: count('Entries of the queues.', 2 ** 16, 2).default(128),
      block: size('Bytes of a command’s data.').transform(Number).default(4096),
      reads: share('Of commands that read the disk, and so write memory.').default(1),
      order: oneOf(['sequential', 'random'], 'Where data buffers lie.').default('random'),
    }),
    z.strictObject({
      kind: z.literal('gpu-bulk').meta({ description: 'Bulk copies of an accelerator.' }),
      ...common,
      memory,
      run: size('Bytes of one run.')
        .transform(Number)
        .default(2 * 2 ** 20),
      writes: share('Of runs that write memory.').default(0.5),
      order: oneOf(['sequential', 'random'], 'Where runs begin.').default('sequential'),
    }),
    z.strictObject({
      kind: z.literal('descriptor-ring').meta({ description: 'A ring that a device and its driver share.' }),
      ...common,
      memory,
      entries: count('Entries of the ring; a power of two.', 2 ** 20, 1).default(1024),
      entry: count('Bytes of an entry; a power of two.', 4096, 8).default(16),
    }),
    z.strictObject({
      kind: z.literal('trace').meta({ description: 'Requests of a file, again and again.' }),
      ...common,
      file: text(
        'A file of requests, relative to this file: one JSON object a line with sid, iova, length, access; may be a .gz.',
      ),
    }),
  ])
  .meta({ description: 'What the device does: a generator, or a trace file.' });
