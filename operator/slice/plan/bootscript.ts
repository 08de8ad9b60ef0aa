/** The ConfigMap with a slice's boot script. */
import { bootConfigMapName, LABEL_SLICE, shortHash } from '../../../crds/names.ts';
import type { Slice } from '../../../crds/types.ts';
import { controllerReference, isDeleting, refOf, type ConfigMap, type KubeObject } from '../../kinds.ts';
import { nameKey, type Effect, type SliceInput } from './input.ts';
import { mergePatch } from './mergepatch.ts';

export const BOOT_VOLUME = 'slice-operator-boot';
export const BOOT_MOUNT = '/run/slice-boot';
/** The file in it. The script reaches the pod as a file only: Kubernetes expands `$(X)` in commands and variables. */
export const BOOT_FILE = 'boot';

/**
 * The key carries the script's hash: a kubelet whose cache still has the former script then fails to mount and tries
 * again, where with a constant key it would run the wrong script.
 */
export function bootKey(script: string): string {
  return `${BOOT_FILE}-${shortHash([script])}`;
}

export interface BootPlan {
  effects: Effect[];
  /** Whether pods that need the script may be made, once the effects are done. */
  ready: boolean;
  taken: KubeObject | undefined;
}

export function planBootScript({ slice, bootScript: present, taken }: SliceInput): BootPlan {
  const script = slice.spec.sliver.bootScript;
  if (script === undefined) {
    const unused = present && !isDeleting(present);
    const effects: Effect[] = unused
      ? [{ kind: 'remove', ref: refOf(present), why: 'Unused', propagation: 'Background' }]
      : [];
    return { effects, ready: true, taken: undefined };
  }
  const data = { [bootKey(script)]: script };
  if (!present) {
    const other = taken.get(nameKey('ConfigMap', bootConfigMapName(slice.metadata.name)));
    if (other) return { effects: [], ready: false, taken: other };
    return { effects: [{ kind: 'create', object: bootConfigMap(slice, data) }], ready: true, taken: undefined };
  }
  if (isDeleting(present)) return { effects: [], ready: false, taken: undefined };
  const patch = mergePatch({ data: present.data ?? {} }, { data });
  const effects: Effect[] = patch ? [{ kind: 'edit', ref: refOf(present), patch }] : [];
  return { effects, ready: true, taken: undefined };
}

function bootConfigMap(slice: Slice, data: Record<string, string>): ConfigMap {
  const { name, namespace } = slice.metadata;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: bootConfigMapName(name),
      namespace,
      labels: { [LABEL_SLICE]: name },
      ownerReferences: [controllerReference(slice)],
    },
    data,
  };
}
