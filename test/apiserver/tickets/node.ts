/** A stand-in for a node manager that decides as a real one does, values included: its admission and its statuses are the real ones. */
import type { ResourceCapability } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { isStatus } from '../../../kube/errors.ts';
import { pause } from '../../../kube/pause.ts';
import { resourcePath, Resources } from '../../../kube/resources.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { leftAt, partsOf } from '../../../node-daemonset/admission/split.ts';
import { planCapabilityStatus } from '../../../node-daemonset/report/capability.ts';
import { admit, NODE } from '../../node-daemonset/rights.ts';

export interface StandInNode {
  ledger(): Ledger;
  /** So many shares are offered from now on. */
  offer(shares: number): void;
  /** Answers nobody until `resume`. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

const EVERY_MS = 50;

export function startNode(client: ApiClient, name: string): StandInNode {
  let ledger = EMPTY_LEDGER;
  let shares = 1000;
  let paused = false;
  const ending = new AbortController();

  async function pass(): Promise<void> {
    const query = { labelSelector: `slice-operator.io/node=${name}` };
    const path = resourcePath(Resources.ResourceCapability);
    const { items: rcaps } = await client.request<{ items: ResourceCapability[] }>('GET', path, { query });
    const now = Date.now();
    ({ ledger } = admit(ledger, rcaps, { nodeName: name, now, spec: { shares } }));
    const parts = partsOf(ledger.entries);
    for (const rcap of rcaps) {
      const entry = ledger.entries.find(({ uid }) => uid === rcap.metadata.uid);
      if (!entry) continue;
      const left = entry.grant && leftAt(entry.grant, parts.get(entry.uid) ?? [], now);
      const facts = { rcap, entry, nodeUID: NODE.uid, pod: undefined, problems: [], whyNot: undefined, now };
      const status = planCapabilityStatus({ ...facts, split: { left, from: undefined } });
      const {
        valueSecret: _a,
        valueDigest: _b,
        valueSince: _c,
        redeemDigest: _d,
        redeemGeneration: _e,
        ...own
      } = rcap.status ?? {};
      if (JSON.stringify(own.conditions) === JSON.stringify(status.conditions)) continue;
      const { namespace, uid } = rcap.metadata;
      const { apiVersion, kind } = rcap;
      const object = { apiVersion, kind, metadata: { name: rcap.metadata.name, namespace, uid }, status };
      await client
        .apply(object, { fieldManager: 'node', force: true, subresource: 'status' })
        .catch((error: unknown) => {
          if (!isStatus(error, 404, 409)) throw error;
        });
    }
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      if (!paused) await pass().catch((error: unknown) => ending.signal.aborted || console.error(`${name}:`, error));
      await pause(EVERY_MS, ending.signal);
    }
  }

  const running = run();
  return {
    ledger: () => ledger,
    offer: (count) => void (shares = count),
    pause: () => void (paused = true),
    resume: () => void (paused = false),
    async stop() {
      ending.abort();
      await running;
    },
  };
}
