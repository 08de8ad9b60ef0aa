/** Why a slice is not Ready, in sentences: what keeps it, who refused, and what would help. */
import { BrokerCondition, getCondition, SliceCondition, type Condition } from '../../crds/conditions.ts';
import { ANNOTATION_OVERRIDES, LABEL_NODE, nodeLabelValue } from '../../crds/names.ts';
import { formatRate, quantityOrZero } from '../../crds/quantity.ts';
import { ownersWord } from '../../crds/text.ts';
import type { ResourceCapability, Slice, SliceNode } from '../../crds/types.ts';
import { adviceOf, HELD_ADVICE, QUEUE_ADVICE, RIGHT_ADVICE, SLICE_ADVICE } from './advice.ts';
import { adviseBroker, type BrokerSeen } from './broker.ts';
import type { Sliver, SliverPod } from './cluster.ts';
import { clean } from './table.ts';

export interface WhyInput {
  slice: Slice;
  slivers: readonly Sliver[];
  /** undefined where the asker may not see them. */
  nodes: readonly SliceNode[] | undefined;
  /** What there is in the namespace that spec.broker names; undefined where it names none. */
  broker?: BrokerSeen | undefined;
}

/** Those of Allocated that have nothing to do with which nodes there are, or name them. */
const NOT_OF_NODES: ReadonlySet<string> = new Set([
  'InsufficientSiteShares',
  'OverridesConflict',
  'InvalidSpec',
  'WindowPast',
  'HostNetworkNotAllowed',
]);

/** At least one sentence each a line, without a line's end. Pure. */
export function planWhy({ slice, slivers, nodes, broker }: WhyInput): string[] {
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
  const said = saidByOthers(slice);
  lines.push(...said);
  if (spec.suspended) lines.push('Its author suspended it: set spec.suspended to false.');
  for (const { name, suspended, egressLimit, reason, contact } of status?.restraints ?? []) {
    const what = suspended ? 'suspends it' : `holds each sliver to ${formatRate(quantityOrZero(egressLimit))}`;
    const ask = contact === undefined ? 'whoever made it' : contact;
    lines.push(`Restraint ${name} ${what}: ${sentence(reason)} Only those who may delete it can end that: ask ${ask}.`);
  }
  const reasons = seen ? missing(status?.conditions).map(({ reason }) => reason) : [];
  if (reasons.includes('WaitingForBroker') && spec.broker !== undefined && said.length === 0) {
    lines.push(adviseBroker(spec.broker, broker ?? 'Hidden', metadata.namespace ?? '', slivers.length > 0));
  }
  lines.push(...new Set(reasons.map((reason) => adviceOf(SLICE_ADVICE, reason)).filter((help) => help !== '')));
  const suspended =
    reasons.includes('Suspended') && (spec.suspended || status?.restraints?.some((one) => one.suspended) === true);
  for (const sliver of slivers) lines.push(...aboutSliver(sliver, nodes, suspended));
  const silent = wanted - slivers.length;
  // the pool's books name those nodes, and another broker's are its own
  if (silent > 0 && !reasons.some((reason) => NOT_OF_NODES.has(reason)) && spec.broker === undefined)
    lines.push(`${silent} more of the nodes that it wants are not asked: ${where(slice, nodes)}`);
  return lines.map(clean);
}

/** The operator's own conditions that say that something is missing, in their order. */
function missing(conditions: readonly Condition[] | undefined): Condition[] {
  return Object.values(SliceCondition).flatMap((type) => {
    const one = getCondition(conditions, type);
    return one?.status === 'False' ? [one] : [];
  });
}

/** What its broker tells its author, and what helps. */
function saidByOthers({ spec, status }: Slice): string[] {
  const others = (status?.conditions ?? []).filter(({ type }) => !Object.hasOwn(SliceCondition, type));
  return others.map(({ type, reason, message }) => {
    if (type !== BrokerCondition.Queued) return `Its condition ${type} says (${reason}): ${sentence(message)}`;
    const help = adviceOf(QUEUE_ADVICE, reason);
    return `The queue in namespace ${spec.broker} says: ${sentence(message)} ${help}`.trim();
  });
}

function aboutSliver(sliver: Sliver, nodes: readonly SliceNode[] | undefined, suspended: boolean): string[] {
  const applied = sliver.right.metadata.annotations?.[ANNOTATION_OVERRIDES];
  const lines = standingOf(sliver, nodes, suspended);
  return applied ? [...lines, `${sliver.node} is asked with the overrides ${applied.replaceAll(',', ', ')}.`] : lines;
}

/** `suspended`: who suspends the slice everywhere was told already. */
function standingOf({ node, right, pod }: Sliver, nodes: WhyInput['nodes'], suspended: boolean): string[] {
  const conditions = right.status?.conditions;
  const granted = getCondition(conditions, 'Granted');
  if (!granted) return [unanswered(right, nodes)];
  if (granted.status !== 'True' || granted.reason === 'ResizeDenied') {
    return [
      `${node} refused (${granted.reason}): ${sentence(granted.message)} ${helpFor(granted, right, nodes)}`.trim(),
    ];
  }
  const lines: string[] = [];
  const [enforced, ready] = [getCondition(conditions, 'Enforced'), getCondition(conditions, 'Ready')];
  const problem = pod && problemOf(pod);
  if (ready?.status === 'False' && HELD.has(ready.reason)) {
    // told once for the slice, and not again for each of its nodes, but where the node's owner does so as well
    const isTold = ready.reason === 'Suspended' && suspended && ownersWord(ready.message) === undefined;
    if (!isTold) lines.push(`${node} gives it nothing now ${advised(ready, { ...RIGHT_ADVICE, ...HELD_ADVICE })}`);
  } else if (problem) {
    lines.push(`${node}: the pod ${pod.metadata.name} does not run: ${sentence(problem)}`);
  } else if (enforced?.status === 'False' && !QUIET.has(enforced.reason)) {
    lines.push(`${node} can't keep its promise ${advised(enforced)}`);
  }
  const budget = getCondition(conditions, 'WithinBudget');
  if (budget?.status === 'False') {
    lines.push(`${node}: ${sentence(budget.message)} ${adviceOf(RIGHT_ADVICE, budget.reason)}`.trim());
  }
  return lines;
}

/** No pod yet, or not now: the Slice says why. */
const QUIET: ReadonlySet<string> = new Set(['NoPod', 'Suspended', 'WindowNotOpen', 'NotBound']);
/** What is granted and does not hold now, with or without a pod. */
const HELD: ReadonlySet<string> = new Set(['Blackout', 'GivenAway', 'Suspended', 'Expired']);

function advised({ reason, message }: Condition, advice: Readonly<Record<string, string>> = RIGHT_ADVICE): string {
  return `(${reason}): ${sentence(message)} ${adviceOf(advice, reason)}`.trim();
}

/** Of a right without conditions: nobody but its node writes them. */
function unanswered({ metadata, spec, status }: ResourceCapability, nodes: WhyInput['nodes']): string {
  const { nodeName: node } = spec;
  // one whose Node never was there has an owner's words, and nobody who acts on them
  if (nodes && !nodes.some((one) => one.metadata.name === node && one.status?.node?.uid !== undefined)) {
    return `There is no node ${node}: delete rcap ${metadata.name}, and ask one that is READY in kubectl get sln.`;
  }
  const label = `${LABEL_NODE}=${nodeLabelValue(node)}`;
  if (metadata.labels?.[LABEL_NODE] !== nodeLabelValue(node)) {
    return `${node} does not see rcap ${metadata.name}: kubectl label rcap ${metadata.name} ${label} --overwrite.`;
  }
  if (spec.redeem !== undefined && status?.redeemDigest === undefined) {
    return `${node} waits for the operator to read the Secret ${spec.redeem}: is the chart's value operator.transfers set (kubectl describe rcap ${metadata.name})?`;
  }
  return `${node} has not answered: is its node manager running (kubectl get sln ${node})?`;
}

function helpFor({ reason }: Condition, { spec }: ResourceCapability, nodes: readonly SliceNode[] | undefined): string {
  const help = adviceOf(RIGHT_ADVICE, reason);
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
  const { policy = 'Any', topologyKey } = spec.placement ?? {};
  const labelled =
    policy === 'Any' ? '' : `, or name in its topologyKey a label that they have (kubectl get nodes -L ${topologyKey})`;
  const help = `lower spec.placement.count, or widen the selector and tolerations of spec.placement${labelled}`;
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
