import { expectProblems, scenarioText } from './support';

describe('problems of a scenario’s shape', () => {
  it('marks the value that is wrong, and says what belongs there', () => {
    expectProblems(scenarioText().replace('1G', '«1Q»'), {
      says: /^machine.memory is "1Q"; it takes a size: 4096, 4K/,
    });
  });

  it('marks a key that is not there, and names the one that was meant', () => {
    expectProblems(scenarioText({ steps: '{ dma: { iova: 0, «lenght»: 4K } }' }), {
      says: /^steps\[0\].dma has no key "lenght"/,
      hint: /^Did you mean "length"\?$/,
    });
  });

  it('marks the key of an object that lacks one', () => {
    expectProblems(scenarioText({ steps: '{ «map»: { iova: 0 } }' }), {
      says: /^steps\[0\].map has no length/,
      hint: /^Add length: a size/,
    });
  });

  it('names the id that was meant', () => {
    expectProblems(scenarioText().replace('vt-d', '«vtd»'), {
      says: /one of vt-d, amd-vi, smmuv3, riscv/,
      hint: /^Did you mean "vt-d"\?$/,
    });
    expectProblems(scenarioText({ machine: ', driverFaults: [«one-replika»]' }), {
      says: /one-replika/,
      hint: /"one-replica"/,
    });
  });

  it('lists ids when none is near', () => {
    expectProblems(scenarioText({ steps: '{ dma: { iova: 0, access: «fly» } }' }), {
      says: /one of read, write, atomic/,
      hint: /There are these: read, write, atomic/,
    });
  });

  it('says what is wrong inside of what may be written in several ways', () => {
    expectProblems(
      scenarioText({
        steps: '{ copy: «evrything» }, { «copy»: { address: 0 } }, { dma: [{ iova: «here» }] }',
      }),
      { says: /steps\[0\].copy is "evrything"/, hint: /everything/ },
      { says: /steps\[1\].copy has no length/ },
      { says: /steps\[2\].dma\[0\].iova is "here"; it takes an address/ },
    );
    expectProblems(
      scenarioText({ rest: 'expect: { lost: { «atLeats»: 3 }, faults: [{ «cod»: x }] }' }),
      { says: /expect.lost has no key "atLeats"/, hint: /atLeast/ },
      { says: /expect.faults\[0\] has no key "cod"/, hint: /code/ },
    );
  });

  it('tells kinds of traffic apart by their kind', () => {
    expectProblems(
      scenarioText({
        devices:
          ', a: { requester: 1, traffic: { kind: nvme, «packet»: 3 } }, b: { requester: 2, «traffic»: {} }, c: { requester: 3, traffic: { kind: «nvm» } }',
      }),
      { says: /devices.a.traffic has no key "packet"/, hint: /keys: .*depth/ },
      { says: /devices.b.traffic has no kind/, hint: /rx-ring, nvme/ },
      { says: /devices.c.traffic.kind is "nvm"/, hint: /"nvme"/ },
    );
  });

  it('says that YAML 1.2 has true and false only', () => {
    expectProblems(scenarioText({ rest: 'expect: { clean: «yes» }' }), {
      says: /true or false/,
      hint: /YAML 1.2/,
    });
  });

  it('asks for a unit where one is needed', () => {
    expectProblems(
      scenarioText({ rest: 'migrate: { link: «100», downtimeLimit: «3» }' }),
      { says: /it takes a rate: 100Gbps/ },
      { says: /it takes a time: 300ms/ },
    );
  });

  it('refuses names with other characters', () => {
    expectProblems(scenarioText({ devices: ', «0nic»: { requester: 00:03.0 }' }), {
      says: /"0nic" is no name/,
    });
  });

  it('tells counts that are out of bounds, with the bounds', () => {
    expectProblems(scenarioText({ steps: '{ repeat: { times: «0», steps: [{ wait: { cycles: 1 } }] } }' }), {
      says: /from 1 to 1,000,000/,
    });
  });

  it('tells empty lists and empty values', () => {
    expectProblems(scenarioText({ steps: '{ dma: «[]» }' }), { says: /steps\[0\].dma is an empty list/ });
    expectProblems(scenarioText({ rest: '«expect»:' }), {
      says: /expect is empty; it takes keys with values/,
    });
  });

  it('explains a colon in text that is not quoted', () => {
    expectProblems(scenarioText().replace('A test', '«A» test: with a colon'), {
      says: /A colon with a space behind it/,
      hint: /quotes/,
    });
  });
});
