/** The plugin as people run it, through kubectl, against a real API server. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { API_VERSION } from '../../crds/names.ts';
import type { Slice } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { kubectlProgram } from '../chart/helm.ts';
import { BUNDLE } from '../operator/kubectl/bundle.ts';
import { apiServer, type ApiServer, until } from './fixture.ts';
import { type Process, startProcess } from './operator/process.ts';
import { startWorld, type World } from './operator/world.ts';

const NAMESPACE = 'plugin';
const NODES = ['plugin-n1', 'plugin-n2'];
const RELEASE = 'plugin-release';
const BINDING = { name: 'plugin-operator' };

describe('kubectl slice', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;

  before(async () => {
    server = await apiServer();
    world = await startWorld(server.client);
    operator = await startProcess(server);
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    for (const name of NODES) await world.addNode(name, { of: NAMESPACE });
    world.decide = ({ spec }) =>
      spec.nodeName === 'plugin-n2' ? { reason: 'PortInUse', message: 'TCP 80 is in use' } : undefined;
    const slice: Slice = {
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { name: 'web', namespace: NAMESPACE },
      spec: {
        contact: 'ops@example.org',
        sliver: { image: 'example.org/web:1' },
        placement: { nodeSelector: { of: NAMESPACE } },
      },
    };
    await server.client.create(slice);
  });
  after(async () => {
    await server.client.remove(Resources.Slice, { namespace: NAMESPACE, name: 'web' });
    await until('the slice to go', async () =>
      assert.ok(!(await server.client.get(Resources.Slice, { namespace: NAMESPACE, name: 'web' }))),
    );
    kubectl('delete', 'clusterrolebinding', BINDING.name);
    for (const name of NODES) await world.removeNode(name);
    for (const name of NODES) await server.client.remove(Resources.SliceNode, { name });
    await operator.stop();
    await world.stop();
  });

  function slice(...argv: string[]): Promise<{ code: number | null; out: string; err: string }> {
    const program = kubectlProgram();
    const PATH = [dirname(BUNDLE), dirname(program), dirname(process.execPath), process.env.PATH].join(':');
    const child = spawn(program, ['slice', `--kubeconfig=${server.kubeconfig}`, ...argv], {
      env: { ...process.env, PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, out, err }));
    });
  }

  /** As cluster admin. */
  const kubectl = (...argv: string[]): string =>
    execFileSync(kubectlProgram(), [`--kubeconfig=${server.kubeconfig}`, ...argv], { encoding: 'utf8' });
  const create = (object: object): void => {
    const argv = [`--kubeconfig=${server.kubeconfig}`, 'create', '-f', '-'];
    execFileSync(kubectlProgram(), argv, { input: JSON.stringify(object) });
  };

  it('why: says who refused, and why', async () => {
    await until('the verdict', async () => {
      const { code, out, err } = await slice('why', 'web', '-n', NAMESPACE);
      assert.equal(code, 1, err);
      assert.match(out, /^plugin\/web is not Ready \(Denied\): 1 of 2 granted/);
      assert.match(out, /plugin-n2 refused \(PortInUse\): TCP 80 is in use\. Take another port/);
    });
    const named = await slice('why', `${NAMESPACE}/web`);
    assert.match(named.out, /plugin-n2 refused/);
  });

  it('ls: one line a slice', async () => {
    const { out } = await slice('ls', '-A');
    assert.match(out, /^SLICE +READY +REASON +GRANTED +RUNNING +RESTRAINTS$/m);
    assert.match(out, /^plugin\/web +False +Denied +1\/2 +\d\/2 +-$/m);
  });

  it('asks nobody who has but the labels of the operator', async () => {
    const labels = { 'app.kubernetes.io/part-of': 'slice-operator', 'app.kubernetes.io/component': 'operator' };
    const metadata = { name: 'x-audit', namespace: NAMESPACE, labels };
    const spec = { ports: [{ name: 'audit', port: 80 }] };
    create({ apiVersion: 'v1', kind: 'Service', metadata, spec });
    assert.match((await slice('audit', 'web')).err, /no release is found/);
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
    const subjects = [{ kind: 'ServiceAccount', name: 'a', namespace: RELEASE }];
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    create({ apiVersion, kind: 'ClusterRoleBinding', metadata: { ...BINDING, labels }, roleRef, subjects });
    for (const argv of [
      ['audit', 'web'],
      ['audit', 'web', `--release-namespace=${RELEASE}`],
    ]) {
      assert.match((await slice(...argv)).err, /operator\.audit/);
    }
    assert.match((await slice('audit', `--release-namespace=${NAMESPACE}`)).err, /x-audit|no endpoints/);
  });

  it('notices a broker that nobody is', async () => {
    const metadata = { name: 'waits', namespace: NAMESPACE };
    const waits: Slice = {
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata,
      spec: { contact: 'ops@example.org', broker: 'quue', sliver: { image: 'example.org/web:1' } },
    };
    await server.client.create(waits);
    const why = async () => (await slice('why', 'waits', '-n', NAMESPACE)).out;
    await until('the slice to wait', async () => assert.match(await why(), /\(WaitingForBroker\)/));
    assert.match(await why(), /\nThere is no namespace quue: correct spec\.broker, /);
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'quue' } });
    assert.match(await why(), /\nNo pod runs in namespace quue, so no program answers there: /);
    await server.client.remove(Resources.Slice, metadata);
  });

  it('says in a sentence what is missing', async () => {
    for (const [argv, code, text] of [
      [['why', 'nothing', '-n', NAMESPACE], 1, /kubectl slice: .*"nothing" not found/],
      [['top', '--once'], 1, /no node manager runs in the namespace plugin-release/],
      [['audit', 'web'], 1, /operator\.audit/],
      [
        ['exec', 'web', '-n', NAMESPACE, '--node=plugin-n2', '--', 'id'],
        2,
        /no sliver of plugin\/web runs on plugin-n2/,
      ],
      [['dance'], 2, /there is no command dance/],
    ] as const) {
      const answer = await slice(...argv);
      assert.match(answer.err, text, argv.join(' '));
      assert.equal(answer.code, code, argv.join(' '));
    }
  });
});
