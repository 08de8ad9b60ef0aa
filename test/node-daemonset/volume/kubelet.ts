/** A kubelet before the CSI service, over real sockets. The mount table and the kernel are tables in memory. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Client,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { silentLog } from '../../../kube/log.ts';
import type { Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { EMPTY_STATE, loadCheckpoint } from '../../../node-daemonset/checkpoint.ts';
import { StateStore } from '../../../node-daemonset/state.ts';
import { SliverDirectories } from '../../../node-daemonset/volume/directory.ts';
import { createVolumeService, type PassResult } from '../../../node-daemonset/volume/publish.ts';
import { startVolumeServer, type VolumeServer } from '../../../node-daemonset/volume/server.ts';
import { NOW } from '../rights.ts';

export const KUBELET = '/var/lib/kubelet';

/** What a kubelet asks for; the rest is as for a sliver's pod. */
export interface Ask {
  uid?: string;
  capability?: string;
  namespace?: string;
  target?: string;
  context?: Record<string, string>;
}

export class Kubelet {
  readonly directory = mkdtempSync(join(tmpdir(), 'csi-'));
  store!: StateStore;
  node!: Client;
  /** Sources, by target. */
  readonly mounts = new Map<string, string>();
  /** Uids of pods with processes, and of those that left no trace. */
  readonly running = new Set<string>();
  readonly gone = new Set<string>();
  passes = 0;
  now = NOW;
  #server!: VolumeServer;

  /** What a pass comes to. */
  pass: () => Promise<PassResult> = async () => ({ problems: [] });

  /** The service begins with that ledger. */
  async begin(ledger: Ledger): Promise<void> {
    this.store = new StateStore(this.path('checkpoint.json'), { ...EMPTY_STATE, ledger });
    await this.#serve();
  }

  /** The service begins anew, from the disk. */
  async restart(): Promise<void> {
    await this.#stop();
    const path = this.path('checkpoint.json');
    this.store = new StateStore(path, loadCheckpoint(path, NOW).state);
    await this.#serve();
  }

  async end(): Promise<void> {
    await this.#stop();
    rmSync(this.directory, { recursive: true });
  }

  publish(ask?: Ask): Promise<unknown> {
    return call(this.node, 'NodePublishVolume', publishMessage(ask));
  }

  unpublish(uid = 'pod-1'): Promise<unknown> {
    return call(this.node, 'NodeUnpublishVolume', publishMessage({ uid }));
  }

  isRefused(ask: Ask | undefined, code: number, message: RegExp): Promise<void> {
    return assert.rejects(
      this.publish(ask),
      (error: { code: number; details: string }) => error.code === code && message.test(error.details),
    );
  }

  /** The socket by which the service registers itself. */
  registration(): Client {
    return connect(this.path('registry/reg.sock'), 'pluginregistration.proto', ['pluginregistration', 'Registration']);
  }

  path(file: string): string {
    return join(this.directory, file);
  }

  async #serve(): Promise<void> {
    const service = createVolumeService({
      store: this.store,
      directories: new SliverDirectories(this.path('slivers'), 'node1'),
      mounts: {
        bind: async (source, target) => void this.mounts.set(target, source),
        unbind: async (target) => void this.mounts.delete(target),
      },
      kubeletDirectory: KUBELET,
      blackouts: () => [],
      pass: () => {
        this.passes++;
        return this.pass();
      },
      isRunning: (uid) => this.running.has(uid),
      isGone: (uid) => this.gone.has(uid),
      now: () => this.now,
      deadlineMs: 200,
    });
    const csiSocket = this.path('plugins/csi.sock');
    this.#server = await startVolumeServer({
      service,
      nodeName: 'node1',
      version: '1',
      csiSocket,
      registrationSocket: this.path('registry/reg.sock'),
      log: silentLog(),
      retryMs: 5,
    });
    this.node = connect(csiSocket, 'csi.proto', ['csi', 'v1', 'Node']);
  }

  async #stop(): Promise<void> {
    this.node.close();
    await this.#server.close();
  }
}

export function call(client: Client, method: string, message: object): Promise<Record<string, unknown>> {
  const methods = client as unknown as Record<
    string,
    (message: object, callback: (e: ServiceError | null, r: object) => void) => void
  >;
  return new Promise((resolve, reject) => {
    methods[method]!(message, (error, response) => {
      if (error) reject(error);
      else resolve(response as Record<string, unknown>);
    });
  });
}

function connect(socket: string, proto: string, path: readonly string[]): Client {
  const file = fileURLToPath(new URL(`../../../node-daemonset/volume/${proto}`, import.meta.url));
  let found: unknown = loadPackageDefinition(loadSync(file, { keepCase: true, defaults: true }));
  for (const part of path) found = (found as Record<string, unknown>)[part];
  return new (found as ServiceClientConstructor)(`unix://${socket}`, credentials.createInsecure());
}

function publishMessage({ uid = 'pod-1', capability = 'right-a', namespace = 'team', target, context }: Ask = {}) {
  return {
    volume_id: `csi-${uid}`,
    target_path: target ?? `${KUBELET}/pods/${uid}/volumes/kubernetes.io~csi/slice/mount`,
    readonly: false,
    volume_context: context ?? {
      'csi.storage.k8s.io/ephemeral': 'true',
      'csi.storage.k8s.io/pod.uid': uid,
      'csi.storage.k8s.io/pod.name': 'sliver',
      'csi.storage.k8s.io/pod.namespace': namespace,
      capability,
    },
  };
}
