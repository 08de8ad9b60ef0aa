/**
 * Whether the operator does what a node says that one of its slivers asks for. The node's word is not enough: a stolen one says
 * what it likes. It reaches as far as three others' words go: the right's spec, which its namespace wrote, asks for the
 * privilege; the node's owner offers it; and the operator's own pod of that right is on that node.
 */
import {
  type AskedSpec,
  askedRight,
  isAsAsked,
  isLocalTo,
  LOCAL_PRIVILEGE,
  LocalRefused,
  MAX_LOCAL_RIGHTS,
  parseAsked,
} from '../../crds/localrequest.ts';
import { LABEL_NODE, nodeLabelValue } from '../../crds/names.ts';
import type { LocalRequest, ResourceCapability, SliceNodeSpec } from '../../crds/types.ts';
import { isControlledBy, isDeleting, type ObjectRef, type Pod, refOf } from '../kinds.ts';
import { grantOf, standing } from '../slice/plan/grant.ts';
import type { NodeState } from '../slice/plan/input.ts';

export interface AskerInput {
  request: LocalRequest;
  /** Whose SliceNode has the request. */
  node: NodeState;
  /** What its owner says in the API. */
  policy: SliceNodeSpec;
  /** The right that the sliver runs with, and its pod. */
  by: ResourceCapability | undefined;
  pod: Pod | undefined;
}

export interface LocalInput {
  request: LocalRequest;
  /** As `planAsker` has it. */
  by: ResourceCapability;
  /** What has the name of the right that is asked for, to be bound or to be released. */
  target: ResourceCapability | undefined;
  /** What is to be split. */
  from: ResourceCapability | undefined;
  /** Rights on this node that are the slice's by their label. */
  count: number;
}

export type LocalPlan =
  | { kind: 'create'; object: ResourceCapability }
  | { kind: 'bind'; ref: ObjectRef; sliceName: string }
  | { kind: 'release'; ref: ObjectRef }
  /** It is as it was asked for. */
  | { kind: 'done' };

/** The right of the sliver that asks. Throws LocalRefused where it may not. */
export function planAsker({ request, node, policy, by, pod }: AskerInput): ResourceCapability {
  const refuse = (message: string): never => {
    throw new LocalRefused('NotPrivileged', message);
  };
  const isIt = by?.metadata.uid === request.rightUID && by.metadata.namespace === request.namespace;
  if (!by || !isIt || isDeleting(by)) return refuse('there is no such right');
  const { metadata, spec } = by;
  const isHere = spec.nodeName === node.name && metadata.labels?.[LABEL_NODE] === nodeLabelValue(node.name);
  if (!isHere) return refuse(`the right is none of ${node.name}'s`);
  const asks = spec.resources?.privileges?.includes(LOCAL_PRIVILEGE);
  const has = grantOf(by)?.resources.privileges?.includes(LOCAL_PRIVILEGE);
  if (!asks || !has || standing(by, node) !== 'granted') {
    return refuse(`the right has not the privilege ${LOCAL_PRIVILEGE}: ask for it in resources.privileges`);
  }
  if (!spec.sliceName) return refuse('the right is bound to no slice');
  const hasEnded = pod?.status?.phase === 'Succeeded' || pod?.status?.phase === 'Failed';
  const runs = pod && !isDeleting(pod) && isControlledBy(pod, by) && pod.spec.nodeName === node.name && !hasEnded;
  if (!runs) return refuse(`no sliver runs with the right on ${node.name}`);
  if (!policy.privileges?.includes(LOCAL_PRIVILEGE)) {
    const message = `the owner of ${node.name} does not offer ${LOCAL_PRIVILEGE} in privileges of its SliceNode or of a SliceNodePolicy`;
    throw new LocalRefused('PrivilegeNotOffered', message);
  }
  return by;
}

/** Which rights `planLocal` must see, by name. Throws LocalRefused. */
export function planReads(request: LocalRequest, by: ResourceCapability): { target: string; from: string | undefined } {
  const { operation, name, spec } = request;
  if (operation === 'Bind' || operation === 'Release') return { target: name, from: undefined };
  const asked = parseAsked(spec);
  return { target: askedRight(by, request, asked).metadata.name, from: asked.from };
}

/** Throws LocalRefused. */
export function planLocal(input: LocalInput): LocalPlan {
  const asked = parseAsked(input.request.spec);
  switch (input.request.operation) {
    case 'Acquire':
    case 'Split':
      return create(asked, input);
    case 'Bind':
      return bind(asked, input);
    case 'Release':
    default:
      return release(input);
  }
}

function create(asked: AskedSpec, { request, by, target, from, count }: LocalInput): LocalPlan {
  const object = askedRight(by, request, asked);
  if (target) {
    if (isDeleting(target)) throw new LocalRefused('NameTaken', 'a right of this name is being released: try again');
    const { name } = target.metadata;
    if (!isLocalTo(target, by) || !isAsAsked(target.spec, object.spec)) {
      throw new LocalRefused('NameTaken', `there is another right of this name, ${name}`);
    }
    if (isInSight(target, by)) return { kind: 'done' };
    const label = `${LABEL_NODE}: ${nodeLabelValue(by.spec.nodeName)}`;
    throw new LocalRefused('NameTaken', `${name} is there without the label ${label}, so that its node can't see it`);
  }
  if (request.operation === 'Split' && !isOwn(from, by) && !(from && isLocalTo(from, by))) {
    throw new LocalRefused('NotFound', `there is no right ${asked.from} of this sliver to split`);
  }
  if (count >= MAX_LOCAL_RIGHTS) {
    const message = `this slice has ${count} rights on this node by its local API: release some`;
    throw new LocalRefused('TooMany', message);
  }
  return { kind: 'create', object };
}

function bind({ sliceName }: AskedSpec, { request, by, target }: LocalInput): LocalPlan {
  const right = known(target, by, request);
  if (typeof sliceName !== 'string' || !/^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$/.test(sliceName)) {
    throw new LocalRefused('Invalid', 'slice must be the name of a Slice');
  }
  const bound = right.spec.sliceName;
  if (bound === sliceName) return { kind: 'done' };
  if (bound) throw new LocalRefused('AlreadyBound', `it is bound to slice ${bound}, and stays so`);
  return { kind: 'bind', ref: refOf(right), sliceName };
}

function release({ request, by, target }: LocalInput): LocalPlan {
  // Whatever has the name by now, what was to be released is gone.
  if (target?.metadata.uid !== request.uid || isDeleting(target!)) return { kind: 'done' };
  return { kind: 'release', ref: refOf(known(target, by, request)) };
}

function known(
  target: ResourceCapability | undefined,
  by: ResourceCapability,
  { name, uid }: LocalRequest,
): ResourceCapability {
  if (target && target.metadata.uid === uid && isLocalTo(target, by) && isInSight(target, by)) return target;
  throw new LocalRefused('NotFound', `there is no right ${name} of this sliver`);
}

/** Nobody is told that something was done to a right which the node does not see: it would wait for it in vain. */
function isInSight({ metadata }: ResourceCapability, by: ResourceCapability): boolean {
  return metadata.labels?.[LABEL_NODE] === nodeLabelValue(by.spec.nodeName);
}

function isOwn(right: ResourceCapability | undefined, by: ResourceCapability): boolean {
  return right?.metadata.uid === by.metadata.uid;
}
