/** Keeps one SliceNode a Node. */
import { API_VERSION } from '../../crds/names.ts';
import type { SliceNode } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Log } from '../../kube/log.ts';
import { Done, type Outcome } from '../../kube/workers.ts';
import { MANAGER, STATUS_MANAGER } from '../managers.ts';
import { planNodeRestraints } from '../restraint/nodes.ts';
import { restraintCritic } from '../restraint/wrong.ts';
import { BY_NODE, type Stores } from '../stores.ts';
import { type Combinations, type LeftOut, policiesOn } from './defaults.ts';
import { planNode } from './plan.ts';

const MOST_TOLD = 1_000;

export function nodeReconciler(of: {
  client: ApiClient;
  stores: Stores;
  combinations: Combinations;
  recorder: Pick<EventRecorder, 'record'>;
  log: Log;
}) {
  const told = new Set<string>();
  const criticise = restraintCritic(of.recorder);
  /** Once for each generation of a policy: the first of its nodes speaks for all. */
  const complain = (node: string, { policy, why }: LeftOut): void => {
    const key = `${policy.metadata.uid}/${policy.metadata.generation}`;
    if (told.has(key)) return;
    if (told.size >= MOST_TOLD) told.clear();
    told.add(key);
    of.recorder.record(policy, 'Warning', 'InvalidSpec', `not in force on node ${node}: ${why}`);
  };
  return async (name: string, signal: AbortSignal): Promise<Outcome> => {
    const { stores } = of;
    const present = stores.sliceNodes.get(name);
    criticise(stores.restraints.list());
    const restraints = planNodeRestraints(stores.restraints.list(), stores.capabilities.byIndex(BY_NODE, name));
    const node = stores.nodes.get(name);
    const policies = policiesOn(stores.sliceNodePolicies.list(), node?.metadata.labels ?? {});
    const { defaults, leftOut } = of.combinations.of(policies);
    if (node) for (const one of leftOut) complain(name, one);
    const { create, status } = planNode(name, node, present, restraints, defaults);
    let uid = present?.metadata.uid;
    if (create) {
      try {
        uid = (await of.client.create(create, { fieldManager: MANAGER, signal })).metadata.uid;
        of.log.info({ node: name }, 'a SliceNode was made');
      } catch (error) {
        // its event is on its way and brings us back here
        if (isAlreadyExists(error)) return Done;
        throw error;
      }
    }
    if (status) {
      const object: SliceNode = { apiVersion: API_VERSION, kind: 'SliceNode', metadata: { name, uid }, status };
      await of.client.apply(object, { fieldManager: STATUS_MANAGER, force: true, subresource: 'status' }, signal);
      const fields = { node: name, uid: status.node?.uid, restraints: restraints.length, policies: defaults?.policies };
      of.log.info(fields, 'what a node manager goes by was written to its SliceNode');
    }
    return Done;
  };
}
