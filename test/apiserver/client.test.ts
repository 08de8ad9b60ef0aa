/** What the client promises of its writes and of who it is, with a real API server and its rules. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type ApiClient } from '../../kube/client.ts';
import { ApiError, isAlreadyExists, isStatus } from '../../kube/errors.ts';
import { startInformer } from '../../kube/informer.ts';
import { silentLog } from '../../kube/log.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import { eventually } from '../kube/eventually.ts';
import { apiServer, type ApiServer } from './fixture.ts';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

const NAMESPACE = 'client-test';
const STRANGER = '11111111-2222-3333-4444-555555555555';

const configMap = (name: string, data: Record<string, string> = {}): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: NAMESPACE, name },
  data,
});

describe('client with a real API server', () => {
  let server: ApiServer;
  let client: ApiClient;
  const read = (name: string) => client.get<ConfigMap>(Resources.ConfigMap, { namespace: NAMESPACE, name });

  before(async () => {
    server = await apiServer();
    client = server.client;
    await client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: NAMESPACE } } });
  });

  describe('writes', () => {
    const { apiVersion, kind } = Resources.Slice;
    const spec = { contact: 'a@example.org', sliver: { image: 'i:1' } };
    const status = { nodes: { wanted: 1 } };

    it('gives up a field that is applied no more, also after the status was applied by its own manager', async () => {
      const metadata = { namespace: NAMESPACE, name: 'applied' };
      await client.apply({ apiVersion, kind, metadata, spec: { ...spec, description: 'd' } }, { fieldManager: 'm' });
      const options = { fieldManager: 'm-status', force: true, subresource: 'status' } as const;
      await client.apply({ apiVersion, kind, metadata, status }, options);
      const applied = await client.apply<KubeObject & { spec: object; status?: object }>(
        { apiVersion, kind, metadata, spec },
        { fieldManager: 'm' },
      );
      assert.deepEqual([applied.spec, applied.status], [spec, status]);
    });

    it('applies a text with half a character in it: the server would refuse the whole of it', async () => {
      const text = 'half \ud83d, whole \u{1f600}, escaped \\ud83d';
      const applied = await client.apply(configMap('halved', { text }), { fieldManager: 'm' });
      assert.equal(applied.data?.text, text.toWellFormed());
    });

    it('takes a field from another manager only when told to', async () => {
      await client.apply(configMap('owned', { key: 'one' }), { fieldManager: 'one' });
      const other = configMap('owned', { key: 'other' });
      await assert.rejects(client.apply(other, { fieldManager: 'other' }), { status: 409, reason: 'Conflict' });
      assert.equal((await client.apply(other, { fieldManager: 'other', force: true })).data?.key, 'other');
    });

    it('edits the very object that a uid names, and makes none in its place', async () => {
      const { uid } = (await client.create(configMap('uid'))).metadata;
      const named = (name: string, uid?: string): ConfigMap => ({
        ...configMap(name, { by: 'uid' }),
        metadata: { namespace: NAMESPACE, name, ...(uid && { uid }) },
      });
      assert.equal((await client.apply(named('uid', uid), { fieldManager: 'm' })).data?.by, 'uid');
      const conflict = { status: 409, reason: 'Conflict' };
      await assert.rejects(client.apply(named('uid', STRANGER), { fieldManager: 'm' }), conflict);
      await assert.rejects(client.apply(named('absent', STRANGER), { fieldManager: 'm' }), conflict);
      const ref = { namespace: NAMESPACE, name: 'uid' };
      await assert.rejects(client.patch(Resources.ConfigMap, ref, { metadata: { uid: STRANGER } }), conflict);
      assert.equal(await read('absent'), undefined);
    });

    it('keeps a status from a namesake by the version that it is for', async () => {
      const metadata = { namespace: NAMESPACE, name: 'namesake' };
      const slice = { apiVersion, kind, metadata, spec };
      const { resourceVersion } = (await client.create<KubeObject>(slice)).metadata;
      await client.remove(Resources.Slice, metadata);
      await client.create(slice);
      const late = { apiVersion, kind, metadata: { ...metadata, resourceVersion }, status };
      await assert.rejects(client.apply(late, { fieldManager: 'm', subresource: 'status' }), { status: 409 });
    });

    it('removes the very object that a uid names', async () => {
      const { uid } = (await client.create(configMap('removed'))).metadata;
      const ref = { namespace: NAMESPACE, name: 'removed' };
      assert.equal(await client.remove(Resources.ConfigMap, { ...ref, uid: STRANGER }), false);
      assert.ok(await read('removed'));
      assert.equal(await client.remove(Resources.ConfigMap, { ...ref, uid }), true);
      assert.equal(await client.remove(Resources.ConfigMap, { ...ref, uid }), false);
      assert.equal(await read('removed'), undefined);
    });

    it('patches the version that was read, or nothing', async () => {
      const { resourceVersion } = (await client.create(configMap('patched'))).metadata;
      const ref = { namespace: NAMESPACE, name: 'patched' };
      const patch = (key: string) => ({ metadata: { resourceVersion }, data: { [key]: 'x' } });
      await client.patch(Resources.ConfigMap, ref, patch('first'));
      await assert.rejects(client.patch(Resources.ConfigMap, ref, patch('second')), { status: 409 });
      assert.deepEqual((await read('patched'))?.data, { first: 'x' });
    });

    it('finds what it made although the answer was lost', async () => {
      const losing = await server.connect({
        wrapDispatcher: (inner) =>
          inner.compose(
            (dispatch) => (options, handler) =>
              dispatch(options, {
                onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
                onResponseStart: (controller) => controller.abort(new Error('the answer was lost')),
                onResponseData: () => undefined,
                onResponseEnd: () => undefined,
                onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
              }),
          ),
      });
      await assert.rejects(losing.create(configMap('lost')), (error: Error) => {
        assert.ok(!(error instanceof ApiError));
        assert.match(error.message, /^POST \/api\/v1\/namespaces\/client-test\/configmaps: no answer from .*was lost$/);
        return true;
      });
      await assert.rejects(client.create(configMap('lost')), isAlreadyExists);
    });
  });

  it('lists more than one page into a store, without managedFields', async () => {
    const names = Array.from({ length: 520 }, (_, index) => `page-${index}`);
    await Promise.all(names.map((name) => client.create(configMap(name), { fieldManager: 'm' })));
    const resource = Resources.ConfigMap;
    const informer = startInformer<ConfigMap>({ client, resource, namespace: NAMESPACE, log: silentLog() });
    await informer.whenSynced();
    const kept = new Map(informer.store.list().map((one) => [one.metadata.name, one]));
    await informer.stop();
    assert.deepEqual(
      names.filter((name) => !kept.has(name)),
      [],
    );
    assert.ok([...kept.values()].every((one) => !('managedFields' in one.metadata) && one.kind === 'ConfigMap'));
  });

  describe('who it is', () => {
    const dir = mkdtempSync(join(tmpdir(), 'slice-client-test-'));
    const tokenFile = join(dir, 'token');
    const accounts = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`;
    let ours: ApiClient | undefined;
    afterEach(() => ours?.close());
    after(() => rmSync(dir, { recursive: true, force: true }));

    async function token(name: string): Promise<string> {
      await client.request('POST', accounts, { body: { metadata: { name } } });
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
      const answer = await client.request<{ status: { token: string } }>('POST', `${accounts}/${name}/token`, { body });
      return answer.status.token;
    }

    async function connect(authority: string): Promise<ApiClient> {
      const cluster = { server: server.url, 'certificate-authority': authority };
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster }],
        users: [{ name: 'u', user: { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } } }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'c',
      };
      const kubeconfig = join(dir, 'kubeconfig');
      writeFileSync(kubeconfig, JSON.stringify(config));
      ours = await createClient({ kubeconfig });
      return ours;
    }

    it('says who was refused what', async () => {
      writeFileSync(tokenFile, await token('nobody'));
      const nobody = await connect(server.certificate);
      const pods = `/api/v1/namespaces/${NAMESPACE}/pods`;
      const message = /^GET \/api\/v1\/namespaces\/client-test\/pods: 403 Forbidden: .*client-test:nobody/;
      await assert.rejects(nobody.request('GET', pods), { status: 403, reason: 'Forbidden', message });
    });

    it('takes a new token from its file as soon as the old one is refused', async () => {
      writeFileSync(tokenFile, await token('first'));
      const rotated = await connect(server.certificate);
      const review = () =>
        rotated.request('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
          body: { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } },
        });
      await review();
      await client.request('DELETE', `${accounts}/first`);
      // the server remembers for some seconds which tokens it has accepted
      await eventually('the first token is refused', () =>
        review().then(
          () => false,
          (error: unknown) => isStatus(error, 401),
        ),
      );
      writeFileSync(tokenFile, await token('second'));
      await review();
    });

    it('speaks to no server whose certificate another authority has signed', async () => {
      const [key, certificate] = [join(dir, 'other.key'), join(dir, 'other.crt')];
      const made = [
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-subj',
        '/CN=other',
        '-keyout',
        key,
        '-out',
        certificate,
      ];
      execFileSync('openssl', ['req', ...made], { stdio: 'ignore' });
      writeFileSync(tokenFile, 'secret');
      const deceived = await connect(certificate);
      await assert.rejects(deceived.request('GET', '/version'), /no answer from https:.*certificate/);
    });
  });
});
