/** One pass: gather, admit, say what is desired, make the kernel so, report. */
import type { Logger } from 'pino';
import type { ResourceCapability, RspecPort } from '../crds/types.ts';
import type { AddressWatch } from './addresses/watch.ts';
import type { HeldPort } from './admission/held.ts';
import { beyondIn } from './admission/beyond.ts';
import { grantsOf, nextEdge, sumsAt } from './admission/ledger.ts';
import { type Decision, hasQuestions } from './admission/plan.ts';
import { egressLimitOf, offered, type Policy, policyOf } from './admission/policy.ts';
import type { Turns } from './admission/turns.ts';
import { admit } from './admit.ts';
import type { Audit } from './audit/start.ts';
import type { Budgets } from './budget/budgets.ts';
import type { NodeState } from './checkpoint.ts';
import { attempt, gather, type Gathered, type GatherParts } from './gather.ts';
import type { GrantLog } from './grantlog.ts';
import type { PodRecord } from './pods.ts';
import type { NodeMetrics } from './report/metrics.ts';
import { accounts, type NodeFactsReported } from './report/node.ts';
import type { Statuses } from './report/statuses.ts';
import type { Desired, Enforcer, NodeFacts, Problem, Sliver } from './sliver.ts';
import { holdsOf } from './restraint.ts';
import { planStandings } from './standing.ts';
import { hearSuspended } from './suspension.ts';
import type { SliverDirectories } from './volume/directory.ts';

export interface PassParts extends GatherParts {
  nodeName: string;
  grantLog: Pick<GrantLog, 'append' | 'owe'>;
  turns: Turns;
  /** Tells whoever has the right what became of it. */
  announce(decision: Decision): void;
  /** Every rcap with our label; undefined while the API server was not heard completely. */
  rcaps(): readonly ResourceCapability[] | undefined;
  /** Keeps these ports from being taken by chance, then says who has which of them. */
  heldPorts(asked: readonly RspecPort[]): Promise<HeldPort[]>;
  /** Whether a pod's containers are made and run. */
  hasStarted(podUid: string): boolean;
  /** Whether a pod has left no trace: neither processes nor a directory of the kubelet's. */
  isGone(podUid: string): boolean;
  budgets: Pick<Budgets, 'apply' | 'save'>;
  audit: Pick<Audit, 'problems' | 'page'>;
  /** What else the node's status says; absent in tests. */
  published?(): Pick<NodeFactsReported, 'address' | 'sensorPage' | 'sensors'>;
  enforcers: readonly Enforcer[];
  directories: Pick<SliverDirectories, 'write' | 'sweep'>;
  addresses: Pick<AddressWatch, 'update' | 'recheck' | 'bytesSent'>;
  statuses: Pick<Statuses, 'granted' | 'enforced' | 'node' | 'keep'>;
  metrics: NodeMetrics;
  /** Told what the kernel is about to keep. */
  onDesired(desired: Desired): void;
  attributes: Record<string, string>;
  versions: { nodeManager: string; kernel: string };
  log: Logger;
  now(): number;
}

export interface PassResult {
  problems: Problem[];
  /** Something failed that another try may mend. */
  failed: boolean;
  /** When time alone changes something: a window's edge, a penalty's end; ms since the epoch. */
  wakeAt: number | undefined;
}

/** A published pod that never started, and whose kubelet has forgotten it, is dropped after this. */
const FORGET_MS = 60_000;
/** A namespace whose turn was over is heard again after this. */
const WAITING_MS = 1_000;
/** Questions beyond what one pass answers go on after this: whoever else waits for the process is heard between. */
const MORE_MS = 10;
/** The owner's file is read again after this where it had changed just before. */
export const SETTLED_MS = 1_000;
/** One enforcer that hangs must not keep the others from their work. */
const ENFORCER_MS = 30_000;

/** `full` also looks for what came without an event: addresses, directories and pods that are gone. */
export async function runPass(parts: PassParts, full: boolean): Promise<PassResult> {
  const { store, now } = parts;
  const problems: Problem[] = [];
  const gathered = gather(parts, full || hasQuestions(store.get().ledger, parts.rcaps() ?? []), problems);
  const { node, reading } = gathered;
  const { waiting, more } = await admit(parts, gathered, problems);

  const wordsDue = hearSuspended(store, parts.rcaps(), now());
  if (full) forgetGone(parts);
  const { ledger, pods } = store.get();
  const holds = holdsOf(store.get());
  const blackouts = reading.policy?.blackouts ?? [];
  const standings = planStandings(pods, ledger, blackouts, now(), parts.hasStarted, holds);
  store.accept(changedPods(pods, standings.pods));
  attempt(problems, 'StateNotSaved', () => store.flush());
  settle(parts, pods, standings.pods, full, problems);
  // From here on others may change the store: the pass speaks of what it saw.
  const outcome = { ledger, pods: standings.pods, problems, blackouts, holds, now: now() };
  parts.statuses.granted({ ...outcome, rcaps: parts.rcaps() ?? [] });
  let budgeted: ReturnType<Budgets['apply']> | undefined;
  if (node) {
    const policy = reading.policy ?? policyOfGrants(ledger, store.get().orders, now());
    budgeted = parts.budgets.apply(standings.slivers, policy);
    attempt(problems, 'BudgetNotSaved', () => parts.budgets.save());
    const slivers = full ? countSent(parts, budgeted.slivers) : budgeted.slivers;
    const ports = grantsOf(ledger).flatMap(({ amounts, parent }) => (parent === undefined ? amounts.ports : []));
    const desired = { slivers, ports, facts: factsOf(parts.nodeName, node, policy) };
    parts.onDesired(desired);
    problems.push(...(await enforce(parts, desired)));
  }
  problems.push(...parts.audit.problems());
  parts.metrics.slivers(standings.slivers);
  const budgets = budgeted?.verdicts ?? [];
  parts.statuses.enforced({ ...outcome, budgets, rcaps: parts.rcaps() ?? [], now: now() }, full);
  reportNode(parts, ledger, gathered, problems);

  const edges = [
    wordsDue,
    standings.wakeAt,
    budgeted?.wakeAt,
    nextEdge(ledger, now()),
    nextBlackout(reading.policy, now()),
  ];
  if (waiting) edges.push(now() + WAITING_MS);
  if (more) edges.push(now() + MORE_MS);
  if (reading.unsettled) edges.push(now() + SETTLED_MS);
  const wakeAt = Math.min(...edges.map((edge) => edge ?? Infinity));
  const failed = problems.some(({ reason }) => RETRIED.has(reason));
  return { problems, failed, wakeAt: Number.isFinite(wakeAt) ? wakeAt : undefined };
}

/** Failures of ours, as opposed to states of the node that a person must change. */
const RETRIED: ReadonlySet<string> = new Set([
  'AdmissionFailed',
  'StateNotSaved',
  'DirectoryNotWritten',
  'EnforcerFailed',
  'RequestsUnknown',
  'PortsUnknown',
]);

/** Pods of which nothing is left but our record: a kubelet whose state was wiped never takes their volume back. */
function forgetGone({ store, isGone, now }: PassParts): void {
  const { pods } = store.get();
  const left = pods.filter((pod) => (now() - pod.publishedAt < FORGET_MS && !pod.unpublished) || !isGone(pod.uid));
  if (left.length < pods.length) store.accept({ pods: left });
}

/** What slivers see of themselves, and whose addresses are looked for. */
function settle(
  { directories, addresses }: PassParts,
  before: readonly PodRecord[],
  pods: readonly PodRecord[],
  full: boolean,
  problems: Problem[],
): void {
  for (const pod of pods) {
    if (!before.includes(pod)) attempt(problems, 'DirectoryNotWritten', () => directories.write(pod), pod.uid);
  }
  addresses.update(pods.map((pod) => ({ ...pod, network: pod.amounts.network })));
  if (!full) return;
  addresses.recheck();
  directories.sweep(new Set(pods.map((pod) => pod.uid)));
}

function changedPods(before: NodeState['pods'], after: NodeState['pods']): Partial<NodeState> {
  return after.some((pod, i) => pod !== before[i]) ? { pods: after } : {};
}

/** What is enforced where nobody knows what the owner says: all that was granted, and no more than that is sent. */
function policyOfGrants(ledger: NodeState['ledger'], { cap }: NodeState['orders'], now: number): Policy {
  return { ...policyOf({}, cap?.egressLimit), egressLimit: sumsAt(grantsOf(ledger), now).egress };
}

function factsOf(nodeName: string, node: NonNullable<NodeState['node']>, policy: Policy): NodeFacts {
  const { cpuMilli, memory } = node;
  const { lines, exempt, otherInterfaces, echoRate, optionRate } = policy;
  const egressLimit = egressLimitOf(policy);
  return { nodeName, cpuMilli, memory, lines, egressLimit, exempt, otherInterfaces, echoRate, optionRate };
}

/** What pods sent by their own count, beside what their classes counted; too dear for every pass. */
function countSent({ addresses }: PassParts, slivers: readonly Sliver[]): Sliver[] {
  return slivers.map((sliver) => {
    const txBytes = addresses.bytesSent(sliver.id);
    return txBytes === undefined ? sliver : { ...sliver, txBytes };
  });
}

/** One after the other; a failure of one does not stop the others. */
async function enforce(parts: PassParts, desired: Desired): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const enforcer of parts.enforcers) {
    try {
      const result = await within(ENFORCER_MS, (signal) => enforcer.enforce(desired, signal));
      parts.metrics.enforced(enforcer.name, result.writes, result.problems.length);
      problems.push(...result.problems);
    } catch (error) {
      parts.metrics.enforced(enforcer.name, 0, 1);
      parts.log.error({ enforcer: enforcer.name, err: error }, 'enforcer failed');
      const message = `${enforcer.name}: ${(error as Error).message}`;
      problems.push({ reason: 'EnforcerFailed', message });
    }
  }
  return problems;
}

function reportNode(
  parts: PassParts,
  ledger: NodeState['ledger'],
  { node, reading: { policy, problem }, otherRequests, lineRate, generation }: Gathered,
  problems: readonly Problem[],
): void {
  const { statuses, nodeName, attributes, versions } = parts;
  const sliceNode = parts.sliceNode();
  const books = node && policy && offered(policy, node, otherRequests, lineRate);
  const now = parts.now();
  parts.metrics.books(accounts(ledger, books, now));
  if (sliceNode) {
    const auditPage = parts.audit.page();
    const beyond = (policy && node && beyondIn(ledger, policy, node, now)) ?? [];
    const { orders } = parts.store.get();
    const known = {
      orders,
      sliceNode,
      ledger,
      offered: books,
      policy,
      beyond,
      policyProblem: problem,
      generation,
      problems,
      auditPage,
    };
    statuses.node({ ...known, ...parts.published?.(), attributes, versions, now });
  }
  const rcaps = parts.rcaps();
  if (rcaps) statuses.keep(rcaps, nodeName);
}

function nextBlackout(policy: Policy | undefined, now: number): number | undefined {
  const edges = (policy?.blackouts ?? []).flatMap(({ period }) => [period.start ?? 0, period.end ?? 0]);
  const ahead = edges.filter((edge) => edge > now);
  return ahead.length > 0 ? Math.min(...ahead) : undefined;
}

async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(ms);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error(`took longer than ${ms} ms`)), { once: true });
  });
  return await Promise.race([work(signal), late]);
}
