/** The CSI service as a kubelet sees it: over a real socket. The mount table and the kernel are tables in memory. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
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
import type { Problem } from '../../../node-daemonset/sliver.ts';
import { StateStore } from '../../../node-daemonset/state.ts';
import { SliverDirectories } from '../../../node-daemonset/volume/directory.ts';
import { createVolumeService, type PassResult } from '../../../node-daemonset/volume/publish.ts';
import { startVolumeServer, type VolumeServer } from '../../../node-daemonset/volume/server.ts';
import { edited, granted, NOW, right, shares } from '../rights.ts';

const KUBELET = '/var/lib/kubelet';

function connect(socket: string, proto: string, path: [string, string?, string?]): Client {
  const file = fileURLToPath(new URL(`../../../node-daemonset/volume/${proto}`, import.meta.url));
  let found: unknown = loadPackageDefinition(loadSync(file, { keepCase: true, defaults: true }));
  for (const part of path) if (part) found = (found as Record<string, unknown>)[part];
  return new (found as ServiceClientConstructor)(`unix://${socket}`, credentials.createInsecure());
}

function call(client: Client, method: string, message: object): Promise<Record<string, unknown>> {
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

interface Ask {
  uid?: string;
  capability?: string;
  namespace?: string;
  target?: string;
  context?: Record<string, string>;
}

function publishMessage({
  uid = 'pod-1',
  capability = 'right-a',
  namespace = 'team',
  target,
  context,
}: Ask = {}): object {
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

describe('volume', () => {
  const rcap = right('a', shares(100));
  let directory: string;
  let store: StateStore;
  let server: VolumeServer;
  let node: Client;
  let mounts: Map<string, string>;
  let running: Set<string>;
  let gone: Set<string>;
  let passes: number;
  let pass: () => Promise<PassResult>;
  let now: number;

  const begin = async (ledger: Ledger): Promise<void> => {
    store = new StateStore(join(directory, 'checkpoint.json'), { ...EMPTY_STATE, ledger });
    await serve();
  };
  const serve = async (): Promise<void> => {
    const service = createVolumeService({
      store,
      directories: new SliverDirectories(join(directory, 'slivers'), 'node1'),
      mounts: {
        bind: async (source, target) => void mounts.set(target, source),
        unbind: async (target) => void mounts.delete(target),
      },
      kubeletDirectory: KUBELET,
      blackouts: () => [],
      pass: () => {
        passes++;
        return pass();
      },
      isRunning: (uid) => running.has(uid),
      isGone: (uid) => gone.has(uid),
      now: () => now,
      deadlineMs: 200,
    });
    const csiSocket = join(directory, 'plugins/csi.sock');
    const registrationSocket = join(directory, 'registry/reg.sock');
    server = await startVolumeServer({
      service,
      nodeName: 'node1',
      version: '1',
      csiSocket,
      registrationSocket,
      log: silentLog(),
      retryMs: 5,
    });
    node = connect(csiSocket, 'csi.proto', ['csi', 'v1', 'Node']);
  };
  const end = async (): Promise<void> => {
    node.close();
    await server.close();
  };
  const publish = (ask?: Ask): Promise<unknown> => call(node, 'NodePublishVolume', publishMessage(ask));
  const unpublish = (uid = 'pod-1'): Promise<unknown> => call(node, 'NodeUnpublishVolume', publishMessage({ uid }));
  const refuses = (ask: Ask | undefined, code: number, message: RegExp): Promise<void> =>
    assert.rejects(
      publish(ask),
      (error: { code: number; details: string }) => error.code === code && message.test(error.details),
    );
  const problem = (one: Problem) => async (): Promise<PassResult> => ({ problems: [one] });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'csi-'));
    mounts = new Map();
    running = new Set();
    gone = new Set();
    passes = 0;
    pass = async () => ({ problems: [] });
    now = NOW;
  });
  afterEach(async () => {
    await end();
    rmSync(directory, { recursive: true });
  });

  it('tells a kubelet what it is', async () => {
    await begin(granted(rcap));
    const registration = connect(join(directory, 'registry/reg.sock'), 'pluginregistration.proto', [
      'pluginregistration',
      'Registration',
    ]);
    const info = await call(registration, 'GetInfo', {});
    assert.equal(info.type, 'CSIPlugin');
    assert.equal(info.name, 'slice-operator.io');
    assert.ok(existsSync(info.endpoint as string));
    await call(registration, 'NotifyRegistrationStatus', { plugin_registered: true });
    registration.close();
    assert.deepEqual(await call(node, 'NodeGetInfo', {}), { node_id: 'node1' });
  });

  it('offers itself anew to a kubelet that could not finish', async () => {
    await begin(granted(rcap));
    const socket = join(directory, 'registry/reg.sock');
    // an inode's number is used again, the time of its making is not
    const made = (): bigint | undefined => statSync(socket, { bigint: true, throwIfNoEntry: false })?.ctimeNs;
    const first = made();
    const kubelet = connect(socket, 'pluginregistration.proto', ['pluginregistration', 'Registration']);
    await call(kubelet, 'NotifyRegistrationStatus', { plugin_registered: false, error: 'no API server' });
    kubelet.close();
    for (let i = 0; i < 500 && (made() ?? first) === first; i++) await new Promise((r) => setTimeout(r, 10));
    assert.notEqual(made() ?? first, first);
    const again = connect(socket, 'pluginregistration.proto', ['pluginregistration', 'Registration']);
    assert.equal((await call(again, 'GetInfo', {})).name, 'slice-operator.io');
    again.close();
  });

  it('lets a pod with a right in, after the kernel enforces it', async () => {
    await begin(granted(rcap));
    pass = async () => {
      assert.deepEqual(
        store.get().pods.map(({ uid, classId }) => [uid, classId]),
        [['pod-1', 0x100]],
        'it is enforced first',
      );
      assert.equal(mounts.size, 0);
      return {
        problems: [
          { reason: 'LineUnknown', message: 'the node’s own' },
          { reason: 'EgressOvercommitted', message: 'the owner’s doing, and no newcomer’s' },
          { sliver: 'another', reason: 'NoCgroup', message: '' },
        ],
      };
    };
    await publish();
    const [[target, source]] = [...mounts] as [[string, string]];
    assert.equal(target, `${KUBELET}/pods/pod-1/volumes/kubernetes.io~csi/slice/mount`);
    const read = (name: string): string => readFileSync(join(source, name), 'utf8');
    assert.deepEqual(readdirSync(source).sort(), ['capability', 'node', 'rspec.json', 'slice']);
    assert.equal(read('slice'), 'measure\n');
    assert.equal(read('node'), 'node1\n');
    assert.equal(read('capability'), 'team/right-a\n');
    assert.equal((JSON.parse(read('rspec.json')) as { cpu: { shares: number } }).cpu.shares, 100);
    assert.equal(
      loadCheckpoint(join(directory, 'checkpoint.json'), NOW).state.pods[0]!.uid,
      'pod-1',
      'it is on the disk',
    );
  });

  it('gives the same answer to the same question, also after a restart', async () => {
    await begin(granted(rcap));
    await publish();
    running.add('pod-1');
    await publish();
    await end();
    store = new StateStore(
      join(directory, 'checkpoint.json'),
      loadCheckpoint(join(directory, 'checkpoint.json'), NOW).state,
    );
    await serve();
    await publish();
    assert.equal(store.get().pods.length, 1);
    assert.equal(store.get().pods[0]!.classId, 0x100);
    await unpublish(); // still running: kept
    running.clear();
    await unpublish();
    await unpublish();
    assert.deepEqual(store.get().pods, []);
    assert.equal(mounts.size, 0);
    assert.deepEqual(readdirSync(join(directory, 'slivers')), []);
  });

  const noRight: [string, ReturnType<typeof right>, RegExp][] = [
    ['unknown', right('x'), /gives no right here now: NotGranted \(this node has not granted it\)/],
    ['refused', right('a', shares(0)), /InvalidSpec \(spec.resources.cpu.shares/],
    ['not bound', right('a', {}, { sliceName: undefined }), /NotBound/],
    ['not open yet', right('a', {}, { window: { start: '2027-01-01T00:00:00Z' } }), /WindowNotOpen/],
    ['of another namespace', right('a', {}, {}, { namespace: 'lab' }), /team\/right-a gives no right/],
  ];
  for (const [what, of, message] of noRight) {
    it(`keeps a pod out whose right is ${what}`, async () => {
      await begin(granted(of));
      await refuses({}, 9, message);
      assert.deepEqual(store.get().pods, []);
      assert.equal(mounts.size, 0);
    });
  }

  it('lets one pod of a right in, and the next when the first is gone', async () => {
    await begin(granted(rcap));
    await publish();
    await refuses({ uid: 'pod-2' }, 9, /pod sliver \(pod-1\) holds team\/right-a/);
    running.add('pod-1');
    now += 600_000;
    await refuses({ uid: 'pod-2' }, 9, /holds/);
    running.clear();
    await refuses({ uid: 'pod-2' }, 9, /holds/);
    gone.add('pod-1');
    await publish({ uid: 'pod-2' });
    assert.deepEqual(
      store.get().pods.map(({ uid, classId }) => [uid, classId]),
      [['pod-2', 0x101]],
    );
  });

  const notEnforced: [string, () => Promise<PassResult>][] = [
    ['its own enforcement fails', problem({ sliver: 'pod-1', reason: 'CpuWriteFailed', message: 'EPERM' })],
    ['the uplink is not ours', problem({ reason: 'UplinkBusy', message: 'fq_codel' })],
    ['nobody knows the owner’s policy', problem({ reason: 'PolicyUnknown', message: 'no field share' })],
    ['an enforcer fails', problem({ reason: 'EnforcerFailed', message: 'egress: no tc' })],
    ['the pass does not end', () => new Promise(() => undefined)],
  ];
  for (const [what, failing] of notEnforced) {
    it(`keeps a pod out as long as ${what}, and leaves nothing of it`, async () => {
      await begin(granted(rcap));
      const working = pass;
      pass = failing;
      await refuses({}, 14, /not enforced/);
      assert.deepEqual(store.get().pods, []);
      assert.equal(mounts.size, 0);
      pass = working;
      await publish();
      assert.equal(mounts.size, 1);
    });
  }

  it('never makes a pod that runs another slice’s sliver, also where a new right has the old one’s name', async () => {
    await begin(granted(rcap));
    await publish();
    running.add('pod-1');
    store.set({ ledger: granted(right('b', shares(100), { sliceName: 'other' }, { name: rcap.metadata.name })) });
    await refuses({}, 9, /pod sliver is a sliver of slice measure: a right that is bound to other needs a pod of its/);
    assert.deepEqual(
      store.get().pods.map(({ slice, rcap: { uid } }) => [slice, uid]),
      [['measure', 'a']],
    );
  });

  it('is refused to whatever pod asks for a right of a slice that others suspended', async () => {
    await begin(granted(rcap));
    store.accept({ restraints: [{ namespace: 'team', slice: 'measure', suspended: true }] });
    await refuses({}, 9, /gives no right here now: Suspended/);
    store.accept({ restraints: [], suspended: [{ uid: rcap.metadata.uid!, reason: 'its holder says so' }] });
    await refuses({}, 9, /gives no right here now: Suspended/);
    store.accept({ suspended: [] });
    await publish();
  });

  it('keeps a pod out whose right is lost while it waits', async () => {
    await begin(granted(rcap));
    pass = async () => {
      store.set({ ledger: { ...store.get().ledger, entries: [] } });
      return { problems: [] };
    };
    await refuses({}, 9, /NotGranted/);
    assert.equal(mounts.size, 0);
  });

  it('asks a second call for the same pod to come again', async () => {
    await begin(granted(rcap));
    const began = Promise.withResolvers<void>();
    const result = Promise.withResolvers<PassResult>();
    pass = () => {
      began.resolve();
      return result.promise;
    };
    const first = publish();
    await began.promise;
    await refuses({}, 10, /under way/);
    result.resolve({ problems: [] });
    await first;
  });

  it('keeps watch over a pod that runs on without its volume', async () => {
    await begin(granted(rcap));
    await publish();
    running.add('pod-1');
    await unpublish();
    assert.deepEqual(
      store.get().pods.map(({ unpublished }) => unpublished),
      [true],
    );
  });

  it('shows what a renewal changed', async () => {
    await begin(granted(rcap));
    await publish();
    const directories = new SliverDirectories(join(directory, 'slivers'), 'node1');
    const [record] = store.get().pods;
    directories.write({
      ...record!,
      amounts: granted(edited(rcap, { resources: shares(200) })).entries[0]!.grant!.amounts,
    });
    assert.match(readFileSync(join(directory, 'slivers/pod-1/rspec.json'), 'utf8'), /"shares": 200/);
  });

  const base = {
    'csi.storage.k8s.io/ephemeral': 'true',
    'csi.storage.k8s.io/pod.uid': 'pod-1',
    'csi.storage.k8s.io/pod.name': 'p',
    'csi.storage.k8s.io/pod.namespace': 'team',
    capability: 'right-a',
  };
  const malformed: [string, Ask, RegExp][] = [
    ['a persistent volume', { context: { ...base, 'csi.storage.k8s.io/ephemeral': 'false' } }, /only inline volumes/],
    ['no pod', { context: { 'csi.storage.k8s.io/ephemeral': 'true', capability: 'right-a' } }, /podInfoOnMount/],
    ['no capability', { context: { ...base, capability: '' } }, /volume attribute "capability"/],
    ['a path for a capability', { capability: '../lab/right' }, /volume attribute/],
    ['a target outside', { target: '/etc/cron.d' }, /is not a volume of pod/],
    [
      'a target with dots',
      { target: `${KUBELET}/pods/pod-1/volumes/kubernetes.io~csi/../../../../x/mount` },
      /is not a volume/,
    ],
    [
      "another pod's target",
      { target: `${KUBELET}/pods/pod-2/volumes/kubernetes.io~csi/slice/mount` },
      /is not a volume of pod pod-1/,
    ],
    ['a relative target', { target: 'pods/pod-1/volumes/kubernetes.io~csi/slice/mount' }, /is not a volume/],
  ];
  for (const [what, ask, message] of malformed) {
    it(`refuses ${what}`, async () => {
      await begin(granted(rcap));
      await refuses(ask, 3, message);
      assert.equal(passes, 0);
    });
  }

  it('unmounts nothing outside', async () => {
    await begin(granted(rcap));
    mounts.set('/etc', '/x');
    await assert.rejects(call(node, 'NodeUnpublishVolume', { volume_id: 'x', target_path: '/etc' }), { code: 3 });
    assert.equal(mounts.size, 1);
  });
});
