/** Any, Spread and Cluster: which of the candidates to take next, and which of the held nodes to give up first. */
import type { Amounts } from '../../../crds/rspec.ts';
import { shortHash } from '../../../crds/names.ts';
import { quantityOrZero } from '../../../crds/quantity.ts';
import type { Placement } from '../../../crds/types.ts';
import type { NodeState } from './input.ts';

/** What a choice depends on; nothing in it changes while nodes come and go, so that the choice is stable. */
export interface ChoosingBy {
  placement: Placement | undefined;
  /** The slice's uid: slices prefer different nodes, and each always the same ones. */
  seed: string;
  /** What is asked for on a node. */
  amounts: (node: NodeState) => Amounts;
}

/** The `need` best of the candidates, beside the nodes that are held already. */
export function chooseNodes(candidates: NodeState[], held: NodeState[], need: number, by: ChoosingBy): NodeState[] {
  const ranked = rank(candidates, by);
  const policy = by.placement?.policy ?? 'Any';
  if (policy === 'Any' || need >= ranked.length) return ranked.slice(0, Math.max(0, need));
  const domains = new Domains(held, ranked, by);
  const chosen: NodeState[] = [];
  while (chosen.length < need) {
    const domain = policy === 'Spread' ? domains.leastHeld() : domains.nextToFill(need - chosen.length);
    chosen.push(domain.waiting.shift()!);
    domain.held++;
  }
  return chosen;
}

/** The `extra` nodes to give up first; `worth` says which are dearest (higher is kept longer). */
export function chooseSurplus(
  held: NodeState[],
  extra: number,
  worth: (node: NodeState) => number,
  by: ChoosingBy,
): NodeState[] {
  const ranked = rank(held, by).reverse();
  const policy = by.placement?.policy ?? 'Any';
  const counts = new Map<string, number>();
  for (const node of ranked) counts.set(domainOf(node, by), (counts.get(domainOf(node, by)) ?? 0) + 1);
  const chosen: NodeState[] = [];
  while (chosen.length < extra && ranked.length > 0) {
    // Spread gives up in the fullest domain first, Cluster in the emptiest
    const weight = (node: NodeState) => {
      const count = counts.get(domainOf(node, by))!;
      return policy === 'Spread' ? -count : policy === 'Cluster' ? count : 0;
    };
    const first = ranked.reduce((best, node) => {
      const difference = worth(node) - worth(best) || weight(node) - weight(best);
      return difference < 0 ? node : best;
    });
    ranked.splice(ranked.indexOf(first), 1);
    counts.set(domainOf(first, by), counts.get(domainOf(first, by))! - 1);
    chosen.push(first);
  }
  return chosen;
}

interface Domain {
  name: string;
  held: number;
  /** Candidates, best first. */
  waiting: NodeState[];
}

class Domains {
  private readonly all: Domain[];

  constructor(held: NodeState[], candidates: NodeState[], by: ChoosingBy) {
    const byName = new Map<string, Domain>();
    const domain = (node: NodeState) => {
      const name = domainOf(node, by);
      if (!byName.has(name)) byName.set(name, { name, held: 0, waiting: [] });
      return byName.get(name)!;
    };
    for (const node of candidates) domain(node).waiting.push(node);
    for (const node of held) domain(node).held++;
    const preference = new Map([...byName.keys()].map((name) => [name, shortHash([by.seed, name])]));
    this.all = [...byName.values()].sort((a, b) => compare(preference.get(a.name)!, preference.get(b.name)!));
  }

  leastHeld(): Domain {
    return this.open().reduce((best, domain) => (domain.held < best.held ? domain : best));
  }

  /** First what is begun (the fullest), then the smallest domain that holds the rest, else the largest. */
  nextToFill(need: number): Domain {
    const open = this.open();
    const begun = open.filter((domain) => domain.held > 0);
    if (begun.length > 0) return begun.reduce((best, domain) => (domain.held > best.held ? domain : best));
    const enough = open.filter((domain) => domain.waiting.length >= need);
    if (enough.length > 0) return enough.reduce((a, b) => (b.waiting.length < a.waiting.length ? b : a));
    return open.reduce((a, b) => (b.waiting.length > a.waiting.length ? b : a));
  }

  private open(): Domain[] {
    return this.all.filter((domain) => domain.waiting.length > 0);
  }
}

function domainOf(node: NodeState, by: ChoosingBy): string {
  return node.labels[by.placement?.topologyKey ?? ''] ?? '';
}

/** Nodes that say they have room come first; among equals the hash of slice and node decides (rendezvous hashing). */
function rank(nodes: readonly NodeState[], by: ChoosingBy): NodeState[] {
  return nodes
    .map((node) => ({ node, room: hasRoom(node, by.amounts(node)) ? 0 : 1, hash: shortHash([by.seed, node.name]) }))
    .sort((a, b) => a.room - b.room || compare(a.hash, b.hash))
    .map(({ node }) => node);
}

/** A hint only: the node's own admission decides, over the whole window. */
function hasRoom({ free }: NodeState, asked: Amounts): boolean {
  if (!free) return false;
  return (
    (free.shares ?? 0) >= asked.shares &&
    quantityOrZero(free.egress) >= asked.egressGuarantee &&
    quantityOrZero(free.memory) >= (asked.memory ?? 0) &&
    quantityOrZero(free.disk) >= (asked.disk ?? 0) &&
    (free.pods ?? 0) >= 1
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
