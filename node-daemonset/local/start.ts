/** The slivers' local API as a part of the node manager. */
import type { Registry } from 'prom-client';
import { LOCAL_PRIVILEGE } from '../../crds/localrequest.ts';
import { API_VERSION } from '../../crds/names.ts';
import type { ResourceCapability, SliceNode } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import type { Log } from '../../kube/log.ts';
import type { Policy } from '../admission/policy.ts';
import type { Enforcer } from '../sliver.ts';
import type { StateStore } from '../state.ts';
import { countLocal } from './metrics.ts';
import { Requests } from './requests.ts';
import { createLocalSockets } from './sockets.ts';

export interface LocalParts {
  nodeName: string;
  client: Pick<ApiClient, 'apply'>;
  /** A sliver's directory, by its pod's uid. */
  directoryOf(uid: string): string;
  store: Pick<StateStore, 'get'>;
  policy(): Policy | undefined;
  /** Every rcap with the node's label; undefined while the API server was not heard completely. */
  rcaps(): readonly ResourceCapability[] | undefined;
  sliceNode(): SliceNode | undefined;
  registry: Registry;
  log: Log;
  /** Tests that have no pods say here who connects. */
  podOf?: (connection: number) => string | undefined;
}

export interface LocalApi {
  /** Gives slivers their sockets, and looks what became of what they asked for: to be run in each pass. */
  enforcer: Enforcer;
  close(): Promise<void>;
}

/** Another than that of the rest of the status: each has its own part, and takes nothing from the other. */
const FIELD_MANAGER = 'slice-operator-node-local';
/** A write that hangs must not keep the next from its turn. */
const WRITE_MS = 5_000;

export function startLocal(parts: LocalParts): LocalApi {
  const { nodeName: name, client, store, log } = parts;
  const waiting = new Set<() => void>();
  const requests = new Requests({
    async write(asked) {
      const status = { requests: [...asked] };
      const object: SliceNode = { apiVersion: API_VERSION, kind: 'SliceNode', metadata: { name }, status };
      const options = { fieldManager: FIELD_MANAGER, force: true, subresource: 'status' as const };
      await client.apply(object, options, AbortSignal.timeout(WRITE_MS));
    },
    onError: (err) => log.warn({ err }, 'what slivers ask for was not written'),
  });
  const sockets = createLocalSockets({
    answering: {
      nodeName: name,
      books: () => ({ rcaps: parts.rcaps(), ledger: store.get().ledger, now: Date.now() }),
      requests,
      changed: (ms) =>
        new Promise((resolve) => {
          const done = (): void => {
            clearTimeout(timer);
            waiting.delete(done);
            resolve();
          };
          const timer = setTimeout(done, ms);
          waiting.add(done);
        }),
    },
    isOffered: () => parts.policy()?.privileges.includes(LOCAL_PRIVILEGE) ?? false,
    directoryOf: parts.directoryOf,
    count: countLocal(parts.registry),
    log,
    ...(parts.podOf && { podOf: parts.podOf }),
  });
  const changed = (): void => {
    const status = parts.sliceNode()?.status;
    if (status) requests.look(status);
    for (const done of [...waiting]) done();
  };
  return {
    enforcer: {
      ...sockets,
      async enforce(desired, signal) {
        const report = await sockets.enforce(desired, signal);
        // admission has just decided
        changed();
        return report;
      },
    },
    async close() {
      requests.close();
      for (const done of [...waiting]) done();
      await sockets.close();
    },
  };
}
