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
  'valueSecret' | 'valueDigest' | 'redeemDigest' | 'redeemGeneration'
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
  const isShown = spec.redeem !== undefined && redeemGeneration === generation && redeemDigest !== undefined;
  const isGranted = isTrue(status.conditions, CapabilityCondition.Granted) && !isDeleting(rcap);
  return {
    keep: {
      ...(hasValue && { valueSecret, valueDigest }),
      ...(isShown && { redeemDigest, redeemGeneration }),
    },
    make: hasValue || !isGranted ? undefined : spec.valueSecret,
    read: isShown || isDeleting(rcap) ? undefined : spec.redeem,
    stale: (valueDigest !== undefined && !hasValue) || (redeemDigest !== undefined && !isShown),
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
      annotations: { [ANNOTATION_GENERATION]: generationOf(rcap) },
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

/** That of a Secret that we made for this very right as it is asked for now: a value that was taken back stays so. */
export function ownDigestIn(secret: Secret | undefined, rcap: ResourceCapability): string | undefined {
  const isOurs = secret && isControlledBy(secret, rcap);
  const isOfNow = secret?.metadata.annotations?.[ANNOTATION_GENERATION] === generationOf(rcap);
  return isOurs && isOfNow ? digestIn(secret) : undefined;
}

function generationOf({ metadata }: ResourceCapability): string {
  return String(metadata.generation ?? 0);
}

export function digestOf(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}
