/** Writes where a SliceNodePolicy is in force to its status: an Event that says that it is not is gone after an hour. */
import { isDeepStrictEqual } from 'node:util';
import { API_VERSION } from '../../crds/names.ts';
import type { SliceNodePolicy } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import { isStatus } from '../../kube/errors.ts';
import { After, Done, type Outcome } from '../../kube/workers.ts';
import { isDeleting, type KubeObject } from '../kinds.ts';
import { STATUS_MANAGER } from '../managers.ts';
import { Pace } from '../slice/pace.ts';
import type { Stores } from '../stores.ts';
import { type Combinations, policiesOn } from './defaults.ts';
import { type Governed, planPolicyStatus } from './policystatus.ts';

/** Between two writes: nodes that come one by one are told of in a few. */
const INTERVAL_MS = 5_000;

export interface PolicyDeps {
  client: Pick<ApiClient, 'apply'>;
  stores: Pick<Stores, 'sliceNodePolicies' | 'nodes'>;
  combinations: Combinations;
  /** ms since the epoch, and ms that only ever grow. */
  now(): number;
  monotonic(): number;
}

export function policyReconciler({ client, stores, combinations, now, monotonic }: PolicyDeps) {
  const pace = new Pace(monotonic, INTERVAL_MS);
  return async (name: string, signal: AbortSignal): Promise<Outcome> => {
    const policy = stores.sliceNodePolicies.get(name);
    if (!policy || isDeleting(policy)) {
      pace.forget(name);
      return Done;
    }
    const status = planPolicyStatus(policy, governedBy(policy), now());
    if (isDeepStrictEqual(status, policy.status)) return Done;
    const isEdited = policy.status?.observedGeneration !== policy.metadata.generation;
    // whoever edits it wants to know at once
    const wait = isEdited ? 0 : pace.waitMs(name);
    if (wait > 0) return After(wait);
    const { uid } = policy.metadata;
    const object = { apiVersion: API_VERSION, kind: 'SliceNodePolicy', metadata: { name, uid }, status };
    try {
      const options = { fieldManager: STATUS_MANAGER, force: true, subresource: 'status' } as const;
      await client.apply<KubeObject>(object, options, signal);
    } catch (error) {
      // deleted meanwhile: its event is on its way
      if (isStatus(error, 404)) return Done;
      throw error;
    }
    pace.wrote(name);
    return Done;
  };

  function governedBy({ metadata: { name } }: SliceNodePolicy): Governed[] {
    const all = stores.sliceNodePolicies.list();
    const nodes = stores.nodes.list().filter((node) => !isDeleting(node));
    return nodes
      .map(({ metadata }) => ({ node: metadata.name, policies: policiesOn(all, metadata.labels ?? {}) }))
      .filter(({ policies }) => policies.some((one) => one.metadata.name === name))
      .map(({ node, policies }) => ({ node, together: combinations.of(policies) }))
      .toSorted((a, b) => (a.node < b.node ? -1 : 1));
  }
}
