/** The manifests that people are shown, applied by kubectl to a real API server; those of docs/capabilities.md do what it says. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { API_VERSION, SECRET_TYPE } from '../../crds/names.ts';
import { getCondition } from '../../crds/conditions.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import type { Secret } from '../../operator/capability/value.ts';
import { kubectlProgram } from '../chart/helm.ts';
import { EXAMPLE_FILES, EXAMPLES, isOurs, manifestsIn, manifestsOf, pathsOf, SHOWN } from '../manifests.ts';
import { anotherApiServer, type ApiServer, until } from './fixture.ts';
import { type AdmittingNodes, startNodes } from './operator/nodes.ts';
import { type Process, startProcess } from './operator/process.ts';
import { startWorld, type World } from './operator/world.ts';

/** What is shown is the whole of what other specs would meet: it has a server of its own. */
let own: Promise<ApiServer> | undefined;

function kubectlOf(server: ApiServer): (argv: readonly string[], input?: string) => string {
  return (argv, input) => {
    const config = `--kubeconfig=${server.kubeconfig}`;
    return execFileSync(kubectlProgram(), [config, ...argv], {
      encoding: 'utf8',
      timeout: 60_000,
      stdio: 'pipe',
      input,
    });
  };
}

describe('the manifests that people are shown', function () {
  this.timeout(120_000);
  let server: ApiServer;
  let kubectl: ReturnType<typeof kubectlOf>;

  before(async () => {
    server = await (own ??= anotherApiServer());
    kubectl = kubectlOf(server);
  });

  const files = EXAMPLE_FILES.map((file) => ({
    place: `examples/${file}`,
    read: () => manifestsIn(readFileSync(`${EXAMPLES}/${file}`, 'utf8'), file),
  }));
  const pages = SHOWN.map((one) => ({ place: one.place, read: () => manifestsOf(one) }));
  const shown = [...files, ...pages].filter(({ read }) => read().length > 0);

  for (const { place, read } of shown) {
    it(`${place} is applied as it stands, and nothing of it is lost`, async () => {
      const objects = read();
      for (const name of new Set(objects.flatMap(({ metadata }) => metadata.namespace ?? []))) {
        if (await server.client.get(Resources.Namespace, { name })) continue;
        await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      }
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      const text = kubectl(['apply', '-o', 'json', '-f', '-'], JSON.stringify(list));
      const answer = JSON.parse(text) as KubeObject & { items?: KubeObject[] };
      const applied = new Map((answer.items ?? [answer]).map((one) => [`${one.kind} ${one.metadata.name}`, one]));
      for (const object of objects.filter(isOurs)) {
        const there = new Set(pathsOf(applied.get(`${object.kind} ${object.metadata.name}`), ''));
        assert.deepEqual(
          pathsOf(object, '').filter((path) => !there.has(path)),
          [],
        );
      }
      // namesakes of other pages would be edited, and not made
      kubectl(['delete', '--wait=false', '-f', '-'], JSON.stringify(withoutNamespaces(list)));
    });
  }

  /** Nothing here ends namespaces. */
  function withoutNamespaces(list: { items: readonly KubeObject[] }): object {
    return { ...list, items: list.items.filter(({ kind }) => kind !== 'Namespace') };
  }
});

describe('the operations on a right, each as its manifest', function () {
  this.timeout(120_000);
  const [ours, theirs] = ['operations-ours', 'operations-theirs'];
  let server: ApiServer;
  let kubectl: ReturnType<typeof kubectlOf>;
  let world: World;
  let nodes: AdmittingNodes;
  let operator: Process;

  before(async () => {
    server = await (own ??= anotherApiServer());
    kubectl = kubectlOf(server);
    for (const name of [ours, theirs]) {
      await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    // on the day for which the part is split off
    const ahead = Date.parse('2030-01-02T12:00:00Z') - Date.now();
    const offset = () => ahead;
    world = await startWorld(server.client, { answers: false });
    nodes = await startNodes(server.client, [await world.addNode('node1')], { offset });
    operator = await startProcess(server, { offset });
  });
  after(async () => {
    await operator.stop();
    await nodes.stop();
    await world.stop();
  });

  const path = (file: string) => `${EXAMPLES}/capabilities/${file}.yaml`;
  const apply = (namespace: string, file: string) => kubectl(['apply', '-n', namespace, '-f', path(file)]);
  const right = (namespace: string, name: string) =>
    server.client.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name });
  /** What its node makes of the present spec. */
  async function answered(namespace: string, name: string, check: (of: ResourceCapability) => void): Promise<void> {
    await until(`the node's answer about ${name}`, async () => {
      const found = await right(namespace, name);
      assert.ok(found, `${namespace}/${name}`);
      assert.equal(found.status?.observedGeneration, found.metadata.generation);
      check(found);
    });
  }
  const saying = ({ status }: ResourceCapability, type: string) => {
    const { status: is, reason } = getCondition(status?.conditions, type) ?? {};
    return [is, reason];
  };

  it('acquire', async () => {
    apply(ours, 'acquire');
    await answered(ours, 'course', (course) => {
      assert.deepEqual(saying(course, 'Granted'), ['True', 'Granted']);
      assert.deepEqual(saying(course, 'Bound'), ['False', 'NotBound']);
    });
  });

  it('bind, once', async () => {
    apply(ours, 'bind');
    const isBound = (course: ResourceCapability) => {
      assert.deepEqual(saying(course, 'Bound'), ['True', 'Bound']);
      assert.equal(course.status!.granted!.sliceName, 'lecture');
    };
    await answered(ours, 'course', isBound);
    apply(ours, 'acquire');
    await answered(ours, 'course', (course) => {
      assert.deepEqual(saying(course, 'Granted'), ['True', 'ResizeDenied']);
      isBound(course);
    });
  });

  it('renew, and what is applied counts as a whole', async () => {
    const end = async (file: string, is: string) => {
      apply(ours, file);
      await answered(ours, 'course', (course) => {
        assert.deepEqual(saying(course, 'Granted'), ['True', 'Granted']);
        assert.equal(course.status!.granted!.window!.end, is);
      });
    };
    await end('renew', '2030-01-15T00:00:00Z');
    await end('bind', '2030-01-08T00:00:00Z');
    await end('renew', '2030-01-15T00:00:00Z');
  });

  it('split', async () => {
    apply(ours, 'split');
    await answered(ours, 'team-1', ({ status }) => assert.equal(status!.granted!.from, `${ours}/course`));
    await until('the rest', async () =>
      assert.equal((await right(ours, 'course'))!.status!.granted!.left!.cpu!.shares, 150),
    );
  });

  it('transfer, and redeem', async () => {
    apply(ours, 'transfer');
    let value = '';
    await until('the value', async () => {
      const secret = await server.client.get<Secret>(Resources.Secret, { namespace: ours, name: 'team-1-value' });
      assert.equal(secret?.type, SECRET_TYPE);
      value = Buffer.from(secret.data!['value']!, 'base64').toString();
    });
    await answered(ours, 'team-1', ({ status }) => assert.match(status!.valueDigest ?? '', /^[0-9a-f]{64}$/));
    const shown = readFileSync(path('redeem'), 'utf8').replace(/value: [0-9a-f]{32}/, `value: ${value}`);
    kubectl(['apply', '-n', theirs, '-f', '-'], shown);
    await answered(theirs, 'team-1', (taken) => {
      assert.deepEqual(saying(taken, 'Granted'), ['True', 'Granted']);
      assert.equal(taken.status!.granted!.from, `${ours}/course`);
    });
    await until('the end of the former', async () =>
      assert.deepEqual(saying((await right(ours, 'team-1'))!, 'Granted'), ['False', 'Transferred']),
    );
  });

  it('suspend, and lift it', async () => {
    const suspenders = (file: string, are: unknown): Promise<void> => {
      apply(ours, file);
      return answered(theirs, 'team-1', ({ status }) => assert.deepEqual(status!.suspendedBy, are));
    };
    const why = { reason: 'probes our customers', contact: 'abuse@example.org' };
    await suspenders('suspend', [{ right: `${ours}/course`, ...why }]);
    await suspenders('renew', undefined);
  });

  it('release', async () => {
    kubectl(['delete', '-n', theirs, '-f', path('redeem')]);
    await until('the whole', async () => {
      const { granted } = (await right(ours, 'course'))!.status!;
      assert.deepEqual([granted!.left, granted!.window!.end], [undefined, '2030-01-15T00:00:00Z']);
    });
    kubectl(['delete', '-n', ours, '-f', path('renew'), '-f', path('transfer')]);
    await until('nothing to be left', () => {
      // that a right passed is remembered
      assert.deepEqual(
        nodes.nodes[0]!.ledger().entries.filter(({ grant }) => grant),
        [],
      );
      return Promise.resolve();
    });
    const url = `/apis/${API_VERSION}/resourcecapabilities`;
    const { items } = await server.client.request<{ items: KubeObject[] }>('GET', url);
    assert.deepEqual(
      items.filter(({ metadata }) => [ours, theirs].includes(metadata.namespace ?? '')),
      [],
    );
  });
});
