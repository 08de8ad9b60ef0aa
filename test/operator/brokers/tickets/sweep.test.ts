import assert from 'node:assert/strict';
import type { Log } from '../../../../kube/log.ts';
import type { ConfigMap } from '../../../../operator/kinds.ts';
import { createBroker } from '../../../../operator/brokers/tickets/broker.ts';
import { type Book, KEPT_MS } from '../../../../operator/brokers/tickets/books.ts';
import { bookName } from '../../../../operator/brokers/tickets/names.ts';
import { planHandOver, planRedemption } from '../../../../operator/brokers/tickets/plan.ts';
import type { Rights } from '../../../../operator/brokers/tickets/rights.ts';
import { openShelf } from '../../../../operator/brokers/tickets/shelf.ts';
import { ANNA, asked, BROKER, EMPTY, ISSUER, NOW, ticketFor, WINDOW } from './tickets.ts';

const signal = new AbortController().signal;
const KEY = 'book.json';

/** Books as an API server has them. */
function serverWith(...texts: [name: string, text: string][]) {
  const maps = new Map<string, ConfigMap>(
    texts.map(([name, text]) => [
      name,
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'tickets' }, data: { [KEY]: text } },
    ]),
  );
  const client = {
    get: (_: unknown, { name }: { name: string }) => Promise.resolve(maps.get(name)),
    patch: (_: unknown, { name }: { name: string }, { data }: Pick<ConfigMap, 'data'>) => {
      maps.set(name, { ...maps.get(name)!, data: data! });
      return Promise.resolve({});
    },
    create: () => Promise.reject(new Error('nothing is to be created')),
    request: () => Promise.resolve({ items: [...maps.values()] }),
  };
  const options = { namespace: 'tickets', hasRights: () => Promise.resolve(false) };
  const shelf = openShelf({ ...options, client: client as unknown as Parameters<typeof openShelf>[0]['client'] });
  return { shelf, entries: (name: string) => (JSON.parse(maps.get(name)!.data![KEY]!) as Book).entries.length };
}

describe('sweeping', () => {
  it('goes on to the other books where some are broken, and says which', async () => {
    const request = asked(ticketFor(), ANNA);
    const input = { asked: request, issuer: ISSUER, revoked: new Set<string>(), issuers: 1, now: NOW };
    const { book, entry } = planRedemption({ ...input, book: EMPTY });
    const own = bookName(ISSUER.key);
    const server = serverWith(
      ['a-broken', '{'],
      ['b-null', 'null'],
      ['c-strange', '{"issuer":"x","entries":[{}]}'],
      [own, JSON.stringify(planHandOver(book!, entry).book)],
    );
    const released: string[] = [];
    const rights = {
      list: () => Promise.resolve([]),
      release: (name: string) => Promise.resolve(void released.push(name)),
    };
    const said: unknown[] = [];
    const broker = createBroker({
      key: BROKER,
      namespace: 'tickets',
      shelf: server.shelf,
      rights: rights as unknown as Rights,
      settings: () => ({ issuers: [ISSUER], revoked: new Set() }),
      log: { info: () => undefined, error: (what: unknown) => void said.push(what) } as unknown as Log,
      now: () => Date.parse(WINDOW.end) + KEPT_MS,
    });
    assert.equal(server.entries(own), 1);
    await broker.sweep(signal);
    assert.equal(server.entries(own), 0);
    assert.deepEqual(released, [entry.name]);
    assert.match(JSON.stringify(said), /tickets\/a-broken.*tickets\/b-null.*tickets\/c-strange.*"count":3/);
  });
});
