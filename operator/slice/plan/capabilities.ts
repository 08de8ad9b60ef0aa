/** The rcaps of a slice: what each must say, and the writes that bring them there. */
import { API_VERSION, LABEL_NODE, LABEL_SLICE, nodeLabelValue, rcapName } from '../../../crds/names.ts';
import { fromShare } from '../../../crds/rspec.ts';
import type { ResourceCapability, ResourceCapabilitySpec, Rspec, Slice } from '../../../crds/types.ts';
import { controllerReference, refOf } from '../../kinds.ts';
import { attemptAnnotation, attemptOf } from './backoff.ts';
import type { Effect } from './input.ts';
import { mergePatch } from './mergepatch.ts';
import type { Placing } from './placement.ts';

/** What each sliver of the slice asks for, in the long form. The node must hear of the network too: it decides. */
export function askedOf(slice: Slice): Rspec | undefined {
  const { resources, share, sliver } = slice.spec;
  const asked = share === undefined ? resources : fromShare(share);
  return sliver.network === 'Host' ? { ...asked, network: 'Host' } : asked;
}

/** Acquire, renew, ask again and release, one write a sliver (two to ask again). */
export function planCapabilities(slice: Slice, placing: Placing): Effect[] {
  const release: Effect[] = placing.release.map(({ capability, why }) => ({
    kind: 'remove',
    ref: refOf(capability),
    why,
    propagation: 'Foreground',
    node: capability.spec.nodeName,
  }));
  const renew = placing.keep.flatMap((capability) => renewal(slice, capability));
  const retry: Effect[] = placing.retry.map((capability) => {
    const { nodeName } = capability.spec;
    const object = desired(slice, nodeName, attemptOf(capability) + 1);
    return { kind: 'replace', ref: refOf(capability), object, now: false, node: nodeName };
  });
  const acquire: Effect[] = placing.acquire.map(({ node, attempt }) => ({
    kind: 'create',
    object: desired(slice, node, attempt),
    node,
  }));
  return [...release, ...renew, ...retry, ...acquire];
}

/** The rcap of the slice on the node. */
function desired(slice: Slice, node: string, attempt: number): ResourceCapability {
  const annotations = attemptAnnotation(attempt);
  return {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: {
      name: rcapName(slice.metadata.name, node),
      namespace: slice.metadata.namespace,
      labels: labels(slice, node),
      ...(annotations && { annotations }),
      ownerReferences: [controllerReference(slice)],
    },
    spec: desiredSpec(slice, node),
  };
}

function desiredSpec(slice: Slice, nodeName: string): ResourceCapabilitySpec {
  const { contact, window } = slice.spec;
  const resources = askedOf(slice);
  return {
    nodeName,
    ...(resources && { resources }),
    ...(window && { window }),
    contact,
    sliceName: slice.metadata.name,
  };
}

/** Without its label a right is out of its node's sight, so the labels are put back like the spec. */
function labels(slice: Slice, node: string): Record<string, string> {
  return { [LABEL_SLICE]: slice.metadata.name, [LABEL_NODE]: nodeLabelValue(node) };
}

function renewal(slice: Slice, capability: ResourceCapability): Effect[] {
  const node = capability.spec.nodeName;
  const present = capability.metadata.labels ?? {};
  // whoever wants to pass the right on may say so
  const { valueSecret } = capability.spec;
  const spec = { ...desiredSpec(slice, node), ...(valueSecret !== undefined && { valueSecret }) };
  const patch = mergePatch(
    { metadata: { labels: present }, spec: capability.spec },
    { metadata: { labels: { ...present, ...labels(slice, node) } }, spec },
  );
  return patch ? [{ kind: 'edit', ref: refOf(capability), patch, node }] : [];
}
