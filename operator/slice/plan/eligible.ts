/** Which nodes a slice may stay on, and which of them it may newly ask. */
import type { Placement, Toleration } from '../../../crds/types.ts';
import type { Taint } from '../../kinds.ts';
import type { NodeState } from './input.ts';

/**
 * What the DaemonSet controller lets its pods tolerate: a sliver stays on its node through pressure, cordon and
 * unreachability. Whether new ones are made there is decided here, not by the scheduler.
 */
export const DAEMON_TOLERATIONS: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];

/** Taints that say what `cordoned` and `lost` say already: they must not count twice. */
const STANDING_TAINTS = new Set([
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/unreachable',
  'node.kubernetes.io/unschedulable',
]);

/** Whether a sliver may be on the node at all; one that is there stays as long as this holds. */
export function mayStay(node: NodeState, placement: Placement | undefined): boolean {
  return selected(node, placement) && tolerated(node.taints, placement?.tolerations, ['NoExecute']);
}

/** Whether the placement asks for the node, were it in order: what `count` is compared with. */
export function matches(node: NodeState, placement: Placement | undefined): boolean {
  return (
    node.uid !== undefined &&
    selected(node, placement) &&
    tolerated(node.taints, placement?.tolerations, ['NoSchedule', 'NoExecute'])
  );
}

/** For people, behind what `matches` leaves: whom it would not leave out but for the label that Spread and Cluster go by. */
export function sayUnlabelled(nodes: Iterable<NodeState>, placement: Placement | undefined): string {
  const anywhere = placement && { ...placement, policy: 'Any' as const };
  const lack = [...nodes].filter((node) => matches(node, anywhere) && !matches(node, placement)).length;
  if (lack === 0) return '';
  return ` (${lack} ${lack === 1 ? 'lacks' : 'lack'} the label ${placement?.topologyKey}, its topologyKey)`;
}

/** Whether anything new may be put on the node now. */
export function isOpen(node: NodeState): boolean {
  return node.uid !== undefined && !node.cordoned && node.lost === undefined;
}

function selected(node: NodeState, placement: Placement | undefined): boolean {
  const selector = Object.entries(placement?.nodeSelector ?? {});
  if (selector.some(([key, value]) => node.labels[key] !== value)) return false;
  const policy = placement?.policy ?? 'Any';
  return policy === 'Any' || node.labels[placement!.topologyKey!] !== undefined;
}

function tolerated(taints: readonly Taint[], own: readonly Toleration[] | undefined, effects: Taint['effect'][]) {
  const tolerations = [...(own ?? []), ...DAEMON_TOLERATIONS];
  return taints
    .filter((taint) => effects.includes(taint.effect) && !STANDING_TAINTS.has(taint.key))
    .every((taint) => tolerations.some((toleration) => tolerates(toleration, taint)));
}

/** As the scheduler has it: an absent key (with Exists) or effect stands for all of them. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.operator === 'Exists') return !toleration.key || toleration.key === taint.key;
  return toleration.key === taint.key && (toleration.value ?? '') === (taint.value ?? '');
}
