/** The broker that a slice waits for: whether anybody is there, as far as the asker may see. */
import { list, type SliverPod } from './cluster.ts';
import { type Kubectl, KubectlError } from './run.ts';

/** `Hidden`: the asker may not see it. */
export type BrokerSeen = 'NoNamespace' | 'NoPods' | 'Running' | 'Hidden';

export async function readBroker(kubectl: Kubectl, namespace: string): Promise<BrokerSeen> {
  try {
    await kubectl.read('get', 'namespaces', namespace, '-o', 'name');
    const pods = await list<SliverPod>(kubectl, 'pods', '--namespace', namespace);
    return pods.some(({ status }) => status?.phase === 'Running') ? 'Running' : 'NoPods';
  } catch (error) {
    if (!(error instanceof KubectlError)) throw error;
    if (/forbidden/i.test(error.message)) return 'Hidden';
    if (/not ?found/i.test(error.message)) return 'NoNamespace';
    throw error;
  }
}

/** What helps a slice of that namespace that waits for a broker which has told nothing of it. `isBound`: some right is. Pure. */
export function adviseBroker(broker: string, seen: BrokerSeen, namespace: string, isBound: boolean): string {
  const byHand = isBound ? '' : 'bind by hand a right on each node that it wants (spec.sliceName of an rcap), or ';
  const letIn = `Does it ask its clients to let it in, as the queue does by a RoleBinding to slice-queue-client in namespace ${namespace}?`;
  if (seen === 'NoNamespace') {
    return `There is no namespace ${broker}: correct spec.broker, or leave it out to have the default broker.`;
  }
  if (seen === 'NoPods') {
    return `No pod runs in namespace ${broker}, so no program answers there: ${byHand}ask who runs that broker.`;
  }
  const doubt = seen === 'Hidden' ? 'Is there a namespace of that name, and a broker that runs there? ' : '';
  return `The broker has said nothing of it. ${doubt}${letIn} Else ${byHand}lower spec.placement.count to the nodes that it has.`;
}
