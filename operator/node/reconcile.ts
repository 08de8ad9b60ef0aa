/** Keeps one SliceNode a Node. */
import { API_VERSION } from '../../crds/names.ts';
import type { SliceNode } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { Done, type Outcome } from '../../kube/workers.ts';
import { MANAGER, STATUS_MANAGER } from '../managers.ts';
import type { Stores } from '../stores.ts';
import { planNode } from './plan.ts';

export function nodeReconciler(of: { client: ApiClient; stores: Stores; log: Log }) {
  return async (name: string, signal: AbortSignal): Promise<Outcome> => {
    const { create, facts } = planNode(name, of.stores.nodes.get(name), of.stores.sliceNodes.get(name));
    let uid = of.stores.sliceNodes.get(name)?.metadata.uid;
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
    if (facts) {
      const status: SliceNode = {
        apiVersion: API_VERSION,
        kind: 'SliceNode',
        metadata: { name, uid },
        status: { node: facts },
      };
      await of.client.apply(status, { fieldManager: STATUS_MANAGER, force: true, subresource: 'status' }, signal);
      of.log.info({ node: name, uid: facts.uid }, 'what a Node can allocate was written to its SliceNode');
    }
    return Done;
  };
}
