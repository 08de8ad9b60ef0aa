/** Keeps one SliceNode a Node. */
import { API_VERSION } from '../../crds/names.ts';
import type { SliceNode } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { Done, type Outcome } from '../../kube/workers.ts';
import { MANAGER, STATUS_MANAGER } from '../managers.ts';
import { planNodeRestraints } from '../restraint/nodes.ts';
import { BY_NODE, type Stores } from '../stores.ts';
import { planNode } from './plan.ts';

export function nodeReconciler(of: { client: ApiClient; stores: Stores; log: Log }) {
  return async (name: string, signal: AbortSignal): Promise<Outcome> => {
    const { stores } = of;
    const present = stores.sliceNodes.get(name);
    const restraints = planNodeRestraints(stores.restraints.list(), stores.capabilities.byIndex(BY_NODE, name));
    const { create, status } = planNode(name, stores.nodes.get(name), present, restraints);
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
      const fields = { node: name, uid: status.node?.uid, restraints: restraints.length };
      of.log.info(fields, 'what a node manager goes by was written to its SliceNode');
    }
    return Done;
  };
}
