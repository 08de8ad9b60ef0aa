/** Whether the spec is one to act on, and if not, what is to be done about it. */
import { SliceReason } from '../../../crds/conditions.ts';
import { HOST_NETWORK_ALLOWED, LABEL_HOST_NETWORK, SLIVER_MOUNT } from '../../../crds/names.ts';
import type { Slice } from '../../../crds/types.ts';
import { describe, tooLarge, validateSlice } from '../../../crds/validate.ts';
import { oversize } from '../oversize.ts';
import { asksForHost } from './asked.ts';
import { BOOT_MOUNT, BOOT_VOLUME } from './bootscript.ts';
import { SLIVER_VOLUME } from './podspec.ts';

export type Refusal = { reason: string; message: string };

/** undefined: accepted. Whatever is refused here leads to no write beside the status. */
export function refusalOf(
  slice: Slice,
  namespaceLabels: Readonly<Record<string, string>>,
  now: number,
): Refusal | undefined {
  const size = oversize(slice);
  const violations = size === undefined ? [...validateSlice(slice), ...reservedNames(slice)] : [tooLarge(size)];
  if (violations.length > 0) return { reason: SliceReason.InvalidSpec, message: describe(violations) };
  const { sliver, window } = slice.spec;
  if (asksForHost(slice) && namespaceLabels[LABEL_HOST_NETWORK] !== HOST_NETWORK_ALLOWED) {
    return {
      reason: SliceReason.HostNetworkNotAllowed,
      message: `${sliver.network === 'Host' ? 'spec.sliver.network' : 'resources.network in spec.overrides'}: Host needs the label ${LABEL_HOST_NETWORK}=${HOST_NETWORK_ALLOWED} on namespace ${slice.metadata.namespace}, which a cluster admin sets; or use Pod, the default`,
    };
  }
  if (window?.end && Date.parse(window.end) <= now) {
    return {
      reason: SliceReason.WindowPast,
      message: `the window ended at ${window.end}; set a later spec.window.end`,
    };
  }
  return undefined;
}

function reservedNames({ spec: { sliver } }: Slice): { path: string; message: string }[] {
  const taken = new Set([SLIVER_MOUNT, BOOT_MOUNT]);
  return [
    ...(sliver.volumes ?? [])
      .filter(({ name }) => name === SLIVER_VOLUME || name === BOOT_VOLUME)
      .map(({ name }) => ({ path: `spec.sliver.volumes[${name}]`, message: 'the name is reserved; choose another' })),
    ...(sliver.volumeMounts ?? [])
      .filter(({ mountPath }) => taken.has(mountPath.replace(/(.)\/+$/, '$1')))
      .map(({ mountPath }) => ({
        path: `spec.sliver.volumeMounts[${mountPath}]`,
        message: 'the path is reserved; choose another',
      })),
    ...(sliver.volumeMounts ?? [])
      .filter(({ name }) => !sliver.volumes?.some((volume) => volume.name === name))
      .map(({ name, mountPath }) => ({
        path: `spec.sliver.volumeMounts[${mountPath}]`,
        message: `there is no volume ${name} in spec.sliver.volumes`,
      })),
  ];
}
