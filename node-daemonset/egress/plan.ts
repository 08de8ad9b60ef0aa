/** Pure: from what the kernel has to what the slivers should have, in an order that never isolates anyone less. */
import type { Desired, Problem, Sliver } from '../sliver.ts';
import { isInterfaceName, isSliverClass, parseAddress } from './names.ts';
import { type AddressMaps, type ObservedTable, addElements, removeElements, skeleton, sourceKey } from './nft.ts';
import { type Exemption, changeExemption, exemptionOf, noExemption } from './exempt.ts';
import { type ObservedLine, classLine, leafLine, removeClassLine, removeRootLine, rootLine } from './tc.ts';
import { type HtbClass, type LineTree, planTree } from './tree.ts';
import type { Uplink } from './uplinks.ts';

export interface ObservedEgress {
  /** Every interface; classes are known of uplinks only. */
  lines: Map<string, ObservedLine>;
  table: ObservedTable;
}

/** One line of a tc batch, and the class it is about. */
export interface TcLine {
  text: string;
  dev: string;
  minor: number | undefined;
}

/** Applied in this order: an address points to a class only while that class exists. */
export interface EgressPlan {
  /** nft: elements that go. */
  before: string[];
  tc: TcLine[];
  /** nft: elements that come. */
  after: string[];
  problems: Problem[];
}

/** Slivers with an id that is valid and nobody else's, and the addresses that lead to them. */
interface Admitted {
  slivers: Sliver[];
  maps: AddressMaps;
  problems: Problem[];
}

export function planEgress(
  observed: ObservedEgress,
  uplinks: readonly Uplink[],
  { slivers, facts }: Desired,
): EgressPlan {
  const admitted = admit(slivers);
  const problems = [...admitted.problems];
  const tc: TcLine[] = [];
  let shaped = false;
  for (const uplink of uplinks) {
    const line = observed.lines.get(uplink.interface);
    if (!line) continue;
    if (line.root === 'foreign') {
      problems.push(busy(uplink.interface, line.rootKind));
      continue;
    }
    const { tree, problems: treeProblems } = planTree(uplink, admitted.slivers, facts);
    problems.push(...treeProblems);
    // A node without slivers keeps its own queue until the first one comes; then ours stays, for taking it away drops packets.
    if (!tree || (line.root === 'default' && slivers.length === 0)) continue;
    tc.push(...diffTree(line, tree));
    shaped = true;
  }
  const wanted = new Set(uplinks.map((uplink) => uplink.interface));
  for (const [dev, line] of observed.lines) {
    if (line.root === 'ours' && !wanted.has(dev)) tc.push({ text: removeRootLine(dev), dev, minor: undefined });
  }
  const minors = admitted.slivers.map(({ classId }) => classId);
  const { before, after } = diffTable(
    observed.table,
    shaped ? admitted.maps : { v4: new Map(), v6: new Map() },
    shaped ? exemptionOf(minors, facts.exempt.destinations) : noExemption(),
    shaped,
  );
  return { before, tc, after, problems };
}

/**
 * Rates fall from the leaves up and rise from the root down, and nothing is added before something smaller made room: so
 * the children of a class never hold more than it does, at any instant.
 */
export function diffTree(line: ObservedLine, tree: LineTree): TcLine[] {
  const dev = tree.interface;
  const fall: TcLine[] = [];
  const fallInner: TcLine[] = [];
  const lineChange: TcLine[] = [];
  const rise: TcLine[] = [];
  const at = (minor: number | undefined, text: string): TcLine => ({ text, dev, minor });
  const root = line.root === 'ours' ? [] : [at(undefined, rootLine(dev))];
  const existing: ReadonlyMap<number, HtbClass> = line.root === 'ours' ? line.classes : new Map();
  const wanted = new Map(tree.classes.map((htb) => [htb.minor, htb]));
  // Children before parents: a class with children cannot be deleted.
  const doomed = [...existing.values()].filter(({ minor, parent }) => wanted.get(minor)?.parent !== parent);
  const depth = (htb: HtbClass | undefined): number => (htb ? 1 + depth(existing.get(htb.parent)) : 0);
  const distance = new Map(doomed.map((htb) => [htb, depth(htb)]));
  for (const htb of doomed.sort((a, b) => distance.get(b)! - distance.get(a)!)) {
    fall.push(at(htb.minor, removeClassLine(dev, htb.minor)));
  }
  for (const htb of tree.classes) {
    const was = doomed.includes(existing.get(htb.minor)!) ? undefined : existing.get(htb.minor);
    if (!was || !sameRates(was, htb)) {
      const change = at(htb.minor, classLine(dev, htb));
      if (htb.parent === 0) lineChange.push(change);
      else if (was && was.rate > htb.rate) (htb.quantum === undefined ? fallInner : fall).push(change);
      else rise.push(change);
    }
    if (htb.leaf && !sameLeaf(was?.leaf, htb.leaf)) rise.push(at(htb.minor, leafLine(dev, htb.minor, htb.leaf)));
  }
  return [...root, ...fall, ...fallInner, ...lineChange, ...rise];
}

function diffTable(
  table: ObservedTable,
  maps: AddressMaps,
  exempt: Exemption,
  needed: boolean,
): { before: string[]; after: string[] } {
  const { before, after: exempted } = changeExemption(table.exempt, exempt);
  const after: string[] = needed && !table.complete ? skeleton() : [];
  for (const family of ['v4', 'v6'] as const) {
    const [is, should] = [table.maps[family], maps[family]];
    before.push(
      ...removeElements(
        family,
        [...is].flatMap(([address, minor]) => (should.get(address) === minor ? [] : [address])),
      ),
    );
    after.push(
      ...addElements(
        family,
        [...should].filter(([address, minor]) => is.get(address) !== minor),
      ),
    );
  }
  return { before, after: [...after, ...exempted] };
}

function admit(slivers: readonly Sliver[]): Admitted {
  const problems: Problem[] = [];
  const maps: AddressMaps = { v4: new Map(), v6: new Map() };
  const byClass = new Map<number, Sliver>();
  const refuse = (sliver: Sliver, reason: string, what: string): void => {
    const name = `${sliver.rcap.namespace}/${sliver.rcap.name}`;
    problems.push({ sliver: sliver.id, reason, message: `${name}: ${what}; its egress is not guaranteed` });
  };
  for (const sliver of slivers) {
    if (!isSliverClass(sliver.classId)) {
      refuse(sliver, 'EgressClassInvalid', `${sliver.classId} is no class of a sliver`);
      continue;
    }
    if (byClass.has(sliver.classId)) {
      refuse(sliver, 'EgressClassTaken', `class ${sliver.classId} is that of pod ${byClass.get(sliver.classId)!.id}`);
      continue;
    }
    byClass.set(sliver.classId, sliver);
    for (const text of sliver.addresses) {
      const parsed = parseAddress(text);
      if (!parsed) {
        refuse(sliver, 'AddressInvalid', `${JSON.stringify(text)} is no address`);
        continue;
      }
      for (const dev of sliver.interfaces?.filter(isInterfaceName) ?? []) {
        const key = sourceKey(dev, parsed.address);
        const holder = maps[parsed.family].get(key);
        if (holder !== undefined && holder !== sliver.classId) {
          refuse(
            sliver,
            'AddressTaken',
            `${parsed.address} is the address of pod ${byClass.get(holder)!.id} by ${dev}`,
          );
        } else maps[parsed.family].set(key, sliver.classId);
      }
    }
  }
  return { slivers: [...byClass.values()], maps, problems };
}

function sameRates(a: HtbClass, b: HtbClass): boolean {
  return a.rate === b.rate && a.ceil === b.ceil && (b.quantum === undefined || a.quantum === b.quantum);
}

function sameLeaf(a: HtbClass['leaf'], b: NonNullable<HtbClass['leaf']>): boolean {
  if (a?.kind !== b.kind || a.limit !== b.limit) return false;
  return a.kind !== 'tbf' || b.kind !== 'tbf' || a.rate === b.rate;
}

function busy(dev: string, kind: string): Problem {
  const message = `${dev} already has a ${kind} root qdisc of somebody else's: it is left alone and no egress is shaped there; remove it or name another line`;
  return { reason: 'UplinkBusy', message };
}
