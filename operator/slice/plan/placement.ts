/** Which nodes the slice is on: whom to keep, whom to ask, whom to give up. */
import { nameKey, type NodeState, type SliceInput } from './input.ts';
import { rcapName } from '../../../crds/names.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import { isDeleting, type KubeObject } from '../../kinds.ts';
import { attemptOf, earliest, retryAt } from './backoff.ts';
import { isOpen, matches, mayStay } from './eligible.ts';
import { grantedCondition, standing } from './grant.ts';
import { chooseNodes, chooseSurplus, type ChoosingBy } from './topology.ts';

export interface Placing {
  /** How many nodes the slice asks for. */
  wanted: number;
  /** How many there are that it could be on. */
  matching: number;
  keep: ResourceCapability[];
  acquire: { node: string; attempt: number }[];
  /** Refused, waited for, and now to be asked again. */
  retry: ResourceCapability[];
  release: { capability: ResourceCapability; why: 'Surplus' | 'NodeGone' | 'OtherBroker' }[];
  /** Somebody else's objects under names that we would have given. */
  taken: KubeObject[];
  /** When something is due that no event announces, in ms since the epoch. */
  wakeAt: number | undefined;
}

interface Held {
  capability: ResourceCapability;
  node: NodeState;
}

/**
 * `bound`: nodes where others hold a right for the slice, which counts like its own and in its place.
 *
 * A right stays on its node through cordon, unreadiness and lost heartbeats: nodes that come and go move no sliver. A
 * right on a Node that was deleted is kept for its return and is not counted meanwhile.
 */
export function planPlacement(
  input: SliceInput,
  asked: ChoosingBy['amounts'],
  now: number,
  bound: ReadonlySet<string> = new Set(),
): Placing {
  const { slice, nodes } = input;
  const placement = slice.spec.placement;
  const by: ChoosingBy = { placement, seed: slice.metadata.uid ?? '', amounts: asked };
  const { held, release, busy, absent } = sortOut(input, bound);
  const denied = held.filter(({ capability, node }) => standing(capability, node) === 'denied');
  const active = held.filter((one) => !denied.includes(one));
  const waits: (number | undefined)[] = [];

  const taken: KubeObject[] = [];
  const heldNames = new Set(held.map(({ node }) => node.name));
  const matching = [...nodes.values()].filter((node) => matches(node, placement));
  const candidates = matching.filter((node) => {
    if (!isOpen(node) || bound.has(node.name) || busy.has(node.name) || heldNames.has(node.name)) return false;
    const other = input.taken.get(nameKey('ResourceCapability', rcapName(slice.metadata.name, node.name)));
    if (other) taken.push(other);
    return !other;
  });
  const possible = new Set([...matching.map((node) => node.name), ...heldNames, ...bound]).size;

  const due = denied.filter(({ capability, node }) => {
    if (!isOpen(node)) return false;
    const at = retryAt(attemptOf(capability), deniedAt(capability, now));
    if (at > now) waits.push(at);
    return at <= now;
  });

  const plan = { matching: possible, taken, release };
  const keep = (gone: Held[]) =>
    [...active, ...denied, ...absent].filter((one) => !gone.includes(one)).map(({ capability }) => capability);

  if (placement?.count === undefined) {
    const acquire = candidates.map(({ name }) => ({ node: name, attempt: 0 }));
    return {
      ...plan,
      wanted: held.length + candidates.length + bound.size,
      keep: keep(due),
      acquire,
      retry: due.map(({ capability }) => capability),
      wakeAt: earliest(...waits),
    };
  }

  const wanted = Math.max(placement.count, bound.size);
  const own = wanted - bound.size;
  if (active.length >= own) {
    const worth = (node: NodeState) => value(active.find((one) => one.node === node)!);
    const surplus = new Set(chooseSurplus(nodesOf(active), active.length - own, worth, by));
    // enough without those who refused: nothing is to be remembered of them. Until then it is, else the first of them would be asked
    // again in place of the next that refuses, and the rest of the cluster never
    const isEnough = active.filter(({ capability, node }) => standing(capability, node) === 'granted').length >= own;
    const gone = [...(isEnough ? denied : []), ...active.filter(({ node }) => surplus.has(node))];
    for (const { capability } of gone) release.push({ capability, why: 'Surplus' });
    return { ...plan, wanted, keep: keep(gone), acquire: [], retry: [], wakeAt: undefined };
  }

  const need = own - active.length;
  const substituteAt = Math.max(0, ...denied.map(({ capability }) => replaceableAt(capability, now)));
  // whatever a node's reason is: that the spec is in order and the window not over was found before, by the operator itself
  const mayAsk = substituteAt <= now;
  if (!mayAsk) waits.push(substituteAt);
  const attempt = denied.length === 0 ? 0 : Math.max(...denied.map(({ capability }) => attemptOf(capability))) + 1;
  const chosen = mayAsk ? chooseNodes(candidates, nodesOf(active), need, by) : [];
  const left = mayAsk ? need - chosen.length : 0;
  const again = new Set(chooseNodes(nodesOf(due), [...nodesOf(active), ...chosen], left, by));
  const retried = due.filter(({ node }) => again.has(node));
  return {
    ...plan,
    wanted,
    keep: keep(retried),
    acquire: chosen.map(({ name }) => ({ node: name, attempt })),
    retry: retried.map(({ capability }) => capability),
    wakeAt: earliest(...waits),
  };
}

/** Each right to where it belongs: held, to be released, on its way out (its name is busy), or of a Node that is absent. */
function sortOut({ slice, nodes, capabilities }: SliceInput, bound: ReadonlySet<string>) {
  const held: Held[] = [];
  const absent: Held[] = [];
  const release: Placing['release'] = [];
  const busy = new Set<string>();
  for (const capability of capabilities) {
    const { nodeName } = capability.spec;
    const node = nodes.get(nodeName);
    if (isDeleting(capability)) busy.add(nodeName);
    else if (!node) release.push({ capability, why: 'NodeGone' });
    else if (bound.has(nodeName)) release.push({ capability, why: 'Surplus' });
    else if (capability.metadata.name !== rcapName(slice.metadata.name, nodeName)) {
      // somebody moved it by hand: the right that its name stands for is asked for anew
      release.push({ capability, why: 'Surplus' });
    } else if (node.uid === undefined) absent.push({ capability, node });
    else if (!mayStay(node, slice.spec.placement)) {
      release.push({ capability, why: 'Surplus' });
      busy.add(nodeName);
    } else held.push({ capability, node });
  }
  return { held, absent, release, busy };
}

function nodesOf(held: readonly Held[]): NodeState[] {
  return held.map(({ node }) => node);
}

/** What runs is worth most, then what is granted; of the rest, what its node can still answer for. */
function value({ capability, node }: Held): number {
  return (standing(capability, node) === 'granted' ? 2 : 0) + (node.lost === undefined ? 1 : 0);
}

/**
 * When the node refused. Its clock may be wrong: an instant in the future is not believed, and none before the creation,
 * so that a clock behind makes no busy loop.
 */
function deniedAt(capability: ResourceCapability, now: number): number {
  const created = Date.parse(capability.metadata.creationTimestamp ?? '') || 0;
  const said = Date.parse(grantedCondition(capability)?.lastTransitionTime ?? '') || 0;
  return said <= now ? Math.max(created, said) : created;
}

/** The first refusal is answered by another node at once; each further one waits longer, so that a full cluster is not searched in a storm. */
function replaceableAt(capability: ResourceCapability, now: number): number {
  const attempt = attemptOf(capability);
  return attempt === 0 ? 0 : retryAt(attempt - 1, deniedAt(capability, now));
}
