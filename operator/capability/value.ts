/** What is to be known of a right's value, and what there is in a Secret. Of either only a SHA-256 is told. */
import { createHash } from 'node:crypto';
import { CapabilityCondition, isTrue } from '../../crds/conditions.ts';
import { ANNOTATION_GENERATION, SECRET_KEY, SECRET_TYPE } from '../../crds/names.ts';
import { isOffered } from '../../crds/offer.ts';
import type { ResourceCapability, ResourceCapabilityStatus } from '../../crds/types.ts';
import { controllerReference, isControlledBy, isDeleting, type KubeObject } from '../kinds.ts';

export interface Secret extends KubeObject {
  type?: string;
  immutable?: boolean;
  /** In base64. */
  data?: Record<string, string>;
}

/** The part of the status that is the operator's. */
export type Digests = Pick<
  ResourceCapabilityStatus,
  'valueSecret' | 'valueDigest' | 'valueSince' | 'redeemDigest' | 'redeemGeneration'
>;

export interface ValuePlan {
  /** What holds already and stays. */
  keep: Digests;
  /** The Secret whose value is to be made, or found where it was made before. */
  make: string | undefined;
  /** The Secret whose value is to be shown to the node. */
  read: string | undefined;
  /** Whether the status says otherwise than `keep`. */
  stale: boolean;
}

/** 32 hex digits, as they are in the Secret. */
const VALUE = /^[0-9a-f]{32}$/;

/** A value is made for a right that is granted; a Secret that is to be redeemed is read once for each edit. */
export function planValue(rcap: ResourceCapability): ValuePlan {
  const { spec, status = {}, metadata } = rcap;
  const { valueSecret, valueDigest, redeemDigest, redeemGeneration } = status;
  const { generation } = metadata;
  const hasValue = isOffered(rcap);
  const isTakenBack = valueDigest !== undefined && !hasValue;
  const valueSince = isTakenBack ? generation : status.valueSince;
  const isShown = spec.redeem !== undefined && redeemGeneration === generation && redeemDigest !== undefined;
  const isGranted = isTrue(status.conditions, CapabilityCondition.Granted) && !isDeleting(rcap);
  return {
    keep: {
      ...(hasValue && { valueSecret, valueDigest }),
      ...(valueSince !== undefined && { valueSince }),
      ...(isShown && { redeemDigest, redeemGeneration }),
    },
    // one thing at a time: since when values are good is written down before the next is made
    make: valueDigest !== undefined || !isGranted ? undefined : spec.valueSecret,
    read: isShown || isDeleting(rcap) ? undefined : spec.redeem,
    stale: isTakenBack || (redeemDigest !== undefined && !isShown),
  };
}

/** The Secret that carries a new value: it goes with the right, and nobody can change what is in it. */
export function secretOf(rcap: ResourceCapability, name: string, value: string): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: rcap.metadata.namespace,
      ownerReferences: [controllerReference(rcap)],
      annotations: { [ANNOTATION_GENERATION]: String(rcap.metadata.generation ?? 0) },
    },
    type: SECRET_TYPE,
    immutable: true,
    data: { [SECRET_KEY]: Buffer.from(value).toString('base64') },
  };
}

/** The digest of the value in a Secret; undefined where it carries none. Of any other Secret nothing is ever told. */
export function digestIn(secret: Secret | undefined): string | undefined {
  if (secret?.type !== SECRET_TYPE) return undefined;
  const value = Buffer.from(secret.data?.[SECRET_KEY] ?? '', 'base64').toString();
  return VALUE.test(value) ? digestOf(value) : undefined;
}

/**
 * That of a Secret that we made for this very right since a value of it was last taken back, if any was: that one stays so. Edits
 * may have come between the Secret and its digest, those among them by which a Slice's right is put back.
 */
export function ownDigestIn(
  secret: Secret | undefined,
  rcap: ResourceCapability,
  { valueSince = 0 }: Digests,
): string | undefined {
  if (!secret || !isControlledBy(secret, rcap)) return undefined;
  const madeFor = Number(secret.metadata.annotations?.[ANNOTATION_GENERATION]);
  return madeFor >= valueSince && madeFor <= (rcap.metadata.generation ?? 0) ? digestIn(secret) : undefined;
}

export function digestOf(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}
