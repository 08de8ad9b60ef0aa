/** Pure: from what the kernel has to what belongs to whom. */
import { portKey } from '../../crds/rspec.ts';
import type { RspecPort } from '../../crds/types.ts';
import { isInterfaceName, parseAddress } from '../egress/names.ts';
import type { Desired, Problem, Sliver } from '../sliver.ts';
import type { Link } from './links.ts';
import {
  addElements,
  type Elements,
  insteadOf,
  noElements,
  type ObservedTable,
  removeElements,
  removeTable,
  replaceTable,
  type RuleFacts,
  SET_NAMES,
  signatureOf,
} from './nft.ts';
import { longestGap, type Range } from './ranges.ts';

export interface ObservedNode {
  table: ObservedTable;
  links: readonly Link[];
  /** Those of which the ports are. */
  addresses: readonly string[];
  /** Ports that the kernel hands out by itself. */
  handedOut: Range;
}

export interface PortsPlan {
  /** One nft transaction; empty where all is as it should be. */
  script: string[];
  /** Addresses of pods to which some port led and leads no more: flows to them must be forgotten. */
  departed: string[];
  problems: Problem[];
}

/** Whether anything has to be kept: a node without owned ports and without barred interfaces is left as it was. */
export function isNeeded({ ports, slivers, facts }: Desired): boolean {
  return ports.length > 0 || (facts.otherInterfaces === 'Drop' && slivers.length > 0);
}

export function planPorts(observed: ObservedNode, desired: Desired): PortsPlan {
  const { table } = observed;
  if (!isNeeded(desired))
    return {
      script: table.exists ? removeTable() : [],
      departed: departed(table.elements, noElements()),
      problems: [],
    };
  const families = new Set(observed.addresses.map((text) => parseAddress(text)?.family));
  const instead = planInstead(observed, desired);
  const facts: RuleFacts = { v4: families.has('v4'), v6: families.has('v6'), instead };
  const { elements, problems } = wantedElements(observed, desired);
  const same = table.signature === signatureOf(facts);
  const present = same ? table.elements : noElements();
  const changes = SET_NAMES.flatMap((name) => diff(name, present[name], elements[name]));
  const script = [...(same ? [] : replaceTable(facts)), ...changes];
  return { script, departed: departed(table.elements, elements), problems };
}

/** Ports that belong to nobody; those that the rules have already, as long as there are not many more elsewhere. */
function planInstead({ handedOut, table }: ObservedNode, { ports }: Desired): Range {
  const numbers = ports.map(({ port }) => port);
  const longest = longestGap(handedOut, numbers);
  const { from, to } = (table.signature && insteadOf(table.signature)) || longest;
  const isFree = handedOut.from <= from && to <= handedOut.to && !numbers.some((port) => from <= port && port <= to);
  return isFree && (to - from) * 4 >= longest.to - longest.from ? { from, to } : longest;
}

function diff(name: (typeof SET_NAMES)[number], is: Map<string, string>, should: Map<string, string>): string[] {
  const gone = [...is].flatMap(([key, value]) => (should.get(key) === value ? [] : [key]));
  const come = [...should].filter(([key, value]) => is.get(key) !== value);
  return [...removeElements(name, gone), ...addElements(name, come)];
}

function departed(is: Elements, should: Elements): string[] {
  const gone = (['forward4', 'forward6'] as const).flatMap((name) =>
    [...is[name]].flatMap(([key, address]) => (should[name].get(key) === address ? [] : [address])),
  );
  return [...new Set(gone)];
}

function wantedElements(
  { links, addresses }: ObservedNode,
  desired: Desired,
): { elements: Elements; problems: Problem[] } {
  const { slivers, ports, facts } = desired;
  const elements = noElements();
  const problems: Problem[] = [];
  for (const port of ports) for (const key of keysOf(port)) elements.owned.set(key, '');
  for (const { family, address } of parsed(addresses)) elements[family === 'v4' ? 'node4' : 'node6'].set(address, '');
  const drop = facts.otherInterfaces === 'Drop';
  for (const { name, outside, isLine } of links) {
    if (!outside || !isInterfaceName(name)) continue;
    elements.outside.set(name, '');
    if (drop && !isLine) elements.barred.set(name, '');
  }
  const owners = new Map<string, Sliver>();
  for (const sliver of slivers) {
    if (drop)
      for (const { family, address } of parsed(sliver.addresses))
        elements[family === 'v4' ? 'sliver4' : 'sliver6'].set(address, '');
    // Losing a right is never a promotion: what it owned is nobody's, and still kept from the others.
    if (sliver.standing !== 'entitled') continue;
    for (const port of sliver.amounts.ports) {
      const owner = owners.get(portKey(port));
      if (owner) problems.push(takenBy(port, sliver, owner));
      else own(elements, port, sliver, addresses);
      if (!owner) owners.set(portKey(port), sliver);
    }
  }
  return { elements, problems };
}

/** From which sources the port is the sliver's, and to which addresses it leads. */
function own(elements: Elements, port: RspecPort, sliver: Sliver, node: readonly string[]): void {
  if (sliver.network === 'Host') for (const key of keysOf(port)) elements.hosted.set(key, '');
  for (const { family, address } of parsed(sliver.network === 'Host' ? node : sliver.addresses)) {
    const n = family === 'v4' ? 4 : 6;
    const key = keyOf(port, n);
    elements[`own${n}`].set(`${address} . ${key}`, '');
    if (sliver.network === 'Host' || port.protocol === 'ICMP') continue;
    if (!elements[`forward${n}`].has(key)) elements[`forward${n}`].set(key, address);
    elements[`self${n}`].set(`${address} . ${address}`, '');
  }
}

const PROTOCOL = { TCP: 6, UDP: 17 } as const;

function keyOf({ protocol, port }: RspecPort, n: 4 | 6): string {
  return `${protocol === 'ICMP' ? (n === 4 ? 1 : 58) : PROTOCOL[protocol]} . ${port}`;
}

function keysOf(port: RspecPort): string[] {
  return [...new Set([keyOf(port, 4), keyOf(port, 6)])];
}

function parsed(addresses: readonly string[]): NonNullable<ReturnType<typeof parseAddress>>[] {
  return addresses.flatMap((text) => parseAddress(text) ?? []);
}

function takenBy(port: RspecPort, sliver: Sliver, owner: Sliver): Problem {
  const name = ({ rcap }: Sliver): string => `${rcap.namespace}/${rcap.name}`;
  const message = `${name(sliver)}: ${portKey(port)} is ${name(owner)}'s`;
  return { sliver: sliver.id, reason: 'PortTaken', message };
}

/** Ports that the kernel hands out to nobody, and those of them that we added. */
export interface ReservedChange {
  kernel: ReadonlySet<number>;
  added: ReadonlySet<number>;
}

/** What the kernel's list and the record of ours are to be; an entry that the owner has stays his. */
export function planReserved(
  kernel: ReadonlySet<number>,
  added: ReadonlySet<number>,
  wanted: ReadonlySet<number>,
): ReservedChange {
  const owners = kernel.difference(added);
  return { kernel: owners.union(wanted), added: wanted.difference(owners) };
}
