/** A broker of tickets that ends between any two of its writes, on a real API server: nothing is lost, and nothing granted twice. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { ResourceCapability } from '../../crds/types.ts';
import { resourcePath, Resources } from '../../kube/resources.ts';
import { ask } from '../../operator/brokers/tickets/command/redeem.ts';
import { KEPT_MS } from '../../operator/brokers/tickets/books.ts';
import { PATIENCE_MS } from '../../operator/brokers/tickets/sweep.ts';
import { Refusal } from '../../operator/brokers/tickets/refusal.ts';
import type { Ticket } from '../../operator/brokers/tickets/ticket.ts';
import { refused } from '../operator/brokers/tickets/tickets.ts';
import { apiServer, until } from './fixture.ts';
import { watchedClient, type Write } from './operator/process.ts';
import { EXAMPLE, startCluster, type TicketCluster } from './tickets/cluster.ts';
import { ANNA, bookOf, BROKER_EAST, nonce, request, SITE_EAST, ticketOf, trust } from './tickets/scene.ts';

describe('a broker of tickets that ends at any instant', () => {
  let cluster: TicketCluster;
  before(async () => {
    const issuers = [trust('east', SITE_EAST)];
    cluster = await startCluster(await apiServer(), {
      ...{ namespace: 'tickets-crash', key: BROKER_EAST, nodeName: 'crash-node', issuers },
    });
  });
  after(() => cluster?.stop());

  const make = (count = 10): Ticket => ticketOf(SITE_EAST, BROKER_EAST, count);

  async function rights(): Promise<ResourceCapability[]> {
    const path = resourcePath(Resources.ResourceCapability, { namespace: cluster.namespace });
    return (await cluster.server.client.request<{ items: ResourceCapability[] }>('GET', path)).items;
  }

  /** The request at a broker that ends at its n-th write; the writes that the server took. */
  async function crashAt(at: number, when: 'before' | 'after', ticket: Ticket, same: string): Promise<Write[]> {
    const writes: Write[] = [];
    const crashed = Promise.withResolvers<void>();
    const client = watchedClient(cluster.account, writes, { at, when }, crashed.resolve);
    const broker = await cluster.startBroker({ client });
    const asked = { ...request(ticket, ANNA, cluster, broker.url), nonce: same };
    await Promise.allSettled([ask(asked), crashed.promise]);
    await broker.stop();
    return writes;
  }

  // the book's entry, the right, the entry as handed
  for (const [n, what] of ['the entry', 'the right', 'the handing over'].entries()) {
    for (const when of ['before', 'after'] as const) {
      it(`goes on where it was, ${when} it wrote ${what}`, async () => {
        const warm = await cluster.startBroker();
        await ask(request(make(1), ANNA, cluster, warm.url));
        await warm.stop();
        const before = { entries: (await bookOf(cluster, SITE_EAST)).entries.length, rights: (await rights()).length };
        const [ticket, same] = [make(), nonce()];
        const writes = await crashAt(n + 1, when, ticket, same);
        assert.equal(writes.length, n + (when === 'after' ? 1 : 0));

        const next = await cluster.startBroker();
        const asked = { ...request(ticket, ANNA, cluster, next.url), nonce: same };
        const [one, two] = [await ask(asked), await ask(asked)];
        assert.equal(one.value, two.value);
        await assert.rejects(ask({ ...asked, nonce: nonce() }), refused('AlreadyRedeemed'));
        assert.equal((await bookOf(cluster, SITE_EAST)).entries.length, before.entries + 1);
        assert.equal((await rights()).length, before.rights + 1);
        await next.stop();
      });
    }
  }

  // with the entry and the right before them
  for (const [n, what] of ['that it drops the entry', 'the release', 'that it forgot the entry'].entries()) {
    for (const when of ['before', 'after'] as const) {
      it(`clears away what the node refused, ${when} it wrote ${what}`, async () => {
        cluster.node.offer(1);
        const [ticket, same] = [make(20), nonce()];
        const before = (await rights()).length;
        await crashAt(n + 3, when, ticket, same);
        const next = await cluster.startBroker();
        const asked = { ...request(ticket, ANNA, cluster, next.url), nonce: same };
        await assert.rejects(
          ask(asked),
          (error) => error instanceof Refusal && /NodeDenied|NotAnswered|AlreadyRefused/.test(error.reason),
        );
        await until('nothing to be left of it', async () => {
          const { entries } = await bookOf(cluster, SITE_EAST);
          assert.ok(!entries.some((one) => one.nonce === same));
          assert.equal((await rights()).length, before);
        });
        cluster.node.offer(1000);
        // there is room now, and whoever heard it sends it once more
        await assert.rejects(ask(asked), refused('AlreadyRefused'));
        assert.ok((await ask(request(ticket, ANNA, cluster, next.url))).value);
        await next.stop();
      });
    }
  }

  it('gives up what nobody answers, and hands nothing of it over', async () => {
    const [ticket, same] = [make(), nonce()];
    await crashAt(3, 'before', ticket, same);
    const later = await cluster.startBroker({ now: () => Date.now() + PATIENCE_MS });
    await until('the attempt to be forgotten', async () => {
      assert.ok(!(await bookOf(cluster, SITE_EAST)).entries.some((one) => one.nonce === same));
    });
    await later.stop();
    const next = await cluster.startBroker();
    assert.ok((await ask(request(ticket, ANNA, cluster, next.url))).value);
    await next.stop();
  });

  it('releases and forgets everything when it is over, and a right that is in no book', async () => {
    const { client } = cluster.server;
    const [known] = await rights();
    const { labels, annotations } = known!.metadata;
    const metadata = { namespace: cluster.namespace, name: 'ticket-stray', labels, annotations };
    await client.create<ResourceCapability>({ ...known!, metadata, status: undefined });
    const later = await cluster.startBroker({ now: () => Date.now() + 2 * KEPT_MS });
    await until('nothing to be left', async () => {
      assert.deepEqual((await bookOf(cluster, SITE_EAST)).entries, []);
      assert.deepEqual(await rights(), []);
    });
    await later.stop();
  });

  it('has used every right that the example gives it, and has no others', () => {
    const documents = parseAllDocuments(readFileSync(EXAMPLE, 'utf8'));
    type Role = { kind: string; rules: { resources: string[]; verbs: string[] }[] };
    const { rules } = documents.map((one) => one.toJS() as Role).find(({ kind }) => kind === 'Role')!;
    const given = rules.flatMap(({ resources, verbs }) =>
      resources.flatMap((one) => verbs.map((verb) => `${verb} ${one}`)),
    );
    assert.deepEqual([...cluster.done].toSorted(), given.toSorted());
  });
});
