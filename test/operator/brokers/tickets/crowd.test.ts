/** Many requests for a node that does not answer: they keep nobody waiting but those who sent them. */
import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../../crds/types.ts';
import type { Listening } from '../../../../kube/listen.ts';
import { silentLog } from '../../../../kube/log.ts';
import type { Book, Entry } from '../../../../operator/brokers/tickets/books.ts';
import { createBroker } from '../../../../operator/brokers/tickets/broker.ts';
import { inFull } from '../../../../operator/brokers/tickets/claim.ts';
import type { KeyPair } from '../../../../operator/brokers/tickets/key.ts';
import { rightOf, type Rights } from '../../../../operator/brokers/tickets/rights.ts';
import { serveTickets } from '../../../../operator/brokers/tickets/server.ts';
import type { Shelf } from '../../../../operator/brokers/tickets/shelf.ts';
import { issue } from '../../../../operator/brokers/tickets/ticket.ts';
import { TURN_LIMITS } from '../../../../operator/brokers/tickets/turns.ts';
import { ANNA, BROKER, ISSUER, keyOf, nonceOf, NOW, requestText, shares, WINDOW } from './tickets.ts';

const SITES = ['one', 'two', 'three'].map(keyOf);
const issuers = SITES.map(({ publicKey }, n) => ({ ...ISSUER, key: publicKey, name: `site${n}` }));

describe('a crowd at the broker', () => {
  let server: Listening;
  let ending: AbortController;
  let asked: number;

  beforeEach(async () => {
    ending = new AbortController();
    asked = 0;
    const books = new Map<string, Book>(issuers.map(({ key }) => [key, { issuer: key, entries: [] }]));
    const shelf = {
      change: <T extends { book?: Book }>(issuer: string, decide: (book: Book) => T) => {
        const outcome = decide(books.get(issuer)!);
        if (outcome.book) books.set(issuer, outcome.book);
        return Promise.resolve(outcome);
      },
      list: () => Promise.resolve({ books: [...books.values()], broken: [] }),
    } as Shelf;
    const made = new Map<string, ResourceCapability>();
    const rights = {
      find: (name: string) => Promise.resolve(made.get(name)),
      // node1 answers nobody
      acquire: (entry: Entry, issuer: string) => {
        asked++;
        const right = rightOf(entry, issuer, 'tickets');
        const conditions = [{ type: 'Granted', status: 'True', reason: 'Granted', lastTransitionTime: WINDOW.start }];
        const status = { observedGeneration: 1, conditions } as ResourceCapability['status'];
        const metadata = { ...right.metadata, generation: 1 };
        const found = { ...right, metadata, ...(entry.node === 'node2' && { status: status! }) };
        made.set(entry.name, found);
        return Promise.resolve(found);
      },
      value: () => Promise.resolve('a'.repeat(32)),
    } as unknown as Rights;
    const options = { key: BROKER, log: silentLog(), signal: ending.signal };
    const settings = () => ({ issuers, revoked: new Set<string>() });
    const bounds = { now: () => NOW, patienceMs: 600_000, pollMs: 20 };
    const broker = createBroker({ ...options, ...bounds, namespace: 'tickets', shelf, rights, settings });
    const state = () => ({ readAt: WINDOW.start });
    server = await serveTickets({ ...options, port: 0, host: '127.0.0.1', broker, settings: state });
  });
  afterEach(async () => {
    ending.abort();
    await server.close();
  });

  let count = 0;
  const text = (site: KeyPair, node: string): string => {
    const nonce = nonceOf(`crowd ${count++}`);
    const resources = inFull(shares(1));
    const [issuer, holder, broker] = [site, ANNA, BROKER].map(({ publicKey }) => publicKey) as [string, string, string];
    return requestText(issue({ issuer, holder, broker, resources, window: WINDOW, nonce }, site), ANNA, { node });
  };
  /** What was answered. */
  const post = async (body: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${server.port}/redeem`, { method: 'POST', body });
    const { answer } = (await response.json()) as { answer: { outcome: string; reason?: string } };
    return answer.reason ?? answer.outcome;
  };
  const until = async (question: () => boolean): Promise<void> => {
    while (!question()) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('keeps none of another issuer waiting', async () => {
    const { atOnce, inAll } = TURN_LIMITS;
    const waiting = SITES.slice(0, 2).flatMap((site) =>
      Array.from({ length: atOnce }, () => post(text(site, 'node1'))),
    );
    await until(() => asked === inAll);
    assert.equal(await post(text(SITES[0]!, 'node2')), 'Busy');
    for (let n = 0; n < 5; n++) assert.equal(await post(text(SITES[2]!, 'node2')), 'Redeemed');
    ending.abort();
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['NotAnswered']));
  });

  it('that sends what it heard again after each answer leaves the other holders their turns', async () => {
    const heard = text(SITES[0]!, 'node2');
    const answers: string[] = [];
    for (let n = 0; n < 2 * TURN_LIMITS.burst; n++) answers.push(await post(heard));
    assert.equal(answers[0], 'Redeemed');
    assert.equal(answers.at(-1), 'Busy');
    for (let n = 0; n < 5; n++) assert.equal(await post(text(SITES[0]!, 'node2')), 'Redeemed');
  });

  it('that sends one request over and over has one place, and few of them wait', async () => {
    const body = text(SITES[0]!, 'node1');
    const first = post(body);
    await until(() => asked === 1);
    let told = 0;
    const again = Array.from({ length: 40 }, () => post(body).finally(() => told++));
    // whoever heard it keeps nobody else of its issuer waiting either
    for (let n = 0; n < 5; n++) assert.equal(await post(text(SITES[0]!, 'node2')), 'Redeemed');
    await until(() => told === 36);
    ending.abort();
    assert.equal(await first, 'NotAnswered');
    const answers = await Promise.all(again);
    assert.equal(answers.filter((answer) => answer === 'NotAnswered').length, 4);
    assert.equal(answers.filter((answer) => answer === 'Busy').length, 36);
    assert.equal(asked, 6);
  });
});
