/** The rcaps of a slice: what each must say, and the writes that bring them there. */
import {
  ANNOTATION_ASKED_BEFORE,
  ANNOTATION_OVERRIDES,
  API_VERSION,
  LABEL_NODE,
  LABEL_SLICE,
  nodeLabelValue,
  rcapName,
} from '../../../crds/names.ts';
import type { ResourceCapability, ResourceCapabilitySpec, Slice } from '../../../crds/types.ts';
import { controllerReference, refOf } from '../../kinds.ts';
import { askedOf, beforeText } from '../../site/before.ts';
import { mayHold } from '../../site/held.ts';
import type { Asked } from './asked.ts';
import { attemptAnnotation, attemptOf } from './backoff.ts';
import type { Effect } from './input.ts';
import { mergePatch } from './mergepatch.ts';
import type { Placing } from './placement.ts';

/** One right that is to be acquired, renewed or asked for again. */
export interface Asks {
  node: string;
  asked: Asked;
  /** As it is now; undefined where it is acquired. */
  capability: ResourceCapability | undefined;
  effect: Effect;
}

/** What is given back is given back; the rest may be withheld. */
export interface RightsPlan {
  release: Effect[];
  asks: Asks[];
}

/**
 * Acquire, renew, ask again and release, one write a sliver (two to ask again). `askedOn` is undefined where nobody knows what is
 * asked for: such a right stays as it is.
 */
export function planCapabilities(
  slice: Slice,
  placing: Placing,
  askedOn: (node: string) => Asked | undefined,
): RightsPlan {
  const release: Effect[] = placing.release.map(({ capability, why }) => ({
    kind: 'remove',
    ref: refOf(capability),
    why,
    propagation: 'Foreground',
    node: capability.spec.nodeName,
  }));
  const asks: Asks[] = [];
  const ask = (
    node: string,
    capability: ResourceCapability | undefined,
    make: (asked: Asked) => Effect | undefined,
  ): void => {
    const asked = askedOn(node);
    const effect = asked && make(asked);
    if (effect) asks.push({ node, asked, capability, effect });
  };
  for (const capability of placing.keep) {
    ask(capability.spec.nodeName, capability, (asked) => renewal(slice, capability, asked));
  }
  for (const capability of placing.retry) {
    const node = capability.spec.nodeName;
    ask(node, capability, (asked) => {
      const object = desired(slice, node, asked, attemptOf(capability) + 1);
      return { kind: 'replace', ref: refOf(capability), object, now: false, node };
    });
  }
  for (const { node, attempt } of placing.acquire) {
    ask(node, undefined, (asked) => ({ kind: 'create', object: desired(slice, node, asked, attempt), node }));
  }
  return { release, asks };
}

/** The rcap of the slice on the node. */
function desired(slice: Slice, node: string, asked: Asked, attempt: number): ResourceCapability {
  const annotations = { ...overridesAnnotation(asked), ...attemptAnnotation(attempt) };
  return {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: {
      name: rcapName(slice.metadata.name, node),
      namespace: slice.metadata.namespace,
      labels: labels(slice, node),
      ...(Object.keys(annotations).length > 0 && { annotations }),
      ownerReferences: [controllerReference(slice)],
    },
    spec: desiredSpec(slice, node, asked),
  };
}

function desiredSpec(slice: Slice, nodeName: string, { resources }: Asked): ResourceCapabilitySpec {
  const { contact, window } = slice.spec;
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

/** For people: why the right asks for something else than the slice says. */
function overridesAnnotation({ overrides }: Asked): Record<string, string> {
  return overrides.length > 0 ? { [ANNOTATION_OVERRIDES]: overrides.join() } : {};
}

function renewal(slice: Slice, capability: ResourceCapability, asked: Asked): Effect | undefined {
  const node = capability.spec.nodeName;
  const present = capability.metadata.labels ?? {};
  const before = capability.metadata.annotations ?? {};
  // whoever wants to pass the right on, or to suspend what runs by its parts, may say so
  const { valueSecret, suspended } = capability.spec;
  const said = { ...(valueSecret !== undefined && { valueSecret }), ...(suspended && { suspended }) };
  const spec = { ...desiredSpec(slice, node, asked), ...said };
  const { [ANNOTATION_OVERRIDES]: _, ...others } = before;
  const annotations = { ...others, ...overridesAnnotation(asked), ...beforeAnnotation(capability, spec) };
  const patch = mergePatch(
    { metadata: { labels: present, annotations: before }, spec: capability.spec },
    { metadata: { labels: { ...present, ...labels(slice, node) }, annotations }, spec },
  );
  return patch && { kind: 'edit', ref: refOf(capability), patch, node };
}

/** What the node may hold still, whatever becomes of the edit, is noted by the edit itself. */
function beforeAnnotation(
  capability: ResourceCapability,
  spec: ResourceCapabilitySpec,
): Record<string, string | undefined> {
  if (mergePatch(capability.spec, spec) === undefined) return {};
  return { [ANNOTATION_ASKED_BEFORE]: beforeText(mayHold(capability), askedOf({ spec })) };
}
