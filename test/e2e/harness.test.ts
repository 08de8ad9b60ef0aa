/** The cluster that the other tests stand on: what they take for granted about it, and that it leaves nothing behind. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { findCluster } from '../cluster/cluster.ts';
import {
  componentStates,
  killComponent,
  removeNode,
  startComponent,
  startNode,
  stopNode,
} from '../cluster/components.ts';
import { hostLink, cacheDir, clusterDir, nodeNamespace, type Cluster } from '../cluster/config.ts';
import { kubectl } from '../cluster/controlplane.ts';
import { nodeCpus } from '../cluster/cpus.ts';
import { down } from '../cluster/down.ts';
import { buildImages } from '../cluster/images.ts';
import { loadIntoCluster } from '../cluster/load.ts';
import { runInNode } from '../cluster/node.ts';
import { namespacePath } from '../cluster/network.ts';
import { until } from '../cluster/progress.ts';
import { up } from '../cluster/up.ts';

const CACHE = cacheDir(homedir(), process.env.SLICE_CACHE);
const NAME = 'harness';

/** In a pod: asks the API server's service who we are, by the token of an audience that the server must refuse or take. */
const ASK = `
  const { readFileSync } = require('fs'), { request } = require('https');
  const dir = '/var/run/secrets/kubernetes.io/serviceaccount';
  const headers = { authorization: 'Bearer ' + readFileSync(process.argv[1], 'utf8') };
  request({ host: '10.96.0.1', path: '/api', headers, ca: readFileSync(dir + '/ca.crt') }, (answer) => {
    console.log(answer.statusCode); answer.resume();
  }).end();`;

const token = (path: string, audience?: string): object => ({
  serviceAccountToken: { path, audience, expirationSeconds: 3600 },
});

/** A DaemonSet with everything that the node manager has; `hostNetwork` or not is what the two differ in. */
const agents = (name: string, image: string, hostNetwork: boolean): object => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        hostNetwork,
        hostPID: true,
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'agent',
            image,
            args: ['-e', 'setInterval(() => {}, 1e6)'],
            securityContext: { privileged: true, runAsUser: 0 },
            volumeMounts: [
              { name: 'tokens', mountPath: '/tokens' },
              { name: 'state', mountPath: '/var/lib/slice-operator', mountPropagation: 'Bidirectional' },
              { name: 'plugins', mountPath: '/registration' },
            ],
          },
        ],
        volumes: [
          { name: 'tokens', projected: { sources: [token('default'), token('other', 'somebody-else')] } },
          { name: 'state', hostPath: { path: '/var/lib/slice-operator', type: 'DirectoryOrCreate' } },
          { name: 'plugins', hostPath: { path: '/var/lib/kubelet/plugins_registry', type: 'Directory' } },
        ],
      },
    },
  },
});

describe('cluster harness', () => {
  let cluster: Cluster;
  const inPod = (name: string, argv: string[]) => kubectl(cluster, ['exec', `daemonset/${name}`, '--', ...argv]);

  before(async () => {
    const left = findCluster(CACHE, NAME);
    if (left !== undefined) await down(left);
    cluster = await up({ cache: CACHE, name: NAME, nodes: 2, searched: [] });
    const { product } = await buildImages(CACHE); // not what `up` loaded if the sources were edited since
    await loadIntoCluster(cluster, [product]);
    for (const [name, host] of [
      ['host', true],
      ['pod', false],
    ] as const) {
      await kubectl(cluster, ['apply', '-f', '-'], JSON.stringify(agents(name, product.name, host)));
    }
    for (const name of ['host', 'pod'])
      await kubectl(cluster, ['rollout', 'status', `daemonset/${name}`, '--timeout=350s']);
  });

  it('offers just the CPUs that a node has', async () => {
    for (const n of [1, 2]) {
      const allocatable = await kubectl(cluster, [
        'get',
        'node',
        `node${n}`,
        '-o',
        'jsonpath={.status.allocatable.cpu}',
      ]);
      const own = nodeCpus(cluster.cpus, cluster.cpusPerNode, n);
      assert.equal(allocatable, String(own.length));
      const allowed = await runInNode(cluster, `node${n}`, ['grep', 'Cpus_allowed_list', '/proc/1/status']);
      assert.equal(allowed.split(/\s+/)[1], own.join(','));
    }
  });

  for (const name of ['host', 'pod']) {
    it(`lets a pod (network: ${name}) reach the API server by its service, with the token meant for it only`, async () => {
      assert.equal((await inPod(name, ['node', '-e', ASK, '/tokens/default'])).trim(), '200');
      assert.equal((await inPod(name, ['node', '-e', ASK, '/tokens/other'])).trim(), '401');
    });
  }

  it('shows a privileged pod the processes and links of its node, and the node the mounts of its pod', async () => {
    const init = "process.stdout.write(require('fs').readFileSync('/proc/1/comm'))";
    assert.equal((await inPod('host', ['node', '-e', init])).trim(), 'node.sh');
    assert.match(await inPod('host', ['ip', 'link', 'show', 'eth0']), /eth0/);
    assert.match(await inPod('host', ['tc', '-V']), /tc utility/);
    const node = await kubectl(cluster, ['get', 'pods', '-l', 'app=host', '-o', 'jsonpath={.items[0].spec.nodeName}']);
    const mounted = '/var/lib/slice-operator/mounted';
    const pod = await kubectl(cluster, ['get', 'pods', '-l', 'app=host', '-o', 'jsonpath={.items[0].metadata.name}']);
    const mount = `fs.mkdirSync('${mounted}'); child_process.execFileSync('mount', ['-t', 'tmpfs', 'ours', '${mounted}'])`;
    await kubectl(cluster, ['exec', pod, '--', 'node', '-e', mount]);
    assert.match(await runInNode(cluster, node, ['cat', '/proc/mounts']), new RegExp(`^ours ${mounted} tmpfs`, 'm'));
    assert.doesNotMatch(readFileSync('/proc/mounts', 'utf8'), new RegExp(mounted));
  });

  it('keeps objects and pods through the death of every component', async () => {
    const uids = () => kubectl(cluster, ['get', 'pods', '-o', 'jsonpath={.items[*].metadata.uid}']);
    const before = await uids();
    for (const { component, node } of componentStates(cluster)) {
      await killComponent(cluster, component, node);
      assert.ok(
        componentStates(cluster).some((one) => one.component === component && one.node === node && !one.running),
      );
      await startComponent(cluster, component, node);
    }
    assert.deepEqual(
      componentStates(cluster).filter(({ running }) => !running),
      [],
    );
    assert.equal(await uids(), before);
  });

  it('switches a node off and on again, with another boot id', async () => {
    const bootId = () => kubectl(cluster, ['get', 'node', 'node2', '-o', 'jsonpath={.status.nodeInfo.bootID}']);
    const before = await bootId();
    await stopNode(cluster, 'node2');
    assert.equal(existsSync(namespacePath(nodeNamespace(NAME, 'node2'))), false);
    await startNode(cluster, 'node2');
    assert.notEqual(await bootId(), before);
  });

  it('adds a node, which gets its pods, and removes it', async () => {
    await startNode(cluster, 'node3');
    const ready = ['get', 'daemonset', 'pod', '-o', 'jsonpath={.status.numberReady}'];
    await until('a pod on node3', 240_000, async () => (await kubectl(cluster, ready)) === '3');
    await removeNode(cluster, 'node3');
    assert.doesNotMatch(await kubectl(cluster, ['get', 'nodes', '-o', 'name']), /node3/);
  });

  it('leaves nothing behind', async () => {
    await down(cluster);
    assert.deepEqual(globSync(`/sys/fs/cgroup/{.,*}/slice-${NAME}`), []);
    assert.deepEqual(globSync(`/run/netns/slice-${NAME}-*`), []);
    assert.equal(existsSync(`/sys/class/net/${hostLink(cluster.index)}`), false);
    assert.equal(existsSync(clusterDir(CACHE, NAME)), false);
    const commandLines = globSync('/proc/[0-9]*/cmdline').map((file) => {
      try {
        return readFileSync(file, 'utf8');
      } catch {
        return ''; // ended since it was listed
      }
    });
    assert.deepEqual(
      commandLines.filter((text) => text.includes(clusterDir(CACHE, NAME))),
      [],
    );
  });
});
