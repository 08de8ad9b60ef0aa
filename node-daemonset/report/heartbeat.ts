/** Shows the operator that this node manager lives: a Lease of its own, renewed while its passes go on. */
import { leaseName } from '../../crds/names.ts';
import type { ApiClient } from '../../kube/client.ts';
import type { Log } from '../../kube/log.ts';

export interface HeartbeatOptions {
  client: Pick<ApiClient, 'apply'>;
  nodeName: string;
  namespace: string;
  fieldManager: string;
  /** Whether enforcement goes on: a manager that hangs must not seem alive. */
  isAlive(): boolean;
  log: Log;
}

const PERIOD_MS = 10_000;
const LEASE_SECONDS = 40;

/** Beats at once and then every 10 s, whatever fails. */
export function startHeartbeat(options: HeartbeatOptions): { stop(): void } {
  const { client, nodeName, namespace, fieldManager, log } = options;
  const stopping = new AbortController();
  const beat = async (): Promise<void> => {
    if (!options.isAlive()) return;
    // Leases take microseconds.
    const renewTime = new Date().toISOString().replace('Z', '000Z');
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: leaseName(nodeName), namespace },
      spec: { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime },
    };
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(PERIOD_MS)]);
    try {
      await client.apply(lease, { fieldManager, force: true }, signal);
    } catch (error) {
      if (!stopping.signal.aborted) log.warn({ err: error }, 'heartbeat was not heard');
    }
  };
  void beat();
  const timer = setInterval(() => void beat(), PERIOD_MS);
  return {
    stop() {
      clearInterval(timer);
      stopping.abort();
    },
  };
}
