/** Arithmetic of rspecs: every default filled in, every quantity a plain number. */
import { binaryQuantity, decimalQuantity, parseQuantity } from './quantity.ts';
import type { Rspec, RspecPort } from './types.ts';

export type Privilege = NonNullable<Rspec['privileges']>[number];

/** A normalised rspec: what one sliver gets. */
export interface Amounts {
  /** Guaranteed CPU in 1/1000 of the node's allocatable CPU, 1 to 1000. */
  shares: number;
  /** Whether idle CPU may be used beyond that. */
  excess: 'Share' | 'None';
  /** bits/s at layer 2 */
  egressGuarantee: number;
  /** bits/s at layer 2 */
  egressLimit: number;
  /** bytes; undefined means neither limit nor promise */
  memory: number | undefined;
  /** bytes; undefined means neither limit nor promise */
  disk: number | undefined;
  processes: number | undefined;
  /** descriptors of each process */
  openFiles: number | undefined;
  /** sorted, without doubles */
  ports: RspecPort[];
  /** Whose address: the pod's own, or the node's. */
  network: 'Pod' | 'Host';
  /** sorted, without doubles */
  privileges: Privilege[];
}

/** PlanetLab's defaults: 5 kbit/s guaranteed, 10 Mbit/s at most. */
export const DEFAULT_EGRESS_GUARANTEE = 5_000;
export const DEFAULT_EGRESS_LIMIT = 10_000_000;
/** What one share of the short form means: a thousandth of the default 100 Mbit/s that an owner offers. */
export const EGRESS_PER_SHARE = 100_000;

/** The rspec with every default filled in. Throws QuantityError for a quantity that is none. */
export function amounts(spec: Rspec | undefined): Amounts {
  const egressGuarantee = Math.floor(parseQuantity(spec?.egress?.guarantee ?? DEFAULT_EGRESS_GUARANTEE));
  return {
    shares: spec?.cpu?.shares ?? 1,
    excess: spec?.cpu?.excess ?? 'Share',
    egressGuarantee,
    egressLimit: Math.floor(parseQuantity(spec?.egress?.limit ?? Math.max(DEFAULT_EGRESS_LIMIT, egressGuarantee))),
    memory: optional(spec?.memory),
    disk: optional(spec?.disk),
    processes: spec?.processes,
    openFiles: spec?.openFiles,
    ports: sortPorts(spec?.ports ?? []),
    network: spec?.network ?? 'Pod',
    privileges: [...new Set(spec?.privileges)].sort(),
  };
}

/** The rspec that says just what these amounts are, as short as a person would: what a node writes as granted. */
export function toRspec(of: Amounts): Rspec {
  return {
    cpu: { shares: of.shares, excess: of.excess },
    egress: { guarantee: decimalQuantity(of.egressGuarantee), limit: decimalQuantity(of.egressLimit) },
    ...(of.memory !== undefined && { memory: binaryQuantity(of.memory) }),
    ...(of.disk !== undefined && { disk: binaryQuantity(of.disk) }),
    ...(of.processes !== undefined && { processes: of.processes }),
    ...(of.openFiles !== undefined && { openFiles: of.openFiles }),
    ...(of.ports.length > 0 && { ports: of.ports }),
    ...(of.network === 'Host' && { network: of.network }),
    ...(of.privileges.length > 0 && { privileges: of.privileges }),
  };
}

/** The short form in full: so many thousandths of a node. */
export function fromShare(share: number): Rspec {
  return { cpu: { shares: share }, egress: { guarantee: decimalQuantity(share * EGRESS_PER_SHARE) } };
}

/** One port in words, `TCP 80`; also the key under which it has one owner. */
export function portKey(port: RspecPort): string {
  return `${port.protocol} ${port.port}`;
}

function optional(quantity: string | number | undefined): number | undefined {
  return quantity === undefined ? undefined : Math.floor(parseQuantity(quantity));
}

function sortPorts(ports: readonly RspecPort[]): RspecPort[] {
  const byKey = new Map(ports.map((port) => [portKey(port), { protocol: port.protocol, port: port.port }]));
  return [...byKey.values()].sort((a, b) => a.protocol.localeCompare(b.protocol) || a.port - b.port);
}
