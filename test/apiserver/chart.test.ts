/** The chart on a real API server: every object is taken, rights are as they are meant, uninstalling keeps what it must. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent, fetch } from 'undici';
import { parse, parseAllDocuments } from 'yaml';
import { API_VERSION, GROUP, LABEL_NODE, leaseName } from '../../crds/names.ts';
import { CRD_FILES } from '../../crds/schemas.ts';
import { run } from '../cluster/command.ts';
import { kubectlProgram } from '../chart/helm.ts';
import { installChart, uninstallChart } from '../chart/install.ts';
import { apiServer, type ApiServer, until } from './fixture.ts';

const NAMESPACE = 'chart-test';
const RELEASE = 'slice-operator';
const MANAGER = `system:serviceaccount:${NAMESPACE}:${RELEASE}-node`;
const NODE_EXTRA = 'authentication.kubernetes.io%2Fnode-name';

describe('the chart on a real API server', () => {
  let server: ApiServer;
  const agent = new Agent({ connect: { rejectUnauthorized: false } });
  const kubectl = (...args: string[]): Promise<string> =>
    run([kubectlProgram(), '--kubeconfig', server.kubeconfig, ...args]);
  const options = () => ({
    kubeconfig: server.kubeconfig,
    namespace: NAMESPACE,
    release: RELEASE,
    engine: 'own' as const,
  });

  before(async () => {
    server = await apiServer();
    await installChart(options());
  });
  after(async () => {
    await uninstallChart(options());
    await agent.close();
  });

  /** The HTTP status of a request by the node manager of a node. */
  async function asManagerOf(node: string, path: string, body: object, dryRun = true): Promise<number> {
    const config = parse(readFileSync(server.kubeconfig, 'utf8')) as {
      clusters: { cluster: { server: string } }[];
      users: { user: { token: string } }[];
    };
    const query = `?fieldManager=chart-test&force=true${dryRun ? '&dryRun=All' : ''}`;
    const response = await fetch(config.clusters[0]!.cluster.server + path + query, {
      method: 'PATCH',
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${config.users[0]!.user.token}`,
        'content-type': 'application/apply-patch+yaml',
        'impersonate-user': MANAGER,
        [`impersonate-extra-${NODE_EXTRA}`]: node,
      },
      body: JSON.stringify(body),
    });
    await response.text();
    return response.status;
  }

  it('is upgraded by installing it again, with other values too', async () => {
    await installChart({ ...options(), values: { operator: { replicas: 1 }, logLevel: 'debug' } });
    const replicas = await kubectl('get', 'deployment', RELEASE, '-n', NAMESPACE, '-o', 'jsonpath={.spec.replicas}');
    assert.equal(replicas, '1');
  });

  it('lets the examples in', async () => {
    for (const example of ['minimal.yaml', 'everything.yaml']) {
      const path = new URL(`../../examples/${example}`, import.meta.url);
      const objects = parseAllDocuments(readFileSync(path, 'utf8')).map((one) => one.toJS() as Record<string, unknown>);
      for (const object of objects.filter(({ apiVersion }) => apiVersion === API_VERSION)) {
        // in a namespace that is there
        const metadata = { ...(object.metadata as object), namespace: undefined };
        const input = JSON.stringify({ ...object, metadata });
        const argv = ['--namespace', NAMESPACE, 'apply', '--dry-run=server', '-f', '-'];
        await run([kubectlProgram(), '--kubeconfig', server.kubeconfig, ...argv], { input });
      }
    }
  });

  for (const [verb, resource, allowed] of [
    ['list', `resourcecapabilities.${GROUP}`, true],
    ['patch', `resourcecapabilities.${GROUP}`, false],
    ['delete', `resourcecapabilities.${GROUP}`, false],
    ['get', 'secrets', false],
    ['list', 'pods', false],
    ['get', 'nodes', false],
    ['get', `slices.${GROUP}`, false],
  ] as const) {
    it(`${allowed ? 'lets' : 'does not let'} a node manager ${verb} ${resource}`, async () => {
      const answer = await kubectl('auth', 'can-i', verb, resource, '--as', MANAGER, '-n', 'default').catch(() => 'no');
      assert.equal(answer.trim() === 'yes', allowed);
    });
  }

  describe('a node manager', () => {
    const capability = (node: string) => ({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { name: `of-${node}`, namespace: NAMESPACE, labels: { [LABEL_NODE]: node } },
      spec: { nodeName: node, contact: 'chart@test' },
    });
    const bare = (kind: string, name: string) => ({ apiVersion: API_VERSION, kind, metadata: { name } });
    const lease = (name: string) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name },
      spec: { holderIdentity: 'chart-test' },
    });
    const ours = `/apis/${API_VERSION}`;
    const capabilities = `${ours}/namespaces/${NAMESPACE}/resourcecapabilities`;
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
    /** What becomes of a write about another node: only a server that has the policy refuses it. */
    const forbidden = () => (server.minor >= 30 ? 403 : 200);

    before(async () => {
      for (const node of ['one', 'two']) {
        await server.client.request('POST', capabilities, { body: capability(node) });
        const sliceNode = { ...bare('SliceNode', node), spec: {} };
        await server.client.request('POST', `${ours}/slicenodes`, { body: sliceNode });
      }
      // rights and policies hold a moment after they are there
      await until('a node manager to have its rights', async () => {
        assert.equal(await asManagerOf('one', `${ours}/slicenodes/one/status`, offered('one')), 200);
        const byNobody = await asManagerOf('', `${ours}/slicenodes/one/status`, offered('one'));
        assert.equal(byNobody, forbidden());
      });
    });
    after(async () => {
      for (const node of ['one', 'two']) {
        await server.client.request('DELETE', `${capabilities}/of-${node}`);
        await server.client.request('DELETE', `${ours}/slicenodes/${node}`);
      }
    });

    const granted = (node: string) => ({ ...bare('ResourceCapability', `of-${node}`), status: { conditions: [] } });
    const offered = (node: string) => ({ ...bare('SliceNode', node), status: { conditions: [] } });

    it('writes about its own node', async () => {
      assert.equal(await asManagerOf('one', `${capabilities}/of-one/status`, granted('one')), 200);
      assert.equal(await asManagerOf('one', `${ours}/slicenodes/one/status`, offered('one')), 200);
      assert.equal(await asManagerOf('one', `${leases}/${leaseName('one')}`, lease(leaseName('one'))), 201);
    });

    it('writes about no other node where the server can tell', async () => {
      assert.equal(await asManagerOf('one', `${capabilities}/of-two/status`, granted('two')), forbidden());
      assert.equal(await asManagerOf('one', `${ours}/slicenodes/two/status`, offered('two')), forbidden());
      const other = await asManagerOf('one', `${leases}/${leaseName('two')}`, lease(leaseName('two')));
      assert.equal(other, server.minor >= 30 ? 403 : 201);
    });

    it('writes no spec, its own node’s neither', async () => {
      assert.equal(await asManagerOf('one', `${capabilities}/of-one`, capability('one')), 403);
      assert.equal(await asManagerOf('one', `${ours}/slicenodes/one`, { ...bare('SliceNode', 'one'), spec: {} }), 403);
    });
  });

  // a suite's own tests run before its inner suites: this one must be the last
  describe('uninstalled', () => {
    it('keeps the CRDs, and nothing else', async () => {
      await uninstallChart(options());
      const selector = `app.kubernetes.io/instance=${RELEASE}`;
      const kept = await kubectl('get', 'crd', '-l', selector, '-o', 'name');
      assert.equal(kept.trim().split('\n').length, CRD_FILES.length);
      const others = 'clusterrole,clusterrolebinding,csidriver,priorityclass';
      assert.equal(await kubectl('get', others, '-l', selector, '-o', 'name'), '');
      const inside = 'deployment,daemonset,serviceaccount,role,rolebinding,poddisruptionbudget';
      assert.equal(await kubectl('get', inside, '-n', NAMESPACE, '-l', selector, '-o', 'name'), '');
    });
  });
});
