import { TEMPLATES } from '../../../../src/scenario/templates/index';
import { expectProblems, scenarioText } from './support';

const ring = (fields: string) => scenarioText({ devices: `, b: { requester: 3, traffic: ${fields} }` });
const migrating = (fields: string, domain = 'dirtyTracking: on') =>
  scenarioText({ rest: `migrate: { link: 1Gbps${fields} }` }).replace(
    'devices: [nic]',
    `devices: [nic], ${domain}`,
  );

describe('what the engine would refuse', () => {
  it('of traffic is told at its field', () => {
    expectProblems(ring('{ kind: rx-ring, entries: «1000» }'), {
      says: /"entries" is 1000, and not a power of two/,
    });
    expectProblems(ring('{ kind: rx-ring, entries: «131072» }'), { says: /from 1 to 65,536/ });
    expectProblems(ring('{ kind: rx-ring, packet: «4096» }'), { says: /"packet" is 4096/, hint: /to 2048/ });
    expectProblems(ring('{ kind: nvme, block: «5K» }'), { says: /"block" is 5120, and not a power of two/ });
    expectProblems(ring('{ kind: nvme, «memory»: { start: 0, length: 4K } }'), {
      says: /has no room for the queues/,
    });
    expectProblems(ring('{ kind: gpu-bulk, run: «2G» }'), { says: /has no room for one run/ });
    expectProblems(ring('{ kind: gpu-bulk, memory: { start: «1», length: 4M } }'), {
      says: /no multiple of 4K/,
    });
    expectProblems(
      scenarioText({ steps: '{ traffic: { requests: 1, traffic: { kind: descriptor-ring, entry: «9» } } }' }),
      {
        says: /"entry" is 9/,
      },
    );
  });

  it('of a migration is told at its field', () => {
    expectProblems(migrating(''));
    expectProblems(migrating(', firstRound: «populated»'), {
      says: /nobody knows what devices wrote before/,
    });
    expectProblems(migrating(', populated: «1M»'), { says: /populated bytes nothing depends/ });
    expectProblems(migrating(', pages: { policy: split-eagerly, to: «3K» }'), { says: /to is 3072/ });
    expectProblems(migrating(', pages: { policy: split-eagerly, to: «8K» }'), {
      says: /no pages of 8K/,
      hint: /4K, 2M/,
    });
    expectProblems(migrating(', tracking: { starts: at-migration, warmUp: «1s» }'), {
      says: /there is no warm-up/,
    });
    expectProblems(migrating(', costs: { flush: «2s» }'), { says: /flush is 2/ });
    expectProblems(migrating(', downtimeLimit: «48h»'), { says: /downtimeLimit is 172800/ });
    expectProblems(migrating(', vcpus: { rate: 1Gbps, workingSet: «1K» }'), {
      says: /working set of a page/,
    });
    expectProblems(
      migrating(', tracking: { starts: before-vcpus }, firstRound: populated, populated: «2G»'),
      {
        says: /2G cannot be populated: the guest has 1G/,
      },
    );
    expectProblems(
      scenarioText({ steps: '{ migrate: { link: «0bps» } }' }).replace(
        'devices: [nic]',
        'devices: [nic], dirtyTracking: on',
      ),
      {
        says: /link is 0/,
      },
    );
  });

  it('of domains and devices that migrate is told where they are', () => {
    expectProblems(migrating('', 'dirtyTracking: «none»'), {
      says: /"one" does not track/,
      hint: /domains\.one/,
    });
    expectProblems(scenarioText({ rest: 'migrate: { link: 1Gbps }' }).replace('one:', '«one»:'), {
      says: /"one" does not track/,
    });
    expectProblems(
      migrating('').replace('requester: 00:02.0', 'requester: 00:02.0, «traffic»: { kind: rx-ring }'),
      { says: /traffic of nic has no rate/, hint: /rate/ },
    );
  });

  it('of what nothing lives through is told at the rate', () => {
    const text = (rate: string) =>
      migrating(', tracking: { starts: warm-up, warmUp: 24h }').replace(
        'requester: 00:02.0',
        `requester: 00:02.0, traffic: { kind: nvme, rate: ${rate} }`,
      );
    expectProblems(text('«1000TB/s»'), { says: /nic would make more than 10\^13 accesses/ });
    expectProblems(text('10GB/s'));
  });

  it('is nothing of templates', () => {
    for (const { text } of TEMPLATES) expectProblems(text);
  });
});
