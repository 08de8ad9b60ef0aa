/** Speaks nftables: packets of slivers' classes to exempt destinations get a second class. */
import { contains, formatPrefix, isV4, parsePrefix, type Prefix } from '../../crds/ipaddress.ts';
import { TABLE, classIdText, exemptClass, isSliverClass, parseClassId } from './names.ts';

/** Minors of slivers' first classes, and the prefixes as nftables prints them. */
export interface Exemption {
  classes: Set<number>;
  v4: Set<string>;
  v6: Set<string>;
}

type Element = string | { prefix: { addr: string; len: number } };

/** As much of what nftables shows as is of interest here. */
export interface ExemptObject {
  map?: { name: string; elem?: unknown[] };
  set?: { name: string; elem?: unknown[] };
}

const FAMILIES = ['v4', 'v6'] as const;
const SETS = { v4: 'exempt4', v6: 'exempt6' } as const;
const MAP = 'exempt';
/** Of the map and the sets. */
export const EXEMPT_NAMES: readonly string[] = [MAP, SETS.v4, SETS.v6];
/** A prefix of IPv4 is one of IPv6 with so many bits before it. */
const V4_BITS = 96;

export function noExemption(): Exemption {
  return { classes: new Set(), v4: new Set(), v6: new Set() };
}

/** A prefix, and of which family the packets are that it is about. */
export interface ExemptPrefix {
  family: 'v4' | 'v6';
  prefix: Prefix;
}

/** What should be there for these slivers. */
export function exemptionOf(minors: readonly number[], destinations: readonly string[]): Exemption {
  const exemption = noExemption();
  if (destinations.length === 0) return exemption;
  for (const minor of minors) exemption.classes.add(minor);
  for (const { family, prefix } of exemptPrefixes(destinations)) exemption[family].add(formatPrefix(prefix));
  return exemption;
}

/** A prefix within another is left out: a set refuses what overlaps. */
export function exemptPrefixes(destinations: readonly string[]): ExemptPrefix[] {
  const kept: ExemptPrefix[] = [];
  const prefixes = destinations.flatMap((text) => parsePrefix(text) ?? []);
  for (const one of prefixes.toSorted((a, b) => a.bits - b.bits)) {
    const isOfV4 = isV4(one.bytes) && one.bits >= V4_BITS;
    // no packet of IPv6 goes to an address that stands for one of IPv4: a prefix of those says nothing of IPv4
    const family = isOfV4 ? 'v4' : 'v6';
    if (!kept.some((wider) => wider.family === family && contains(wider.prefix, one.bytes))) {
      kept.push({ family, prefix: one });
    }
  }
  return kept;
}

export function parseExemption(objects: readonly ExemptObject[]): Exemption {
  const exempt = noExemption();
  for (const { map, set } of objects) {
    if (map?.name === MAP) {
      for (const [minor] of (map.elem ?? []) as [string, string][]) exempt.classes.add(parseClassId(minor) ?? 0);
    }
    const family = FAMILIES.find((name) => SETS[name] === set?.name);
    for (const element of ((family && set?.elem) ?? []) as Element[]) exempt[family!].add(prefixText(element));
  }
  return exempt;
}

/** The map and the sets, whatever of them is there already. */
export function exemptSkeleton(): string[] {
  return [
    `add map ${TABLE} ${MAP} { type classid : classid; }`,
    `add set ${TABLE} ${SETS.v4} { type ipv4_addr; flags interval; }`,
    `add set ${TABLE} ${SETS.v6} { type ipv6_addr; flags interval; }`,
  ];
}

/** For a chain in which the packets have their first classes already. */
export const EXEMPT_RULES = [
  `ip daddr @${SETS.v4} meta priority set meta priority map @${MAP}`,
  `ip6 daddr @${SETS.v6} meta priority set meta priority map @${MAP}`,
] as const;

/** From one exemption to another: what goes, and what comes once the classes are there. */
export function changeExemption(is: Exemption, should: Exemption): { before: string[]; after: string[] } {
  const gone = [...is.classes].filter((minor) => !should.classes.has(minor));
  const come = [...should.classes].filter((minor) => !is.classes.has(minor));
  const before = gone.length === 0 ? [] : [`delete element ${TABLE} ${MAP} { ${gone.map(classText).join(', ')} }`];
  const pairs = come.map((minor) => `${classText(minor)} : ${classIdText(exemptClass(minor))}`);
  const after = come.length === 0 ? [] : [`add element ${TABLE} ${MAP} { ${pairs.join(', ')} }`];
  for (const family of FAMILIES) {
    if (isSame(is[family], should[family])) continue;
    // in one transaction: no packet sees the set empty
    after.push(`flush set ${TABLE} ${SETS[family]}`);
    if (should[family].size === 0) continue;
    after.push(`add element ${TABLE} ${SETS[family]} { ${[...should[family]].join(', ')} }`);
  }
  return { before, after };
}

function classText(minor: number): string {
  if (!isSliverClass(minor)) throw new Error(`${minor} is no class of a sliver`);
  return classIdText(minor);
}

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}

function prefixText(element: Element): string {
  return typeof element === 'string' ? element : `${element.prefix?.addr}/${element.prefix?.len}`;
}
