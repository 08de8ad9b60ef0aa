/** Tickets on a real API server: redeemed by the real broker with its own account, taken over by the real operator, granted by a real admission. */
import assert from 'node:assert/strict';
import { parseAllDocuments } from 'yaml';
import type { ResourceCapability } from '../../crds/types.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import { ask, redeem } from '../../operator/brokers/tickets/command/redeem.ts';
import type { ConfigMap } from '../../operator/kinds.ts';
import { refused } from '../operator/brokers/tickets/tickets.ts';
import { anotherApiServer, apiServer, until } from './fixture.ts';
import {
  ANNA,
  BEN,
  bookOf,
  BROKER_EAST,
  BROKER_WEST,
  give,
  nonce,
  request,
  SITE_EAST,
  SITE_WEST,
  ticketOf,
  trust,
} from './tickets/scene.ts';
import { type Running, startCluster, type TicketCluster } from './tickets/cluster.ts';

describe('tickets, on real API servers', () => {
  let east: TicketCluster;
  let west: TicketCluster;
  let atEast: Running;
  let atWest: Running;

  before(async () => {
    const servers = await Promise.all([apiServer(), anotherApiServer()]);
    // each knows the public key of the other's site, and nothing else
    east = await startCluster(servers[0], {
      ...{ namespace: 'tickets-east', key: BROKER_EAST, nodeName: 'east-node' },
      issuers: [trust('west', SITE_WEST), trust('east', SITE_EAST)],
    });
    west = await startCluster(servers[1], {
      namespace: 'tickets-west',
      key: BROKER_WEST,
      nodeName: 'west-node',
      issuers: [trust('east', SITE_EAST)],
    });
    [atEast, atWest] = [await east.startBroker(), await west.startBroker()];
    for (const { server } of [east, west]) {
      await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ben' } });
    }
  });
  after(async () => {
    await east?.stop();
    await west?.stop();
  });

  async function take({ server: { client } }: TicketCluster, yaml: string): Promise<ResourceCapability> {
    const objects = parseAllDocuments(yaml).map((one) => one.toJS() as KubeObject & { stringData?: object });
    for (const object of objects) await client.create(object);
    const { namespace, name } = objects[1]!.metadata;
    let found: ResourceCapability | undefined;
    await until('the right to be taken over', async () => {
      found = await client.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name });
      assert.ok(found?.status?.conditions?.some(({ type }) => type === 'Granted'));
    });
    return found!;
  }

  it('are good for a right in another cluster, which passes to their holder there and back', async () => {
    for (const [cluster, site, broker, at] of [
      [west, SITE_EAST, BROKER_WEST, atWest],
      [east, SITE_WEST, BROKER_EAST, atEast],
    ] as const) {
      const ticket = give(ticketOf(site, broker), 60);
      const yaml = await redeem({ ...request(ticket, BEN, cluster, at.url), name: 'mine', namespace: 'ben' });
      const right = await take(cluster, yaml);
      const granted = right.status!.conditions!.find(({ type }) => type === 'Granted')!;
      assert.equal(granted.status, 'True', granted.message);
      assert.equal(right.status!.granted!.resources.cpu!.shares, 60);
      const ledger = cluster.node
        .ledger()
        .entries.map(({ namespace, grant, refusal }) => [namespace, grant?.amounts.shares ?? refusal?.reason]);
      assert.deepEqual(ledger.toSorted(), [
        ['ben', 60],
        [cluster.namespace, 'Transferred'],
      ]);
      const again = ask(request(ticket, BEN, cluster, at.url));
      await assert.rejects(again, refused('AlreadyRedeemed', /was redeemed, on/));
    }
  });

  it('are refused where they were over-issued, which says what is left', async () => {
    const ticket = ticketOf(SITE_EAST, BROKER_WEST);
    const [first, second] = [give(ticket, 70), give(ticket, 50)];
    await ask(request(first, BEN, west, atWest.url));
    await assert.rejects(ask(request(second, BEN, west, atWest.url)), (error: unknown) => {
      const isRight = refused('OverIssued', /^asks 50 shares, 30 of 100 left of what ed25519:\S+ was given until/);
      return isRight(error) && (error as { details: { left: { shares: number } } }).details.left.shares === 30;
    });
    await ask(request(give(ticket, 30), BEN, west, atWest.url));
  });

  it('are refused of whom nobody knows here, at another broker, and by another than their holder', async () => {
    const foreign = ticketOf(SITE_WEST, BROKER_WEST);
    await assert.rejects(ask(request(foreign, ANNA, west, atWest.url)), refused('UnknownIssuer'));
    const ticket = ticketOf(SITE_EAST, BROKER_WEST);
    await assert.rejects(ask(request(ticket, BEN, west, atWest.url)), refused('NotHolder'));
    // East trusts this site as well, but the ticket is for west: its holder hears nothing that she would believe
    await assert.rejects(ask(request(ticket, ANNA, east, atEast.url)), refused('Forged', /not signed by/));
  });

  it('answer the same request again, and open to nobody else', async () => {
    const ticket = ticketOf(SITE_EAST, BROKER_WEST, 10);
    const same = request(ticket, ANNA, west, atWest.url);
    const [one, two] = [await ask(same), await ask(same)];
    assert.match(one.value, /^[0-9a-f]{32}$/);
    assert.equal(one.value, two.value);
    assert.notDeepEqual(one.redeemed.value, two.redeemed.value);
    await assert.rejects(ask({ ...same, nonce: nonce() }), refused('AlreadyRedeemed'));
  });

  it('grant once, however many ask and however many brokers there are', async () => {
    const second = await west.startBroker();
    const ticket = ticketOf(SITE_EAST, BROKER_WEST, 10);
    const tries = [atWest, second, atWest, second, atWest, second].map(({ url }) =>
      ask(request(ticket, ANNA, west, url)),
    );
    const outcomes = await Promise.allSettled(tries);
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const one of outcomes)
      if (one.status === 'rejected') assert.ok(refused('AlreadyRedeemed')(one.reason), String(one.reason));

    // parts that fit only by twos
    const whole = ticketOf(SITE_EAST, BROKER_WEST, 50);
    const parts = [20, 20, 20, 20].map((count, n) =>
      ask(request(give(whole, count), BEN, west, [atWest, second][n % 2]!.url)),
    );
    const settled = await Promise.allSettled(parts);
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 2);
    for (const one of settled)
      if (one.status === 'rejected') assert.ok(refused('OverIssued')(one.reason), String(one.reason));
    await second.stop();
  });

  it('are not spent where the node refuses, and can be redeemed another time', async () => {
    west.node.offer(1);
    const ticket = ticketOf(SITE_EAST, BROKER_WEST, 20);
    const before = (await bookOf(west, SITE_EAST)).entries.length;
    await assert.rejects(
      ask(request(ticket, ANNA, west, atWest.url)),
      refused('NodeDenied', /^west-node refused: InsufficientShares: asks 20/),
    );
    assert.equal((await bookOf(west, SITE_EAST)).entries.length, before);
    west.node.offer(1000);
    assert.match((await ask(request(ticket, ANNA, west, atWest.url))).value, /^[0-9a-f]{32}$/);
  });

  it('are not begun anew where a book was deleted', async () => {
    const [book] = await east.books();
    const { namespace, name, labels } = book!.metadata;
    await east.server.client.remove(Resources.ConfigMap, { namespace, name });
    const ticket = ticketOf(SITE_WEST, BROKER_EAST, 10);
    const refusal = refused('BookLost', /is gone, and rights of its tickets are there/);
    await assert.rejects(ask(request(ticket, ANNA, east, atEast.url)), refusal);
    await east.server.client.create<ConfigMap>({
      ...book!,
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name, labels },
    });
    assert.ok(await ask(request(ticket, ANNA, east, atEast.url)));
  });
});
