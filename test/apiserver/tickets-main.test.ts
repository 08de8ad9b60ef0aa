/** `tickets` as people and pods start it: the command from keys to a right, and the broker's process. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import type { ResourceCapability } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { pairOf, readPrivateKey } from '../../operator/brokers/tickets/key.ts';
import { apiServer, until } from './fixture.ts';
import { startCluster, type TicketCluster } from './tickets/cluster.ts';
import { nonce } from './tickets/scene.ts';

const MAIN = fileURLToPath(new URL('../../operator/brokers/tickets/main.ts', import.meta.url));

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

describe("tickets' process", () => {
  const dir = mkdtempSync(join(tmpdir(), 'slice-tickets-main-'));
  let cluster: TicketCluster;
  let child: ChildProcess | undefined;
  const broker = pairOf(Buffer.from(nonce() + nonce()).subarray(0, 32));
  const publicKeys = new Map<string, string>();

  before(async () => {
    for (const name of ['site', 'anna', 'ben']) {
      const { code, out } = await run('keygen', `--name=${name}`);
      assert.equal(code, 0);
      writeFileSync(join(dir, name), out, { mode: 0o600 });
      const { stringData } = parse(out) as { stringData: { private: string } };
      publicKeys.set(name, readPrivateKey(stringData.private).publicKey);
    }
    const issuer = {
      name: 'site',
      key: publicKeys.get('site')!,
      resources: { cpu: { shares: 100 }, egress: { guarantee: '1M' } },
    };
    cluster = await startCluster(await apiServer(), {
      ...{ namespace: 'tickets-main', key: broker, nodeName: 'main-node', issuers: [issuer] },
    });
  });
  after(async () => {
    child?.kill('SIGKILL');
    await cluster?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  function start(argv: string[], env: Record<string, string> = {}): { child: ChildProcess; ended: Promise<Outcome> } {
    const one = spawn(process.execPath, [MAIN, ...argv], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    one.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    one.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const ended = new Promise<Outcome>((resolve) => one.once('close', (code) => resolve({ code, out, err })));
    return { child: one, ended };
  }
  const run = (...argv: string[]): Promise<Outcome> => start(argv).ended;

  async function file(name: string, ...argv: string[]): Promise<string> {
    const { code, out, err } = await run(...argv);
    assert.equal(code, 0, err);
    writeFileSync(join(dir, name), out);
    return out;
  }

  it('goes from a key to a right, and ends when it is told to', async () => {
    const port = await freePort();
    const { files, namespace } = cluster;
    const settings = { TICKETS_KEY: files.key, TICKETS_SETTINGS: files.settings, KUBECONFIG: files.kubeconfig };
    const served = start([], {
      ...settings,
      NAMESPACE: namespace,
      TICKETS_PORT: String(port),
      TICKETS_HOST: '127.0.0.1',
    });
    child = served.child;
    const url = `http://127.0.0.1:${port}`;
    await until('the broker to answer', async () => {
      assert.equal(((await (await fetch(url)).json()) as { broker: string }).broker, broker.publicKey);
    });
    const to = (name: string) => `--to=${publicKeys.get(name)}`;
    const end = `--end=${new Date(Date.now() + 3_600_000).toISOString()}`;
    const resources = '--resources={cpu: {shares: 40}, egress: {guarantee: 40k}}';
    await file('anna.ticket', 'issue', '--key=site', `--broker=${broker.publicKey}`, to('anna'), resources, end);
    const part = '--resources={cpu: {shares: 25}, egress: {guarantee: 25k}}';
    await file('ben.ticket', 'delegate', '--key=anna', '--ticket=anna.ticket', to('ben'), part, '--node=main-node');
    assert.match(await file('shown', 'show', '--ticket=ben.ticket'), /shares: 25/);
    const redeem = ['redeem', '--key=ben', '--ticket=ben.ticket', `--at=${url}`, '--contact=ben@example.org'];
    const yaml = await file('mine.yaml', ...redeem, '--name=mine', '--namespace=default');
    for (const one of parseAllDocuments(yaml)) await cluster.server.client.create(one.toJS() as KubeObject);
    await until('the right to be taken over', async () => {
      const ref = { namespace: 'default', name: 'mine' };
      const right = await cluster.server.client.get<ResourceCapability>(Resources.ResourceCapability, ref);
      assert.equal(right?.status?.granted?.resources.cpu?.shares, 25);
    });

    const twice = await run(...redeem);
    assert.deepEqual([twice.code, twice.out], [1, '']);
    assert.match(twice.err, /^tickets: AlreadyRedeemed: the ticket was redeemed, on main-node/);
    const whole = redeem.map((one) => one.replace('ben', 'anna').replace('ben.ticket', 'anna.ticket'));
    const over = await run(...whole, '--node=main-node');
    assert.match(over.err, /^tickets: OverIssued: asks 40 shares, 15 of 40 left of what ed25519:/);

    child.kill('SIGTERM');
    const { code, out } = await served.ended;
    assert.equal(code, 0);
    assert.match(out, /a ticket was redeemed/);
    assert.match(out, /"reason":"OverIssued"/);
    const gone = await run(...redeem);
    assert.match(gone.err, /^tickets: no answer from .*ask again with --nonce=/);
  });

  it('says how it is used, and what it does not understand', async () => {
    const help = await run('--help');
    assert.match(help.err, /^tickets COMMAND\n/);
    assert.equal(help.code, 2);
    const wrong = await run('issue', '--key=site');
    assert.deepEqual([wrong.code, wrong.err], [2, 'tickets: issue needs --broker\n']);
    const outside = await run();
    assert.match(
      outside.err,
      /^tickets: without a command it is the broker, which runs in a pod \(ENOENT.*--help.*\n$/,
    );
    assert.equal(outside.code, 2);
  });

  it('does not begin with settings that make no sense', async () => {
    writeFileSync(join(dir, 'settings'), 'issuers: 3');
    const { files, namespace } = cluster;
    const env = { TICKETS_KEY: files.key, TICKETS_SETTINGS: join(dir, 'settings'), KUBECONFIG: files.kubeconfig };
    const { code, err } = await start([], { ...env, NAMESPACE: namespace, TICKETS_PORT: '0' }).ended;
    assert.equal(code, 1);
    assert.match(err, /issuers must be a list/);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
