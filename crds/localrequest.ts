/** What slivers ask for over their node's local API: the node writes it down, the operator does it, both by these rules. */
import { isDeepStrictEqual } from 'node:util';
import { API_VERSION, LABEL_LOCAL, LABEL_NODE, localRcapName, nodeLabelValue } from './names.ts';
import type { LocalRequest, ResourceCapability, ResourceCapabilitySpec, Rspec } from './types.ts';
import { describe, validateCapability } from './validate.ts';

/** By which a sliver may ask at all. */
export const LOCAL_PRIVILEGE = 'Capabilities';

/** Rights that the slivers of one slice may have made on one node: fewer than a namespace may have asked for in vain by default. */
export const MAX_LOCAL_RIGHTS = 50;

/** Names that slivers give: with a hash behind them they name the rcap. */
export const LOCAL_NAME = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/;
/** How a sliver names the right that it runs with. */
export const OWN_RIGHT = 'self';

/** Why the operator refuses. */
export const LocalReason = {
  NotPrivileged: 'NotPrivileged',
  PrivilegeNotOffered: 'PrivilegeNotOffered',
  Invalid: 'Invalid',
  NotFound: 'NotFound',
  NameTaken: 'NameTaken',
  AlreadyBound: 'AlreadyBound',
  TooMany: 'TooMany',
  NotAllowed: 'NotAllowed',
} as const;
export type LocalReason = (typeof LocalReason)[keyof typeof LocalReason];

/** A request that is not carried out: the sliver is told both. */
export class LocalRefused extends Error {
  override readonly name = 'LocalRefused';
  readonly reason: LocalReason;

  constructor(reason: LocalReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** What a sliver says of a right that it asks for; everything else follows from who asks where. */
export type AskedSpec = Pick<ResourceCapabilitySpec, 'resources' | 'window' | 'sliceName' | 'from'> & {
  contact?: string;
};
const ASKED = ['resources', 'window', 'contact', 'sliceName', 'from'] as const;

/** Throws LocalRefused. What it returns may still be any nonsense within. */
export function parseAsked(text: string | undefined): AskedSpec {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '{}');
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new LocalRefused('Invalid', 'what is asked for is no JSON object');
  }
  const given = value as Record<string, unknown>;
  return Object.fromEntries(ASKED.filter((key) => given[key] !== undefined).map((key) => [key, given[key]]));
}

/** The rcap that is asked for, as anybody might have written it. Throws LocalRefused where it is not a valid one. */
export function askedRight(
  by: ResourceCapability,
  { operation, name }: Pick<LocalRequest, 'operation' | 'name'>,
  { contact = by.spec.contact, ...asked }: AskedSpec,
): ResourceCapability {
  const { nodeName, sliceName = '' } = by.spec;
  if (!LOCAL_NAME.test(name) || name === OWN_RIGHT) {
    throw new LocalRefused('Invalid', `name must have at most 40 of a-z, 0-9 and -, and not be ${OWN_RIGHT}`);
  }
  if ((asked.from !== undefined) !== (operation === 'Split')) {
    throw new LocalRefused('Invalid', 'what is split, and nothing else, is split from a right');
  }
  const right: ResourceCapability = {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: {
      name: localRcapName(sliceName, nodeName, name),
      namespace: by.metadata.namespace ?? '',
      labels: { [LABEL_NODE]: nodeLabelValue(nodeName), [LABEL_LOCAL]: sliceName },
    },
    spec: { nodeName, contact, ...asked },
  };
  const violations = validateCapability(right);
  if (violations.length > 0) throw new LocalRefused('Invalid', describe(violations));
  const more = beyond(by.spec.resources, asked.resources);
  if (more) throw new LocalRefused('NotPrivileged', `${more} is not among what this sliver's own right asks for`);
  return right;
}

/** Whether a right says what is asked for: asking again is asking once. That it was bound since, or suspended, is no difference. */
export function isAsAsked(present: ResourceCapability['spec'], asked: ResourceCapability['spec']): boolean {
  const { sliceName, valueSecret: _, suspended: __, ...rest } = present;
  const { sliceName: wanted, ...own } = asked;
  return isDeepStrictEqual(rest, own) && (wanted === undefined || wanted === sliceName);
}

/** Privileges that somebody would pass on without having them: the first of them. */
function beyond(own: Rspec | undefined, asked: Rspec | undefined): string | undefined {
  if (asked?.network === 'Host' && own?.network !== 'Host') return 'network Host';
  return asked?.privileges?.find((privilege) => !own?.privileges?.includes(privilege));
}

/** Whether the slivers of this slice may split, bind and release the right: they made it, or somebody marked it for them. */
export function isLocalTo({ metadata, spec }: ResourceCapability, by: ResourceCapability): boolean {
  const isThere = metadata.namespace === by.metadata.namespace && spec.nodeName === by.spec.nodeName;
  return isThere && Boolean(by.spec.sliceName) && metadata.labels?.[LABEL_LOCAL] === by.spec.sliceName;
}
