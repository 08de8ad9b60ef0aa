/** Why a slice is not Ready, in sentences: what keeps it, who refused, and what would help. */
import { BrokerCondition, getCondition, type Condition } from '../../crds/conditions.ts';
import { ANNOTATION_OVERRIDES } from '../../crds/names.ts';
import { formatRate, quantityOrZero } from '../../crds/quantity.ts';
import type { ResourceCapability, Slice, SliceNode } from '../../crds/types.ts';
import type { Sliver, SliverPod } from './cluster.ts';
import { clean } from './table.ts';

export interface WhyInput {
  slice: Slice;
  slivers: readonly Sliver[];
  /** undefined where the asker may not see them. */
  nodes: readonly SliceNode[] | undefined;
}

/** What helps, by the reason of a refusal; what is not here its own message says. */
const HELP: Readonly<Record<string, string>> = {
  InsufficientShares: 'Ask for fewer shares, for another window, or on other nodes.',
  InsufficientEgress: 'Ask for a lower egress guarantee, for another window, or on other nodes.',
  InsufficientMemory: 'Ask for less memory, for another window, or on other nodes.',
  InsufficientDisk: 'Ask for less disk, for another window, or on other nodes.',
  InsufficientPods: 'The node is full: ask on other nodes, or its owner to raise spec.pods.',
  PortInUse: 'Take another port, or end what has it.',
  PortNotOffered: "Take one of the node's spec.ports, or ask its owner.",
  PrivilegeNotOffered: 'Leave the privilege out, or ask the owner of the node.',
  HostNetworkNotOffered: 'Use network: Pod, or ask the owner of the node.',
  NamespaceBudget: "Release other rights of the namespace, or ask the node's owner for a larger budget.",
  NamespaceRefused: 'Ask the owner of the node, or go to other nodes.',
  Evicted: 'Ask for less, or on other nodes: the owner offers less than before.',
  InsufficientSiteShares:
    "Ask for fewer shares or nodes, for another window, release other slices of the site, or ask the cluster's owner for a larger pool.",
  OverridesConflict: 'Give egress.guarantee and egress.limit in one override.',
  WindowPast: 'Set a later spec.window.end.',
  Expired: 'Set a later spec.window.end.',
  Blackout: 'Ask for a window that does not meet the blackout.',
  ResizeDenied: 'The old grant holds: undo the edit, or ask for less.',
  BudgetLow: 'Send less until the day (UTC) is over, or ask the owner for a larger bytesPerDay.',
  BudgetSpent: 'Wait until the day (UTC) is over, or ask the owner for a larger bytesPerDay.',
};

/** At least one sentence each a line, without a line's end. Pure. */
export function planWhy({ slice, slivers, nodes }: WhyInput): string[] {
  const { metadata, status, spec } = slice;
  const who = `${metadata.namespace}/${metadata.name}`;
  const ready = getCondition(status?.conditions, 'Ready');
  const seen = status?.observedGeneration === metadata.generation;
  if (!ready)
    return [
      `${who} has no status: no operator has looked at it. Is it running (kubectl get pods -A -l app.kubernetes.io/part-of=slice-operator)?`,
    ];
  const lines: string[] = [];
  const { wanted = 0, running = 0 } = status?.nodes ?? {};
  if (ready.status === 'True' && seen) lines.push(`${who} is Ready: ${running} of ${wanted} slivers run.`);
  else lines.push(`${who} is not Ready (${ready.reason}): ${sentence(ready.message)}`);
  if (!seen) lines.push('The operator has not looked at the last edit yet: this is about the one before.');
  const accepted = getCondition(status?.conditions, 'Accepted');
  if (accepted?.status === 'False' && accepted.message !== ready.message) lines.push(sentence(accepted.message));
  const queued = getCondition(status?.conditions, BrokerCondition.Queued);
  if (queued) lines.push(`The queue in namespace ${spec.broker} says: ${sentence(queued.message)}`);
  if (spec.suspended) lines.push('Its author suspended it: set spec.suspended to false.');
  for (const { name, suspended, egressLimit, reason, contact } of status?.restraints ?? []) {
    const what = suspended ? 'suspends it' : `holds each sliver to ${formatRate(quantityOrZero(egressLimit))}`;
    const ask = contact === undefined ? 'whoever made it' : contact;
    lines.push(`Restraint ${name} ${what}: ${sentence(reason)} Only those who may delete it can end that: ask ${ask}.`);
  }
  const help = HELP[getCondition(status?.conditions, 'Allocated')?.reason ?? ''];
  if (seen && help !== undefined) lines.push(help);
  for (const sliver of slivers) lines.push(...aboutSliver(sliver, nodes));
  const silent = wanted - slivers.length;
  // the pool's books name those nodes, and another broker's are its own
  if (silent > 0 && help === undefined && spec.broker === undefined)
    lines.push(`${silent} more of the nodes that it wants are not asked: ${where(slice, nodes)}`);
  return lines.map(clean);
}

function aboutSliver(sliver: Sliver, nodes: readonly SliceNode[] | undefined): string[] {
  const applied = sliver.right.metadata.annotations?.[ANNOTATION_OVERRIDES];
  const lines = standingOf(sliver, nodes);
  return applied ? [...lines, `${sliver.node} is asked with the overrides ${applied.replaceAll(',', ', ')}.`] : lines;
}

function standingOf({ node, right, pod }: Sliver, nodes: readonly SliceNode[] | undefined): string[] {
  const conditions = right.status?.conditions;
  const granted = getCondition(conditions, 'Granted');
  if (!granted) return [`${node} has not answered: is its node manager running (kubectl get sln ${node})?`];
  if (granted.status !== 'True' || granted.reason === 'ResizeDenied') {
    return [
      `${node} refused (${granted.reason}): ${sentence(granted.message)} ${helpFor(granted, right, nodes)}`.trim(),
    ];
  }
  const lines: string[] = [];
  const enforced = getCondition(conditions, 'Enforced');
  const problem = pod && problemOf(pod);
  if (problem) lines.push(`${node}: the pod ${pod.metadata.name} does not run: ${sentence(problem)}`);
  else if (enforced?.status === 'False' && !QUIET.has(enforced.reason)) {
    lines.push(`${node} can't keep its promise (${enforced.reason}): ${sentence(enforced.message)}`);
  }
  const budget = getCondition(conditions, 'WithinBudget');
  if (budget?.status === 'False')
    lines.push(`${node}: ${sentence(budget.message)} ${HELP[budget.reason] ?? ''}`.trim());
  return lines;
}

/** No pod yet, or not now: the Slice says why. */
const QUIET: ReadonlySet<string> = new Set(['NoPod', 'Suspended', 'WindowNotOpen', 'NotBound']);

function helpFor({ reason }: Condition, { spec }: ResourceCapability, nodes: readonly SliceNode[] | undefined): string {
  const help = HELP[reason] ?? '';
  const shares = spec.resources?.cpu?.shares ?? 1;
  const guarantee = quantityOrZero(spec.resources?.egress?.guarantee ?? '5k');
  const hasRoom = ({ metadata, status }: SliceNode): boolean =>
    metadata.name !== spec.nodeName &&
    (status?.free?.shares ?? 0) >= shares &&
    quantityOrZero(status?.free?.egress) >= guarantee;
  if (reason !== 'InsufficientShares' && reason !== 'InsufficientEgress') return help;
  const here = nodes?.find(({ metadata }) => metadata.name === spec.nodeName)?.status?.free;
  const left = here ? ` It has ${here.shares ?? 0} shares and ${formatRate(quantityOrZero(here.egress))} left.` : '';
  const others = (nodes ?? []).filter(hasRoom).map(({ metadata }) => metadata.name);
  return `${help}${left}${others.length > 0 ? ` There is room on ${some(others)}.` : ''}`;
}

function where({ spec }: Slice, nodes: readonly SliceNode[] | undefined): string {
  const out = (nodes ?? []).flatMap(({ metadata, status }) => {
    const ready = getCondition(status?.conditions, 'Ready');
    return ready?.status === 'True' ? [] : [`${metadata.name} is not in order (${ready?.reason ?? 'no node manager'})`];
  });
  const help = `lower spec.placement.count, or widen the selector and tolerations of spec.placement`;
  const selector = Object.entries(spec.placement?.nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`);
  const match = selector.length > 0 ? ` Nodes that match: kubectl get nodes -l ${selector.join(',')}.` : '';
  return `${help}.${match}${out.length > 0 ? ` ${some(out)}.` : ''}`;
}

function problemOf({ status }: SliverPod): string | undefined {
  const waiting = status?.containerStatuses?.find(({ state }) => state?.waiting)?.state?.waiting;
  if (waiting && waiting.reason !== 'ContainerCreating') return `${waiting.reason}: ${waiting.message ?? ''}`;
  const unscheduled = status?.conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  if (unscheduled) return `it is not scheduled: ${unscheduled.message ?? ''}`;
  return status?.phase === 'Failed' ? 'it failed' : undefined;
}

function some(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

function sentence(text: string): string {
  const whole = text.trim().replace(/:$/, '');
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
