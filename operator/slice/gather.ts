/** Everything that is known of one slice, from the stores, without I/O. */
import type { KubeObject } from '../../kube/resources.ts';
import { isControlledBy, type Pod } from '../kinds.ts';
import { restraintsOn } from '../restraint/applied.ts';
import type { Books } from '../site/books.ts';
import { BY_CONTROLLER, BY_NAMESPACE, BY_SLICE, controllerKey, type Stores } from '../stores.ts';
import { nameKey, type NodeState, type SliceInput } from './plan/input.ts';
import type { Taken } from './taken.ts';

/** undefined where there is no such slice. */
export function gather(
  key: string,
  stores: Stores,
  nodes: ReadonlyMap<string, NodeState>,
  more: Pick<SliceInput, 'bootScript' | 'brokering'> & { taken: Taken; books?: Pick<Books, 'poolOf'> | undefined },
): SliceInput | undefined {
  const slice = stores.slices.get(key);
  if (!slice) return undefined;
  const { namespace = '', uid } = slice.metadata;
  const capabilities = stores.capabilities.byIndex(BY_CONTROLLER, controllerKey({ kind: 'Slice', uid }, namespace));
  const bound = stores.capabilities.byIndex(BY_SLICE, key);
  const pods = new Map<string, Pod>();
  for (const capability of [...capabilities, ...bound]) {
    const key = controllerKey({ kind: 'ResourceCapability', uid: capability.metadata.uid }, namespace);
    for (const pod of stores.pods.byIndex(BY_CONTROLLER, key)) pods.set(pod.metadata.name, pod);
  }
  return {
    slice,
    namespaceLabels: stores.namespaces.get(namespace)?.metadata.labels ?? {},
    nodes: new Map(nodes),
    restraints: restraintsOn(stores.restraints.byIndex(BY_NAMESPACE, namespace), namespace, slice.metadata.name),
    capabilities,
    bound,
    pods,
    bootScript: more.bootScript,
    brokering: more.brokering,
    pool: more.books?.poolOf(slice, present(nodes)),
    taken: { get: (wanted) => foreign(wanted) ?? more.taken.get(key, wanted) },
  };

  /** Rights of others are in the store; of other people's pods and ConfigMaps a refused write tells. */
  function foreign(wanted: string): KubeObject | undefined {
    const prefix = nameKey('ResourceCapability', '');
    if (!wanted.startsWith(prefix)) return undefined;
    const found = stores.capabilities.get(`${namespace}/${wanted.slice(prefix.length)}`);
    return found && !isControlledBy(found, slice!) ? found : undefined;
  }
}

/** Nodes that there are: of one that was deleted its owner's policy is kept, and nobody has a part of it. */
function present(nodes: ReadonlyMap<string, NodeState>): number {
  return nodes.values().reduce((count, { uid }) => count + (uid === undefined ? 0 : 1), 0);
}
