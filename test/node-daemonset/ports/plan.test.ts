import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { RspecPort } from '../../../crds/types.ts';
import { type Link, parseLinks } from '../../../node-daemonset/ports/links.ts';
import { type Elements, noElements, parseTable, type SetName } from '../../../node-daemonset/ports/nft.ts';
import { type ObservedNode, planPorts } from '../../../node-daemonset/ports/plan.ts';
import type { Desired } from '../../../node-daemonset/sliver.ts';
import { makeDesired, makeSliver } from '../desired.ts';

const LINKS: Link[] = [
  { name: 'eth0', outside: true, isLine: true },
  { name: 'eth1', outside: true, isLine: false },
  { name: 'cni0', outside: false, isLine: false },
];
const tcp = (port: number): RspecPort => ({ protocol: 'TCP', port });
const udp = (port: number): RspecPort => ({ protocol: 'UDP', port });
const echo = (port: number): RspecPort => ({ protocol: 'ICMP', port });

const observed = (table = parseTable(undefined)): ObservedNode => ({
  table,
  links: LINKS,
  addresses: ['192.0.2.1', '2001:db8::1'],
  handedOut: { from: 32_768, to: 60_999 },
});

/** What the elements are after a transaction; the table is made anew or was there. */
function apply(script: readonly string[], before: Elements): Elements {
  const elements = script.some((line) => line.startsWith('delete table')) ? noElements() : structuredClone(before);
  for (const line of script) {
    const [, verb, name, inside] = /^(add|delete) element \S+ \S+ (\S+) \{ (.*) \}$/.exec(line) ?? [];
    for (const one of inside?.split(', ') ?? []) {
      const [key, value = ''] = one.replaceAll('"', '').split(' : ');
      if (verb === 'add') elements[name as SetName].set(key!, value);
      else assert.ok(elements[name as SetName].delete(key!), `${key} is not there`);
    }
  }
  return elements;
}

const elementsOf = (desired: Desired) => apply(planPorts(observed(), desired).script, noElements());
const keys = (elements: Elements, name: SetName): string[] => [...elements[name].keys()];

describe('the plan of ports', () => {
  it('makes nothing where nobody owns a port, and takes away what is left', () => {
    assert.deepEqual(planPorts(observed(), makeDesired([makeSliver('a')])).script, []);
    const table = { ...parseTable(undefined), exists: true };
    assert.deepEqual(planPorts(observed(table), makeDesired([])).script, [
      'add table inet slice_operator_ports',
      'delete table inet slice_operator_ports',
    ]);
  });

  it('leads a port to its owner’s pod, by both families', () => {
    const sliver = makeSliver('a', { ports: [tcp(80), echo(7)] }, { addresses: ['10.1.0.5', '2001:db8:1::5'] });
    const elements = elementsOf(makeDesired([sliver]));
    assert.deepEqual(keys(elements, 'owned'), ['6 . 80', '1 . 7', '58 . 7']);
    assert.deepEqual([...elements.forward4], [['6 . 80', '10.1.0.5']]);
    assert.deepEqual([...elements.forward6], [['6 . 80', '2001:db8:1::5']]);
    assert.deepEqual(keys(elements, 'own4'), ['10.1.0.5 . 6 . 80', '10.1.0.5 . 1 . 7']);
    assert.deepEqual(keys(elements, 'own6'), ['2001:db8:1::5 . 6 . 80', '2001:db8:1::5 . 58 . 7']);
    assert.deepEqual(keys(elements, 'hosted'), []);
    assert.deepEqual(keys(elements, 'outside'), ['eth0', 'eth1']);
  });

  it('leaves the port of a host-network sliver on the node', () => {
    const elements = elementsOf(makeDesired([makeSliver('a', { ports: [udp(53)], network: 'Host' })]));
    assert.deepEqual(keys(elements, 'hosted'), ['17 . 53']);
    assert.deepEqual(keys(elements, 'own4'), ['192.0.2.1 . 17 . 53']);
    assert.deepEqual([keys(elements, 'forward4'), keys(elements, 'self4')], [[], []]);
  });

  it('keeps ports of rights without a pod, and of pods without a right, from everybody', () => {
    const lost = makeSliver('a', { ports: [tcp(80)] }, { addresses: ['10.1.0.5'], standing: 'frozen' });
    const elements = elementsOf({ ...makeDesired([lost]), ports: [tcp(80), tcp(81)] });
    assert.deepEqual(keys(elements, 'owned'), ['6 . 80', '6 . 81']);
    for (const name of ['forward4', 'own4', 'hosted', 'self4'] as const) assert.deepEqual(keys(elements, name), []);
  });

  it('bars other ways out than the lines where the owner wants that', () => {
    const slivers = [makeSliver('a', {}, { addresses: ['10.1.0.5', '2001:db8:1::5'] })];
    const dropped = elementsOf(makeDesired(slivers, { otherInterfaces: 'Drop' }));
    assert.deepEqual(keys(dropped, 'barred'), ['eth1']);
    assert.deepEqual([keys(dropped, 'sliver4'), keys(dropped, 'sliver6')], [['10.1.0.5'], ['2001:db8:1::5']]);
    const counted = planPorts(observed(), makeDesired(slivers, { otherInterfaces: 'Count' }));
    assert.deepEqual(counted.script, []);
  });

  it('gives a port that two slivers say they own to the first, and says so', () => {
    const slivers = ['a', 'b'].map((id, i) => makeSliver(id, { ports: [tcp(80)] }, { addresses: [`10.1.0.${i}`] }));
    const { script, problems } = planPorts(observed(), makeDesired(slivers));
    assert.deepEqual([...apply(script, noElements()).forward4], [['6 . 80', '10.1.0.0']]);
    assert.deepEqual(
      problems.map(({ sliver, reason }) => `${sliver} ${reason}`),
      ['b PortTaken'],
    );
  });

  it('says from which pods flows are to be forgotten', () => {
    const at = (address: string) =>
      makeDesired([makeSliver('a', { ports: [tcp(80), udp(80)] }, { addresses: [address] })]);
    const made = planPorts(observed(), at('10.1.0.5'));
    assert.deepEqual(made.departed, []);
    const signature = / comment "(.*)"$/.exec(made.script.find((line) => line.startsWith('add rule'))!)![1]!;
    const table = { exists: true, signature, elements: apply(made.script, noElements()) };
    assert.deepEqual(planPorts(observed(table), at('10.1.0.5')).departed, []);
    assert.deepEqual(planPorts(observed(table), at('10.1.0.6')).departed, ['10.1.0.5']);
    assert.deepEqual(planPorts(observed(table), makeDesired([])).departed, ['10.1.0.5']);
  });

  it('masquerades others to ports that belong to nobody', () => {
    const ports = [40_000, 50_000].map(udp);
    const { script } = planPorts(observed(), makeDesired([makeSliver('a', { ports }, { addresses: ['10.1.0.5'] })]));
    const ranges = script.flatMap((line) => / masquerade to :(\d+-\d+) /.exec(line)?.[1] ?? []);
    assert.deepEqual(new Set(ranges), new Set(['50001-60999']));
    const signature = / comment "(.*)"$/.exec(script.find((line) => line.startsWith('add rule'))!)![1]!;
    const table = { exists: true, signature, elements: apply(script, noElements()) };
    const replaced = (list: number[]): boolean => {
      const desired = makeDesired([makeSliver('a', { ports: list.map(udp) }, { addresses: ['10.1.0.5'] })]);
      return planPorts(observed(table), desired).script.some((line) => line.startsWith('add rule'));
    };
    assert.equal(replaced([39_000]), false, 'a longer range is no reason to change rules');
    assert.equal(replaced([60_000]), true, 'it is somebody’s now');
  });

  it('writes nothing from the state that it leads to, and reaches it from any other', () => {
    const port = fc.record({
      protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'ICMP' as const),
      port: fc.integer({ min: 1, max: 30 }),
    });
    const sliver = fc
      .record({
        ports: fc.uniqueArray(port, { selector: (one) => `${one.protocol} ${one.port}`, maxLength: 5 }),
        addresses: fc.uniqueArray(fc.constantFrom('10.1.0.5', '10.1.0.6', 'fd00::5', 'fd00::6'), { maxLength: 2 }),
        network: fc.constantFrom('Pod' as const, 'Host' as const),
        standing: fc.constantFrom('entitled' as const, 'penalised' as const),
      })
      .map(({ ports, network, ...rest }) => makeSliver('a', { ports, network }, rest));
    const desired = fc.array(sliver, { minLength: 1, maxLength: 4 }).map((slivers) => ({
      ...makeDesired(slivers, { otherInterfaces: 'Drop' }),
      ports: [...slivers.flatMap(({ amounts }) => amounts.ports), udp(9)],
    }));
    fc.assert(
      fc.property(desired, desired, (first, second) => {
        const made = planPorts(observed(), first).script;
        const signature = / comment "(.*)"$/.exec(made.find((line) => line.startsWith('add rule'))!)![1]!;
        const table = { exists: true, signature, elements: apply(made, noElements()) };
        assert.deepEqual(planPorts(observed(table), first).script, []);
        const changed = apply(planPorts(observed(table), second).script, table.elements);
        const sorted = (elements: Elements) => Object.entries(elements).map(([name, map]) => [name, [...map].sort()]);
        assert.deepEqual(sorted(changed), sorted(apply(planPorts(observed(), second).script, noElements())));
      }),
    );
  });
});

describe('links', () => {
  it('lead out unless they are a pod’s, a tunnel or the node itself; a default route says so of any', () => {
    const json = JSON.stringify([
      { ifname: 'lo', link_type: 'loopback' },
      { ifname: 'eth0', link_type: 'ether' },
      { ifname: 'vlan7', link_type: 'ether', linkinfo: { info_kind: 'vlan' } },
      { ifname: 'tun0', link_type: 'none', linkinfo: { info_kind: 'tun' } },
      { ifname: 'cni0', link_type: 'ether', linkinfo: { info_kind: 'bridge' } },
      { ifname: 'veth1', link_type: 'ether', linkinfo: { info_kind: 'veth' } },
      { ifname: 'veth2', link_type: 'ether', linkinfo: { info_kind: 'veth' } },
      { ifname: 'flannel.1', link_type: 'ether', linkinfo: { info_kind: 'vxlan' } },
    ]);
    const names = (links: Link[]): string[] => links.map(({ name }) => name);
    const byRoute = parseLinks(json, new Set(), new Set(['veth2']));
    assert.deepEqual(names(byRoute.filter(({ outside }) => outside)), ['eth0', 'vlan7', 'tun0', 'veth2']);
    assert.deepEqual(names(byRoute.filter(({ isLine }) => isLine)), ['veth2']);
    const byOwner = parseLinks(json, new Set(['eth0']), new Set(['veth2']));
    assert.deepEqual(names(byOwner.filter(({ isLine }) => isLine)), ['eth0']);
    assert.ok(byOwner.find(({ name }) => name === 'veth2')!.outside);
  });
});
