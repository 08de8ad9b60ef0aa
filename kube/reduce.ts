/**
 * What is kept of an object's metadata. Anybody can write 256 KiB of annotations, and a megabyte of labels and owner references,
 * to each of his objects; a process that keeps them all has no memory left for the others'.
 */
import {
  ANNOTATION_ASKED_BEFORE,
  ANNOTATION_ATTEMPT,
  ANNOTATION_OVERRIDES,
  ANNOTATION_QUEUED_IN,
  ANNOTATION_WINDOW,
  API_VERSION,
  LABEL_LOCAL,
  LABEL_NODE,
  LABEL_QUEUED,
  LABEL_SLICE,
  LABEL_TEMPLATE,
} from '../crds/names.ts';
import type { KubeObject } from './resources.ts';

/** Those that are read from stores, and the longest value that is believed. What is not among them must be asked of the API server. */
const ANNOTATIONS: ReadonlyMap<string, number> = new Map([
  [ANNOTATION_ATTEMPT, 64],
  // eight pieces of time
  [ANNOTATION_ASKED_BEFORE, 1024],
  [ANNOTATION_WINDOW, 64],
  [ANNOTATION_QUEUED_IN, 63],
  // as many names as a Slice may have overrides
  [ANNOTATION_OVERRIDES, 64 * 64],
]);
/** As ANNOTATIONS, of objects that users make; Nodes and Namespaces are chosen by any label. */
const LABELS: ReadonlySet<string> = new Set([LABEL_LOCAL, LABEL_NODE, LABEL_QUEUED, LABEL_SLICE, LABEL_TEMPLATE]);

/** A copy without what nobody reads; `managedFields` go in any case. */
export function reduceMetadata(object: KubeObject): KubeObject['metadata'] {
  const { annotations, labels, ownerReferences, ...rest } = object.metadata;
  const metadata: KubeObject['metadata'] & { managedFields?: unknown } = rest;
  delete metadata.managedFields;
  const kept = pick(annotations, (key, value) => value.length <= (ANNOTATIONS.get(key) ?? -1));
  if (kept) metadata.annotations = kept;
  const ours = object.apiVersion === API_VERSION;
  const named = ours ? pick(labels, (key) => LABELS.has(key)) : labels;
  if (named) metadata.labels = named;
  const owners = ours ? ownerReferences?.filter(({ controller }) => controller) : ownerReferences;
  if (owners) metadata.ownerReferences = owners;
  return metadata;
}

function pick(
  from: Record<string, string> | undefined,
  test: (key: string, value: string) => boolean,
): Record<string, string> | undefined {
  const entries = Object.entries(from ?? {}).filter(([key, value]) => test(key, value));
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}
