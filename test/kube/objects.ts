/** Objects for tests, as small as they may be. */
import type { KubeObject } from '../../kube/resources.ts';

export interface Pod extends KubeObject {
  spec: { nodeName: string };
}

export function pod(name: string, version: string, { uid = 'u1', node = 'n1', namespace = 'ns' } = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, uid, resourceVersion: version },
    spec: { nodeName: node },
  };
}
