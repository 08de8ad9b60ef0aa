/** Which statuses are due after a pass: those of which something changed. */
import { API_VERSION } from '../../crds/names.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import type { Entry, Ledger } from '../admission/ledger.ts';
import type { Policy } from '../admission/policy.ts';
import { leftAt, partsOf } from '../admission/split.ts';
import type { BudgetVerdict } from '../budget/plan.ts';
import type { PodRecord } from '../pods.ts';
import { type Hold, suspendersOf, suspensionsBy } from '../restraint.ts';
import type { Problem } from '../sliver.ts';
import { blackoutAt, isOfAnother, whyNot } from '../standing.ts';
import { planCapabilityStatus } from './capability.ts';
import { type NodeFactsReported, planNodeStatus } from './node.ts';
import type { Reporter } from './reporter.ts';

/** A snapshot of what one pass saw and did. */
export interface PassOutcome {
  rcaps: readonly ResourceCapability[];
  ledger: Ledger;
  pods: readonly PodRecord[];
  problems: readonly Problem[];
  blackouts: Policy['blackouts'];
  holds: readonly Hold[];
  /** Of pods that have a budget of bytes. */
  budgets?: readonly BudgetVerdict[];
  now: number;
}

/** What a status was made from; all of them are replaced, never changed in place. */
interface Sources {
  rcap: ResourceCapability;
  entry: Entry;
  pod: PodRecord | undefined;
  problems: string;
  whyNot: string | undefined;
  blackout: string | undefined;
  suspenders: string;
  suspendedBy: string;
  budget: string | undefined;
  split: string;
}

/** A thousand statuses need not be made anew in each pass when nothing changed. */
export class Statuses {
  readonly #reporter: Pick<Reporter, 'report' | 'keep'>;
  readonly #made = new Map<string, Sources>();

  constructor(reporter: Pick<Reporter, 'report' | 'keep'>) {
    this.#reporter = reporter;
  }

  /** Right after admission: rights without a pod wait for no enforcer. */
  granted(outcome: PassOutcome): void {
    this.#capabilities(outcome, false);
  }

  /** After the enforcers; `full` looks at every rcap, whether something changed or not: a write may have been lost. */
  enforced(outcome: PassOutcome, full: boolean): void {
    if (full) this.#made.clear();
    this.#capabilities(outcome, true);
  }

  node(facts: NodeFactsReported): void {
    const { metadata, kind, status } = facts.sliceNode;
    const { name, uid } = metadata;
    const { node: _, restraints: __, defaults: ___, requests: ____, refusals: _____, ...observed } = status ?? {};
    const wanted = { apiVersion: API_VERSION, kind, metadata: { name, uid }, status: planNodeStatus(facts) };
    this.#reporter.report(name, wanted, observed);
  }

  /** Forgets what is reported no more. */
  keep(rcaps: readonly ResourceCapability[], nodeName: string): void {
    const uids = new Set(rcaps.map(({ metadata }) => metadata.uid ?? ''));
    for (const uid of this.#made.keys()) if (!uids.has(uid)) this.#made.delete(uid);
    this.#reporter.keep(uids.add(nodeName));
  }

  #capabilities(outcome: PassOutcome, withPod: boolean): void {
    const { rcaps, ledger, pods, problems, blackouts, holds, budgets, now } = outcome;
    const entries = new Map(ledger.entries.map((entry) => [entry.uid, entry]));
    const parts = partsOf(ledger.entries);
    const byRight = suspensionsBy(holds);
    const on = blackoutAt(blackouts, now);
    const isHolder = (pod: PodRecord): boolean =>
      !pod.unpublished && !isOfAnother(pod, entries.get(pod.rcap.uid)?.grant);
    const holders = new Map(pods.filter(isHolder).map((pod) => [pod.rcap.uid, pod]));
    const general = problems.filter(({ sliver }) => sliver === undefined);
    const verdicts = new Map(budgets?.map((verdict) => [verdict.sliver, verdict]));
    const own = Map.groupBy(problems, ({ sliver }) => sliver);
    for (const rcap of rcaps) {
      const { uid = '', name, namespace } = rcap.metadata;
      const entry = entries.get(uid);
      const pod = holders.get(uid);
      // what a Node that was registered anew has not looked at yet is as it was told last
      if (!(entry?.grant ?? entry?.refusal) || (pod && !withPod)) continue;
      const known = pod ? [...(own.get(pod.uid) ?? []), ...general] : [];
      const away = parts.get(uid) ?? [];
      const why = whyNot(entry, blackouts, now, holds, away);
      const blackout = why === 'Blackout' ? on : undefined;
      const held = { namespace: entry.namespace, slice: entry.grant?.sliceName, uid };
      const suspenders = why === 'Suspended' ? suspendersOf(holds, held) : [];
      const suspendedBy = byRight.get(uid) ?? [];
      const parent = entry.grant?.parent === undefined ? undefined : entries.get(entry.grant.parent);
      const split = {
        left: entry.grant && leftAt(entry.grant, away, now),
        from: parent && `${parent.namespace}/${parent.name}`,
      };
      const budget = pod && verdicts.get(pod.uid);
      const sources: Sources = {
        rcap,
        entry,
        pod,
        problems: JSON.stringify(known),
        whyNot: why,
        blackout,
        suspenders: suspenders.join('; '),
        suspendedBy: JSON.stringify(suspendedBy),
        budget: budget && `${budget.reason} ${budget.message}`,
        split: JSON.stringify(split),
      };
      // A pod without an address is a matter of time as well.
      const awaited = pod?.addresses.length === 0 && pod.amounts.network === 'Pod';
      if (!awaited && isSame(this.#made.get(uid), sources)) continue;
      this.#made.set(uid, sources);
      const facts = {
        rcap,
        entry,
        nodeUID: ledger.nodeUID ?? '',
        pod,
        problems: known,
        whyNot: why,
        blackout,
        suspenders,
        suspendedBy,
        budget,
        split,
        now,
      };
      const metadata = { name, namespace, uid };
      const status = planCapabilityStatus(facts);
      this.#reporter.report(
        uid,
        { apiVersion: API_VERSION, kind: 'ResourceCapability', metadata, status },
        ownPart(rcap.status),
      );
    }
  }
}

/** The digests are the operator's. */
function ownPart(status: ResourceCapability['status']): object | undefined {
  if (!status) return undefined;
  const { valueSecret: _a, valueDigest: _b, valueSince: _c, redeemDigest: _d, redeemGeneration: _e, ...own } = status;
  return own;
}

function isSame(a: Sources | undefined, b: Sources): boolean {
  return a !== undefined && (Object.keys(b) as (keyof Sources)[]).every((key) => a[key] === b[key]);
}
