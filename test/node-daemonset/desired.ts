/** Slivers and facts of a node, for tests and benchmarks of enforcers. */
import { type Amounts, amounts } from '../../crds/rspec.ts';
import type { Desired, NodeFacts, Sliver } from '../../node-daemonset/sliver.ts';

/** A sliver by its pod's uid, entitled to the defaults except for what is given. */
export function makeSliver(id: string, given: Partial<Amounts> = {}, rest: Partial<Sliver> = {}): Sliver {
  const network = given.network ?? 'Pod';
  return {
    id,
    rcap: { namespace: 'site', name: `slice-${id}`, uid: `rcap-${id}` },
    slice: 'slice',
    standing: 'entitled',
    network,
    amounts: { ...amounts(undefined), ...given },
    classId: 0x101,
    number: rest.classId ?? 0x101,
    addresses: [],
    interfaces: ['pod0'],
    ...rest,
  };
}

export function makeFacts(given: Partial<NodeFacts> = {}): NodeFacts {
  return {
    nodeName: 'node',
    cpuMilli: 1000,
    memory: 2 ** 30,
    lines: [],
    egressLimit: 100e6,
    exempt: { destinations: [], limit: undefined },
    otherInterfaces: 'Count',
    echoRate: 10,
    optionRate: 10,
    ...given,
  };
}

export function makeDesired(slivers: Sliver[], facts: Partial<NodeFacts> = {}): Desired {
  const granted = slivers.filter(({ standing }) => standing === 'entitled');
  return { slivers, ports: granted.flatMap(({ amounts: { ports } }) => ports), facts: makeFacts(facts) };
}
