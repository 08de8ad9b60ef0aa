/** What the broker's rights say, and how they are named: by the Slice's uid and the node, so that none is ever made twice. */
import {
  ANNOTATION_QUEUED_IN,
  API_VERSION,
  LABEL_NODE,
  LABEL_QUEUED,
  LABEL_SLICE,
  nodeLabelValue,
  shortHash,
} from '../../../crds/names.ts';
import type { ResourceCapability, ResourceCapabilitySpec, Rspec, Slice, Window } from '../../../crds/types.ts';
import { SECRET_KEY, SECRET_TYPE } from '../../../crds/names.ts';
import type { Secret } from '../../capability/value.ts';
import { instant } from './schedule.ts';
import type { Span } from './place.ts';

/** The reservation: the broker's own until the window ends. `resources`: what the slice asks for on the node. */
export function wholeOf(
  namespace: string,
  slice: Slice,
  node: string,
  span: Span,
  resources: Rspec | undefined,
): ResourceCapability {
  return right(namespace, nameOf(slice, node), slice, {
    nodeName: node,
    contact: slice.spec.contact,
    ...(resources && { resources }),
    window: windowOf(span),
  });
}

/** All of the whole, to be handed over: so the whole stays the broker's, and nobody can have more of it, or for longer. */
export function partOf(slice: Slice, whole: ResourceCapability): ResourceCapability {
  const { nodeName, contact } = whole.spec;
  const name = `${whole.metadata.name}-part`;
  const { resources, window } = whole.status!.granted!;
  const spec = {
    nodeName,
    contact,
    from: whole.metadata.name,
    resources,
    ...(window && { window }),
    valueSecret: name,
  };
  return right(whole.metadata.namespace!, name, slice, spec);
}

/** The slice's own: it takes the part over, bound to the Slice, and goes with it. */
export function givenOf(slice: Slice, part: ResourceCapability): ResourceCapability {
  const { nodeName, contact } = part.spec;
  const redeem = secretName(slice, part);
  const { name: sliceName, namespace } = slice.metadata;
  const given = right(namespace!, givenName(slice, nodeName), slice, { nodeName, contact, sliceName, redeem });
  return { ...given, metadata: { ...given.metadata, ownerReferences: [ownerOf(slice)] } };
}

/** Of a slice that is gone only these two are known. */
export function givenName(slice: { metadata: Pick<Slice['metadata'], 'name' | 'uid'> }, node: string): string {
  return `${nameOf(slice, node)}-given`;
}

/** The Secret that shows the part's value in the slice's namespace; another part has another one. */
export function secretOf(slice: Slice, part: ResourceCapability, value: string): Secret {
  const metadata = { name: secretName(slice, part), namespace: slice.metadata.namespace! };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...metadata, ownerReferences: [ownerOf(slice)] },
    type: SECRET_TYPE,
    immutable: true,
    data: { [SECRET_KEY]: value },
  };
}

export function windowOf({ start, end }: Span): Window {
  return { start: instant(start), end: instant(end) };
}

function secretName(slice: Slice, part: ResourceCapability): string {
  return `${nameOf(slice, part.spec.nodeName)}-${shortHash([part.metadata.uid ?? ''])}`;
}

function nameOf({ metadata }: Parameters<typeof givenName>[0], node: string): string {
  const prefix = metadata.name.slice(0, 40).replace(/[-.]+$/, '');
  return `${prefix}-${shortHash([metadata.uid ?? '', node])}`;
}

function right(namespace: string, name: string, slice: Slice, spec: ResourceCapabilitySpec): ResourceCapability {
  const { name: sliceName, uid = '' } = slice.metadata;
  const labels = { [LABEL_NODE]: nodeLabelValue(spec.nodeName), [LABEL_QUEUED]: uid, [LABEL_SLICE]: sliceName };
  const annotations = { [ANNOTATION_QUEUED_IN]: slice.metadata.namespace! };
  return {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: { name, namespace, labels, annotations },
    spec,
  };
}

/** Not its controller: the operator takes what a Slice controls for what the default broker acquired. */
function ownerOf({ apiVersion, kind, metadata }: Slice) {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '' };
}
