/** Whoever listens has every request, and sends it again when there is room: what was refused stays so. */
import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../../crds/types.ts';
import { silentLog } from '../../../../kube/log.ts';
import type { Book, Entry } from '../../../../operator/brokers/tickets/books.ts';
import { createBroker } from '../../../../operator/brokers/tickets/broker.ts';
import { type Issuer, planHandOver, planRequest } from '../../../../operator/brokers/tickets/plan.ts';
import { FRESH_SECONDS, readRequest } from '../../../../operator/brokers/tickets/request.ts';
import { rightOf, type Rights } from '../../../../operator/brokers/tickets/rights.ts';
import type { Shelf } from '../../../../operator/brokers/tickets/shelf.ts';
import {
  ANNA,
  BROKER,
  EMPTY,
  ISSUER,
  nonceOf,
  NOW,
  refused,
  requestText,
  shares,
  SITE,
  ticketFor,
  WINDOW,
} from './tickets.ts';
import { NONE, redeemed } from './redeeming.ts';

const signal = new AbortController().signal;

/** A broker by a clock of its own, whose nodes grant but for those that are full. */
function start() {
  const state = { book: EMPTY, now: NOW, full: new Set<string>(), issuer: ISSUER, revoked: NONE };
  const made = new Map<string, ResourceCapability>();
  const shelf = {
    change: <T extends { book?: Book }>(_: string, decide: (book: Book) => T) => {
      const outcome = decide(state.book);
      state.book = outcome.book ?? state.book;
      return Promise.resolve(outcome);
    },
    list: () => Promise.resolve({ books: [state.book], broken: [] }),
  } as Shelf;
  const rights = {
    find: (name: string) => Promise.resolve(made.get(name)),
    acquire: (entry: Entry, issuer: string) => {
      const right = rightOf(entry, issuer, 'tickets');
      const isFull = state.full.has(entry.node);
      const verdict = { status: isFull ? 'False' : 'True', reason: isFull ? 'InsufficientShares' : 'Granted' };
      const condition = { type: 'Granted', ...verdict, message: 'x', lastTransitionTime: WINDOW.start };
      const status = { observedGeneration: 1, conditions: [condition] } as ResourceCapability['status'];
      const found = { ...right, metadata: { ...right.metadata, generation: 1 }, status };
      made.set(entry.name, found);
      return Promise.resolve(found);
    },
    value: () => Promise.resolve('a'.repeat(32)),
    release: (name: string) => Promise.resolve(void made.delete(name)),
    list: () => Promise.resolve([...made.values()]),
  } as unknown as Rights;
  const settings = () => ({ issuers: [state.issuer], revoked: state.revoked });
  // nothing that it knows is in the process
  const broker = () =>
    createBroker({
      key: BROKER,
      namespace: 'tickets',
      shelf,
      rights,
      settings,
      log: silentLog(),
      now: () => state.now,
    });
  const send = (text: string) => broker().redeem(text, signal);
  return { state, send, sweep: () => broker().sweep(signal), at: () => Math.floor(state.now / 1000) };
}

describe('a request that was refused', () => {
  const ticket = ticketFor();

  it('by its node is redeemed by nobody who sends it again, and the ticket elsewhere', async () => {
    const { state, send, at } = start();
    const heard = requestText(ticket, ANNA, { node: 'node1' });
    state.full.add('node1');
    await assert.rejects(send(heard), refused('NodeDenied'));
    assert.deepEqual(state.book.entries, []);
    state.full.clear();
    state.now += 200_000;
    await assert.rejects(send(heard), refused('AlreadyRefused', /ask with another nonce/));
    assert.equal((await send(requestText(ticket, ANNA, { node: 'node2', time: at() }))).node, 'node2');
    assert.deepEqual(
      state.book.entries.map(({ node }) => node),
      ['node2'],
    );
  });

  it('is not redeemed by the holder’s own hand either, until he asks with another nonce', async () => {
    const { state, send, sweep, at } = start();
    const nonce = nonceOf('same');
    state.full.add('node1');
    await assert.rejects(send(requestText(ticket, ANNA, { nonce })), refused('NodeDenied'));
    state.full.clear();
    // signed anew each time, for longer than the first one was remembered
    for (let n = 0; n < 10; n++) {
      state.now += FRESH_SECONDS * 1000;
      await sweep();
      await assert.rejects(send(requestText(ticket, ANNA, { nonce, time: at() })), refused('AlreadyRefused'));
    }
    assert.ok(await send(requestText(ticket, ANNA, { time: at() })));
  });

  for (const [what, reason, close, open] of [
    [
      'as the issuer had given more than he may',
      'OverIssued',
      (s) => (s.book = redeemed(...[1, 2, 3].map(() => [ticketFor(), ANNA] as [typeof ticket, typeof ANNA]))),
      (s) => (s.book = { ...s.book, entries: [] }),
    ],
    ['as its key was revoked', 'Revoked', (s) => (s.revoked = new Set([ANNA.publicKey])), (s) => (s.revoked = NONE)],
    [
      'as the settings did not have the node',
      'WrongNode',
      (s) => (s.issuer = { ...ISSUER, nodes: ['node2'] }),
      (s) => (s.issuer = ISSUER),
    ],
    [
      'as another request of its ticket was under way',
      'AlreadyRedeemed',
      (s) => (s.book = redeemed([ticket, ANNA])),
      (s) => (s.book = { ...s.book, entries: [] }),
    ],
    [
      'as the node had no place for more',
      'TooMany',
      (s) => (s.book = filled(s.book, { ids: ['o'.repeat(43)], node: 'node1' }, 900)),
      (s) => (s.book = { ...s.book, entries: [] }),
    ],
    [
      'as the book was full',
      'BookFull',
      (s) => (s.book = filled(s.book, { ids: ['o'.repeat(43)], node: 'node3', contact: 'x'.repeat(3000) }, 300)),
      (s) => (s.book = { ...s.book, entries: [] }),
    ],
  ] as [string, Parameters<typeof refused>[0], Change, Change][]) {
    it(`${what} stays so`, async () => {
      const { state, send, at } = start();
      const heard = requestText(ticket, ANNA);
      close(state);
      await assert.rejects(send(heard), refused(reason));
      open(state);
      state.now += 299_000;
      await assert.rejects(send(heard), refused('AlreadyRefused'));
      assert.ok(await send(requestText(ticket, ANNA, { time: at() })));
    });
  }

  it('while it was under way is given up', async () => {
    const { state, send, sweep } = start();
    const heard = requestText(ticket, ANNA);
    const { issuer, now } = state;
    const request = readRequest(heard, { broker: BROKER.publicKey, issuers: new Set([SITE.publicKey]), now });
    state.book = planRequest({ book: EMPTY, asked: request, issuer, revoked: NONE, issuers: 1, now }).book!;
    state.revoked = new Set([ANNA.publicKey]);
    await assert.rejects(send(heard), refused('Revoked'));
    assert.equal(state.book.entries[0]!.state, 'Dropped');
    state.revoked = NONE;
    await assert.rejects(send(heard), refused('AlreadyRefused'));
    await sweep();
    assert.deepEqual(state.book.entries, []);
    await assert.rejects(send(heard), refused('AlreadyRefused'));
  });

  it('is remembered for as long as it is fresh, and no longer', async () => {
    const { state, send, sweep, at } = start();
    state.full.add('node1');
    // by a clock that is as far ahead as one may be
    const heard = requestText(ticket, ANNA, { time: at() + FRESH_SECONDS });
    await assert.rejects(send(heard), refused('NodeDenied'));
    state.full.clear();
    for (; at() <= NOW / 1000 + 2 * FRESH_SECONDS; state.now += 60_000) {
      await sweep();
      await assert.rejects(send(heard), refused('AlreadyRefused'));
    }
    await assert.rejects(send(heard), refused('Stale'));
    state.now += 2 * FRESH_SECONDS * 1000;
    await sweep();
    assert.deepEqual(state.book, { ...EMPTY, refused: {} });
  });

  it('costs one write, and none where it can never be good', async () => {
    const { state, send } = start();
    state.revoked = new Set([ANNA.publicKey]);
    const heard = requestText(ticket, ANNA);
    await assert.rejects(send(heard), refused('Revoked'));
    const { book } = state;
    await assert.rejects(send(heard), refused('Revoked'));
    assert.equal(state.book, book);
    state.revoked = NONE;
    const asked = redeemed([ticket, ANNA]);
    const before = planHandOver(asked, asked.entries[0]!).book!;
    state.book = before;
    await assert.rejects(send(requestText(ticket, ANNA)), refused('AlreadyRedeemed'));
    assert.equal(state.book, before);
  });
});

type Change = (state: { book: Book; issuer: Issuer; revoked: ReadonlySet<string> }) => unknown;

/** With so many entries of windows that are over. */
function filled(book: Book, change: Partial<Entry>, count: number): Book {
  const [entry] = redeemed([ticketFor({ resources: shares(1) }), ANNA]).entries;
  const window = { start: '2026-10-01T00:00:00Z', end: '2026-11-01T00:00:00Z' };
  const one = (n: number): Entry => ({ ...entry!, window, ...change, name: `t${n}` });
  return { ...book, entries: Array.from({ length: count }, (_, n) => one(n)) };
}
