/** Rights that are asked for by hand, and what their nodes answer. */
import { type Condition, getCondition } from '../../crds/conditions.ts';
import { API_VERSION, LABEL_NODE } from '../../crds/names.ts';
import type { ResourceCapability, ResourceCapabilitySpec } from '../../crds/types.ts';
import { type ObjectRef, Resources } from '../../kube/resources.ts';
import type { Product } from './product.ts';

/** A right of the node, with the label by which the node finds it. */
export function rightOf(
  node: string,
  namespace: string,
  name: string,
  spec: Partial<ResourceCapabilitySpec> = {},
): ResourceCapability {
  return {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: { name, namespace, labels: { [LABEL_NODE]: node } },
    spec: { nodeName: node, contact: 'e2e@example.org', ...spec },
  };
}

export const readRight = (
  product: Product,
  { metadata: { namespace, name } }: { metadata: ObjectRef },
): Promise<ResourceCapability | undefined> =>
  product.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name });

/** What the node said last, whatever the spec was then. */
export async function grantedOf(product: Product, right: { metadata: ObjectRef }): Promise<Condition | undefined> {
  return getCondition((await readRight(product, right))?.status?.conditions, 'Granted');
}

/** Asks, and waits for the node's answer to just this spec. */
export async function ask(product: Product, right: ResourceCapability): Promise<Condition> {
  await product.apply(right);
  const answered = async (): Promise<boolean> => {
    const { metadata, status } = (await readRight(product, right))!;
    return status?.observedGeneration === metadata.generation;
  };
  await product.until(`an answer to ${right.metadata.name}`, answered);
  return (await grantedOf(product, right))!;
}
