/** What the kubelet asks for, checked: nothing of it is believed before it fits a pattern. */
import { join } from 'node:path';
import { VOLUME_ATTRIBUTE } from '../../crds/names.ts';

/** NodePublishVolume as it comes off the wire. */
export interface PublishMessage {
  volume_id: string;
  target_path: string;
  readonly: boolean;
  volume_context: Record<string, string>;
}

/** NodeUnpublishVolume as it comes off the wire. */
export interface UnpublishMessage {
  volume_id: string;
  target_path: string;
}

/** A pod that asks for its sliver's volume. */
export interface PublishRequest {
  pod: { uid: string; name: string; namespace: string };
  /** The rcap's name, in the pod's own namespace. */
  capability: string;
  targetPath: string;
}

/** gRPC's codes, as far as they are used here. */
export const Code = {
  InvalidArgument: 3,
  FailedPrecondition: 9,
  Aborted: 10,
  Internal: 13,
  Unavailable: 14,
} as const;

/** An answer other than yes; the kubelet shows the message in the pod's events and asks again. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly code: number;

  constructor(code: (typeof Code)[keyof typeof Code], message: string) {
    super(message);
    this.code = code;
  }
}

const INFO = 'csi.storage.k8s.io/';
/** Also the uids of static pods, which are hashes. */
const UID = /^[0-9a-z][0-9a-z-]{0,63}$/;
const NAME = /^[0-9a-z]([0-9a-z.-]{0,251}[0-9a-z])?$/;
/** Volume names are DNS labels; `mount` is the kubelet's. */
const BELOW_POD = /^\/volumes\/kubernetes\.io~csi\/[0-9a-z][0-9a-z.-]{0,252}\/mount$/;

/** Throws VolumeError for a volume that is not an inline one, not wholly described, or wanted somewhere else. */
export function readPublish(message: PublishMessage, kubeletDirectory: string): PublishRequest {
  const context = message.volume_context ?? {};
  if (context[`${INFO}ephemeral`] !== 'true') {
    throw invalid('only inline volumes of pods are served: a PersistentVolume can not name a capability');
  }
  const uid = context[`${INFO}pod.uid`] ?? '';
  const name = context[`${INFO}pod.name`] ?? '';
  const namespace = context[`${INFO}pod.namespace`] ?? '';
  if (!UID.test(uid) || !NAME.test(name) || !NAME.test(namespace)) {
    throw invalid('the kubelet does not say for which pod: the CSIDriver object must have podInfoOnMount');
  }
  const capability = context[VOLUME_ATTRIBUTE] ?? '';
  if (!NAME.test(capability)) {
    throw invalid(`the volume attribute "${VOLUME_ATTRIBUTE}" must be the name of a ResourceCapability`);
  }
  const targetPath = message.target_path ?? '';
  if (podOfTarget(targetPath, kubeletDirectory) !== uid) {
    throw invalid(`target path ${JSON.stringify(targetPath)} is not a volume of pod ${uid}`);
  }
  return { pod: { uid, name, namespace }, capability, targetPath };
}

/** The uid of the pod whose volume is at this path; undefined where it is no path of a pod's CSI volume. */
export function podOfTarget(targetPath: string, kubeletDirectory: string): string | undefined {
  const prefix = join(kubeletDirectory, 'pods/');
  if (!targetPath.startsWith(prefix)) return undefined;
  const rest = targetPath.slice(prefix.length);
  const slash = rest.indexOf('/');
  const uid = rest.slice(0, slash);
  return slash > 0 && UID.test(uid) && BELOW_POD.test(rest.slice(slash)) ? uid : undefined;
}

function invalid(message: string): VolumeError {
  return new VolumeError(Code.InvalidArgument, message);
}
