/** What a sliver's call comes to: what it may see from our own books, what it wants to change by way of the operator. */
import { randomUUID } from 'node:crypto';
import {
  type AskedSpec,
  askedRight,
  isAsAsked,
  isLocalTo,
  LOCAL_PRIVILEGE,
  LocalRefused,
  OWN_RIGHT,
} from '../../crds/localrequest.ts';
import type { LocalRequest, ResourceCapability } from '../../crds/types.ts';
import type { Sliver } from '../sliver.ts';
import { LOCAL_BOUNDS } from './bounds.ts';
import type { Call, Wanted } from './calls.ts';
import { OPENAPI_TEXT } from './openapi.ts';
import { Refusal } from './refusal.ts';
import type { Requests } from './requests.ts';
import { type Books, findRight, isDecided, leavesEnough, type LocalCapability, rightsOf, tell } from './rights.ts';

export interface AnswerParts {
  nodeName: string;
  books(): Books;
  requests: Pick<Requests, 'carry'>;
  /** Resolves when the node may know more than before, or after so many ms. */
  changed(ms: number): Promise<void>;
}

export type Answer =
  | { status: 200; yaml: string }
  | { status: 200 | 201; body: LocalCapability | { node: string; namespace: string; capabilities: LocalCapability[] } }
  | { status: 204 };

/** Whoever asks. */
export interface Asker {
  sliver: Sliver;
  /** Whether it may go to the operator now. */
  mayOperate(): boolean;
}

type Rights = readonly [ResourceCapability, ...ResourceCapability[]];

/** Throws Refusal where the sliver has not the privilege, or the owner, who may have offered it once, does not now. */
export function mayAsk(sliver: Sliver | undefined, isOffered: boolean): Sliver {
  if (sliver?.standing !== 'entitled') throw new Refusal('NotPrivileged', 'this sliver has no right on this node now');
  if (!sliver.amounts.privileges.includes(LOCAL_PRIVILEGE)) {
    const message = `this slice has not the privilege ${LOCAL_PRIVILEGE}: ask for it in resources.privileges`;
    throw new Refusal('NotPrivileged', message);
  }
  if (isOffered) return sliver;
  throw new Refusal('PrivilegeNotOffered', `the owner of this node does not offer ${LOCAL_PRIVILEGE} any more`);
}

/** Throws Refusal. */
export async function answer(parts: AnswerParts, call: Call, asker: Asker): Promise<Answer> {
  if (call.operation === 'Document') return { status: 200, yaml: OPENAPI_TEXT };
  const { sliver } = asker;
  const books = parts.books();
  const rights = rightsOf(sliver, books);
  if (!rights) throw new Refusal('Busy', 'the node has not heard of its rights from the API server yet: ask again');
  switch (call.operation) {
    case 'List': {
      const capabilities = rights.map((right) => tell(right, sliver, books));
      return { status: 200, body: { node: parts.nodeName, namespace: sliver.rcap.namespace, capabilities } };
    }
    case 'Get':
      return { status: 200, body: tell(named(rights, call.name), sliver, books) };
    case 'Acquire':
      return await make(parts, asker, rights[0], call.wanted);
    case 'Split':
      return await make(parts, asker, rights[0], call.wanted, named(rights, call.name).metadata.name);
    case 'Bind':
      return await bind(parts, asker, named(rights, call.name), call.slice);
    case 'Release':
    default:
      return await release(parts, asker, named(rights, call.name));
  }
}

async function make(
  parts: AnswerParts,
  asker: Asker,
  own: ResourceCapability,
  { name, slice, ...wanted }: Wanted,
  from?: string,
): Promise<Answer> {
  const { sliver } = asker;
  const operation = from === undefined ? 'Acquire' : 'Split';
  const asked: AskedSpec = { ...wanted, ...(slice !== undefined && { sliceName: slice }), ...(from && { from }) };
  const right = checked(() => askedRight(own, { operation, name }, asked));
  const there = (): ResourceCapability | undefined =>
    parts.books().rcaps?.find(({ metadata }) => isNamed(metadata, right.metadata) && !metadata.deletionTimestamp);
  const present = there();
  if (present && isLocalTo(present, own) && isAsAsked(present.spec, right.spec)) {
    return { status: 201, body: tell(await decided(parts, there), sliver, parts.books()) };
  }
  if (present) throw new Refusal('NameTaken', `there is another right of this name, ${present.metadata.name}`);
  if (from === own.metadata.name && !leavesEnough(own, right, parts.books())) {
    const left = 'that leaves the right that this sliver runs with less than 1 share or 1 kbit/s, or no memory or disk';
    throw new Refusal('NotAllowed', `${left}: acquire a right first, and split that`);
  }
  const asking = request(sliver, operation, { name, spec: JSON.stringify(asked) });
  await carry(parts, asker, asking, () => there() !== undefined);
  const made = await decided(parts, there);
  return { status: 201, body: tell(made, sliver, parts.books()) };
}

async function bind(
  parts: AnswerParts,
  asker: Asker,
  { metadata, spec }: ResourceCapability,
  sliceName: string,
): Promise<Answer> {
  const { sliver } = asker;
  const { name, uid } = metadata;
  const now = () => parts.books().rcaps?.find((one) => one.metadata.uid === uid);
  if (spec.sliceName && spec.sliceName !== sliceName) {
    throw new Refusal('AlreadyBound', `it is bound to slice ${spec.sliceName}, and stays so`);
  }
  if (!spec.sliceName) {
    const asked = request(sliver, 'Bind', { name, uid, spec: JSON.stringify({ sliceName }) });
    await carry(parts, asker, asked, () => now()?.spec.sliceName === sliceName);
  }
  return { status: 200, body: tell(await decided(parts, now), sliver, parts.books()) };
}

async function release(parts: AnswerParts, asker: Asker, { metadata }: ResourceCapability): Promise<Answer> {
  const { sliver } = asker;
  const { name, uid } = metadata;
  if (uid === sliver.rcap.uid) {
    throw new Refusal('NotAllowed', 'the right that a sliver runs with is its slice’s to release');
  }
  const isGone = (): boolean =>
    !parts.books().rcaps?.some((one) => one.metadata.uid === uid && !one.metadata.deletionTimestamp);
  await carry(parts, asker, request(sliver, 'Release', { name, uid }), isGone);
  return { status: 204 };
}

/** The right, when the node has answered what it asks for, or after a while as it is then. */
async function decided(
  { books, changed }: AnswerParts,
  right: () => ResourceCapability | undefined,
): Promise<ResourceCapability> {
  const end = performance.now() + LOCAL_BOUNDS.decisionMs;
  for (;;) {
    const now = right();
    if (!now) throw new Refusal('NotFound', 'somebody released it meanwhile');
    const left = end - performance.now();
    if (isDecided(now, books()) || left <= 0) return now;
    await changed(left);
  }
}

async function carry(
  { requests }: AnswerParts,
  { sliver, mayOperate }: Asker,
  request: LocalRequest,
  isDone: () => boolean,
): Promise<void> {
  if (!mayOperate()) throw new Refusal('TooManyRequests', 'too many changes: wait a second');
  await requests.carry(request, sliver.id, isDone);
}

function request(
  { rcap }: Sliver,
  operation: LocalRequest['operation'],
  what: Pick<LocalRequest, 'name' | 'uid' | 'spec'>,
): LocalRequest {
  if ((what.spec?.length ?? 0) > LOCAL_BOUNDS.specLength)
    throw new Refusal('TooLarge', 'that is too much for one right');
  return { id: randomUUID(), operation, namespace: rcap.namespace, right: rcap.name, rightUID: rcap.uid, ...what };
}

function named(rights: Rights, name: string): ResourceCapability {
  const found = findRight(rights, name);
  if (found) return found;
  throw new Refusal(
    'NotFound',
    `there is no right ${name} of this sliver${name === OWN_RIGHT ? '' : ': see the list'}`,
  );
}

function isNamed(a: ResourceCapability['metadata'], b: ResourceCapability['metadata']): boolean {
  return a.name === b.name && a.namespace === b.namespace;
}

/** The operator's rules, asked before it: what they refuse costs nobody anything. */
function checked<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (error instanceof LocalRefused) throw new Refusal(error.reason, error.message);
    throw error;
  }
}
