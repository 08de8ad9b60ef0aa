/** The command line, from keys to a redeemed right, with a server of tickets that is not there and one that is. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { silentLog } from '../../../../../kube/log.ts';
import type { Listening } from '../../../../../kube/listen.ts';
import { parseCommand, UsageError } from '../../../../../operator/brokers/tickets/command/arguments.ts';
import { COMMANDS } from '../../../../../operator/brokers/tickets/command/commands.ts';
import { readPrivateKey } from '../../../../../operator/brokers/tickets/key.ts';
import { Refusal } from '../../../../../operator/brokers/tickets/refusal.ts';
import { readRequest, type Redeemed, signRequest } from '../../../../../operator/brokers/tickets/request.ts';
import { seal } from '../../../../../operator/brokers/tickets/seal.ts';
import { serveTickets } from '../../../../../operator/brokers/tickets/server.ts';
import { decode, idOf } from '../../../../../operator/brokers/tickets/ticket.ts';
import { NOW, refused, WINDOW } from '../tickets.ts';

interface KeySecret {
  metadata: { name: string; namespace?: string };
  type: string;
  stringData: { private: string; public: string };
}

const files = new Map<string, string>();
const io = { read: (file: string) => files.get(file)!, now: () => NOW };

async function tickets(...argv: string[]): Promise<string> {
  const { name, options } = parseCommand(argv);
  return await COMMANDS[name](options, io);
}

async function newKey(name: string): Promise<string> {
  const text = await tickets('keygen', `--name=${name}`, '--namespace', 'site');
  files.set(name, text);
  return (parse(text) as KeySecret).stringData.public;
}

describe('tickets, the command', () => {
  let [site, broker, anna, ben]: string[] = [];
  before(async () => {
    [site, broker, anna, ben] = await Promise.all(['site', 'broker', 'anna', 'ben'].map(newKey));
    const resources = '{cpu: {shares: 40}, egress: {guarantee: 4M, limit: 8M}}';
    const given = ['--broker', broker!, '--to', anna!, '--resources', resources, `--end=${WINDOW.end}`];
    files.set('ticket', await tickets('issue', '--key', 'site', ...given));
  });

  it('makes keys as Secrets', () => {
    const secret = parse(files.get('site')!) as KeySecret;
    assert.deepEqual(
      [secret.type, secret.metadata],
      ['slice-operator.io/ticket-key', { name: 'site', namespace: 'site' }],
    );
    assert.equal(readPrivateKey(secret.stringData.private).publicKey, site);
    assert.notEqual(site, anna);
  });

  it('reads a key as it is, as keygen wrote it and as kubectl gives it back', async () => {
    const { private: key } = (parse(files.get('anna')!) as KeySecret).stringData;
    files.set('raw', `${key}\n`);
    files.set('data', stringify({ kind: 'Secret', data: { private: Buffer.from(key).toString('base64') } }));
    files.set('json', JSON.stringify({ kind: 'Secret', data: { private: Buffer.from(key).toString('base64') } }));
    for (const file of ['raw', 'data', 'json', 'anna']) {
      assert.match(await tickets('delegate', '--key', file, '--to', ben!, '--ticket', 'ticket'), /^ticket1\./);
    }
    files.set('none', 'a: b\nc: d\n');
    await assert.rejects(tickets('delegate', '--key', 'none', '--to', ben!, '--ticket', 'ticket'), UsageError);
  });

  it('gives on, and shows what there is', async () => {
    files.set('-', files.get('ticket')!);
    const resources = '{cpu: {shares: 10}, egress: {guarantee: 1M, limit: 2M}}';
    const given = await tickets('delegate', '--key=anna', `--to=${ben}`, '--resources', resources, '--node=node1');
    files.set('-', given);
    const shown = parse(await tickets('show')) as { broker: string; links: Record<string, unknown>[] };
    assert.equal(shown.broker, broker);
    assert.deepEqual(
      shown.links.map(({ issuer, holder, node }) => [issuer, holder, node]),
      [
        [site, anna, undefined],
        [anna, ben, 'node1'],
      ],
    );
    assert.deepEqual(shown.links[1]!['window'], { start: '2026-11-01T00:00:00Z', end: WINDOW.end });
    files.set('-', given.replace(/.\n$/, '\n'));
    await assert.rejects(tickets('show'), Refusal);
    await assert.rejects(tickets('delegate', '--key=ben', `--to=${anna}`, '--ticket=ticket'), refused('NotHolder'));
    const more = ['--resources', '{cpu: {shares: 41}}'];
    await assert.rejects(
      tickets('delegate', '--key=anna', `--to=${ben}`, '--ticket=ticket', ...more),
      refused('Widened'),
    );
  });

  for (const [resources, message] of [
    ['{cpu: {sharess: 100}}', /^--resources: there is no field cpu\.sharess: there are shares, excess$/],
    ['{cpu: {shares: 1}, memroy: 1Gi}', /there is no field memroy: there are .*memory/],
    ['{ports: [{protocol: TCP, port: 80, prot: x}]}', /there is no field ports\[0\]\.prot: there are protocol, port/],
    ['{cpu: {shares: many}}', /^--resources\.cpu\.shares: must be integer$/],
    ['{memory: }', /memory/],
    ['none', /must be object/],
  ] as const) {
    it(`signs nothing with the resources ${resources}, new or given on`, async () => {
      const issue = ['issue', '--key=site', '--broker', broker!, '--to', anna!, `--end=${WINDOW.end}`];
      await assert.rejects(tickets(...issue, '--resources', resources), refused('Malformed', message));
      const give = ['delegate', '--key=anna', '--to', ben!, '--ticket=ticket', '--resources', resources];
      await assert.rejects(tickets(...give), refused('Malformed', message));
    });
  }

  describe('redeems', () => {
    let server: Listening;
    let answer: (text: string) => Promise<never> | Parameters<typeof seal>[0];
    /** Where the broker says something else than it was asked. */
    let redeemed: Partial<Redeemed> = {};
    before(async () => {
      const key = readPrivateKey((parse(files.get('broker')!) as KeySecret).stringData.private);
      const redeem = async (text: string) => {
        const asked = readRequest(text, { broker: key.publicKey, issuers: new Set([site!]), now: NOW });
        const value = await answer(text);
        const { resources, window } = asked.proof.leaf;
        const said = { node: asked.node, resources, window, ticket: asked.proof.ids.at(-1)!, right: 'tickets/x' };
        return { outcome: 'Redeemed' as const, ...said, ...redeemed, value: seal(value, asked.seal) };
      };
      const { signal } = new AbortController();
      server = await serveTickets({
        ...{ port: 0, host: '127.0.0.1', key, signal },
        broker: { redeem },
        settings: () => ({ readAt: WINDOW.start }),
        log: silentLog(),
      });
    });
    after(() => server.close());

    const run = (...more: string[]) =>
      tickets(
        'redeem',
        '--key=anna',
        '--ticket=ticket',
        `--at=http://127.0.0.1:${server.port}`,
        '--contact=a@b.org',
        ...more,
      );

    it('into the two objects that take the right over', async () => {
      answer = () => 'f'.repeat(32);
      const [secret, right] = parseAllDocuments(await run('--node=node1', '--namespace=mine')).map(
        (one) => one.toJS() as object,
      );
      const id = idOf(decode(files.get('ticket')!.trim())[0]!.claim);
      const name = `ticket-${id.replace(/[-_]/g, '').slice(0, 12).toLowerCase()}`;
      const metadata = { name, namespace: 'mine' };
      const type = 'slice-operator.io/capability';
      assert.deepEqual(secret, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata,
        type,
        stringData: { value: 'f'.repeat(32) },
      });
      assert.deepEqual(right, {
        apiVersion: 'slice-operator.io/v1alpha1',
        kind: 'ResourceCapability',
        metadata: { ...metadata, labels: { 'slice-operator.io/node': 'node1' } },
        spec: { nodeName: 'node1', contact: 'a@b.org', redeem: metadata.name },
      });
    });

    it('or says why not, as the broker did', async () => {
      answer = () => Promise.reject(new Refusal('OverIssued', 'asks 40 shares'));
      await assert.rejects(run('--node=node1'), refused('OverIssued', /^asks 40 shares \(the nonce is [\w-]{22}\)$/));
      answer = () => Promise.reject(new Refusal('NotAnswered', 'not yet'));
      await assert.rejects(run('--node=node1', `--nonce=${'A'.repeat(22)}`), refused('NotAnswered', /nonce is A{22}/));
    });

    for (const [field, change] of [
      ['ticket', { ticket: 'another' }],
      ['node', { node: 'node2' }],
      ['resources', { resources: { cpu: { shares: 1 } } }],
      ['window', { window: { start: WINDOW.start, end: '2026-11-02T00:00:00Z' } }],
    ] as const) {
      it(`and takes nothing where ${field} is not what was asked for, though the broker signs it`, async () => {
        answer = () => 'f'.repeat(32);
        redeemed = change;
        const message = new RegExp(`^the broker redeemed ${field} .* was asked for \\(the nonce is `);
        await assert.rejects(run('--node=node1'), refused('Forged', message)).finally(() => (redeemed = {}));
      });
    }

    describe('through somebody who carries the packets', () => {
      let between: Server;
      let forge: (request: { nonce: string; seal: string }) => string;
      before(async () => {
        between = createServer((request, response) => {
          void text(request)
            .then((body) => forge(JSON.parse(body) as { nonce: string; seal: string }))
            .then((body) => fetch(`http://127.0.0.1:${server.port}/redeem`, { method: 'POST', body }))
            .then(async (said) => response.writeHead(said.status).end(await said.text()));
        });
        await once(between.listen(0, '127.0.0.1'), 'listening');
      });
      after(() => between.close());

      const through = () => {
        const { port } = between.address() as AddressInfo;
        const argv = ['redeem', '--key=anna', '--ticket=ticket', '--node=node1', '--contact=a@b.org'];
        return tickets(...argv, `--at=http://127.0.0.1:${port}`);
      };

      it('takes the answer to what was asked', async () => {
        answer = () => 'f'.repeat(32);
        forge = (request) => JSON.stringify(request);
        assert.match(await through(), /value: f{32}/);
      });

      it('takes no refusal of something else under the same nonce', async () => {
        forge = ({ nonce }) => JSON.stringify({ nonce });
        await assert.rejects(through(), refused('Forged', /another request.*the nonce is/));
      });

      it('takes no right by the ticket of another under the same nonce, for the same key', async () => {
        answer = () => 'f'.repeat(32);
        const resources = '{cpu: {shares: 1}, egress: {guarantee: 5k, limit: 8M}}';
        const bens = await tickets(
          'delegate',
          '--key=anna',
          `--to=${ben}`,
          '--ticket=ticket',
          '--resources',
          resources,
        );
        const key = readPrivateKey((parse(files.get('ben')!) as KeySecret).stringData.private);
        forge = ({ nonce, seal: to }) => {
          const asked = { ticket: bens.trim(), broker: broker!, node: 'node2', contact: 'ben@b.org' };
          return signRequest({ ...asked, nonce, time: NOW / 1000, seal: to }, key);
        };
        await assert.rejects(through(), refused('Forged', /another request.*the nonce is/));
      });
    });

    it('and says how to go on where it failed half of the way', async () => {
      answer = () => Promise.reject(new Error('the API server is gone'));
      await assert.rejects(
        run('--node=node1', `--nonce=${'A'.repeat(22)}`),
        /status 500.*ask again with --nonce=A{22}/,
      );
      await assert.rejects(run(), UsageError);
    });
  });

  it('says which option makes a ticket good for too long', async () => {
    const given = [
      'issue',
      '--key=site',
      '--broker',
      broker!,
      '--to',
      anna!,
      '--resources={}',
      '--end=2030-01-08T00:00:00Z',
    ];
    await assert.rejects(tickets(...given), {
      name: 'UsageError',
      message: 'a ticket is good for at most 400 days, from --start, which is now where it is not given, until --end',
    });
    assert.match(await tickets(...given, '--start=2030-01-01T00:00:00Z'), /^ticket1\./);
    await assert.rejects(tickets(...given, '--start=2027-01-01T00:00:00Z'), /400 days, from --start until --end$/);
  });

  for (const at of ['node1:8085', 'node1', '//node1:8085', 'ftp://node1']) {
    it(`says how to write ${at} instead`, async () => {
      const message = `--at=${at} is no URL of a broker: write it as http://HOST:8085`;
      const argv = ['redeem', '--key=anna', '--ticket=ticket', '--node=node1', '--contact=a@b.org', `--at=${at}`];
      await assert.rejects(tickets(...argv), { name: 'UsageError', message });
    });
  }

  for (const argv of [
    [],
    ['sell'],
    ['issue'],
    ['show', '--tickets=x'],
    ['show', '--ticket'],
    ['show', '--ticket=a', '--ticket=b'],
    ['show', 'x'],
    ['issue', '--key=site', '--broker=x', '--to=y', '--resources=[', '--end=2030-01-01T00:00:00Z'],
  ]) {
    it(`does not understand ${JSON.stringify(argv)}`, async () => {
      await assert.rejects(tickets(...argv), (error) => error instanceof UsageError || error instanceof Refusal);
    });
  }
});
