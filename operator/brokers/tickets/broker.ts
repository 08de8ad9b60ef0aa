/**
 * Redeems tickets: proves, looks into the books, acquires the right, hands over its value. Everything that it knows is in objects, and
 * each step can be done again, so that it may end at any instant: the book is written before the right is made, and says "handed" before a value
 * leaves.
 */
import { CapabilityReason } from '../../../crds/conditions.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import { isStatus } from '../../../kube/errors.ts';
import type { Log } from '../../../kube/log.ts';
import { pause } from '../../../kube/pause.ts';
import { type Entry, ticketOf } from './books.ts';
import type { KeyPair } from './key.ts';
import { LABEL_TICKETS } from './names.ts';
import { type Declined, planDrop, planHandOver, planRequest, type Redemption, type RedemptionInput } from './plan.ts';
import { Refusal } from './refusal.ts';
import { type Asked, readRequest, type Redeemed } from './request.ts';
import { type Rights, verdictOn } from './rights.ts';
import { seal } from './seal.ts';
import type { Settings } from './settings.ts';
import type { Shelf } from './shelf.ts';
import { planForget, planOrphans, planSweep, planTaken } from './sweep.ts';
import { createTurns, oneAtATime, TURN_LIMITS } from './turns.ts';

export interface BrokerOptions {
  key: KeyPair;
  namespace: string;
  shelf: Shelf;
  rights: Rights;
  /** As they are now. */
  settings: () => Settings;
  log: Log;
  /** ms since the epoch */
  now?: (() => number) | undefined;
  /** So long a request waits for its node, in ms. */
  patienceMs?: number;
  /** How often it looks meanwhile. */
  pollMs?: number;
}

export interface Broker {
  /** The answer to a request. Rejects with Refusal. */
  redeem(text: string, signal: AbortSignal): Promise<Redeemed>;
  /** Releases and forgets what is over. */
  sweep(signal: AbortSignal): Promise<void>;
}

export function createBroker(options: BrokerOptions): Broker {
  const takeTurn = createTurns(TURN_LIMITS, () => performance.now());
  const once = oneAtATime<Redeemed>();
  const { key, namespace, shelf, rights, settings, log, now = Date.now, patienceMs = 20_000, pollMs = 200 } = options;

  async function redeem(text: string, signal: AbortSignal): Promise<Redeemed> {
    const { issuers, revoked } = settings();
    const known = new Map(issuers.map((one) => [one.key, one]));
    const asked = readRequest(text, { broker: key.publicKey, issuers: new Set(known.keys()), now: now() });
    const issuer = known.get(asked.proof.issuer)!;
    return await once(`${asked.proof.ids.at(-1)} ${asked.nonce}`, text, async () => {
      const end = takeTurn(issuer.key, asked.proof.ids[0]!, issuers.length);
      try {
        return await proceed(asked, { issuer, revoked, issuers: issuers.length }, signal);
      } finally {
        end();
      }
    });
  }

  async function proceed(
    asked: Asked,
    terms: Pick<RedemptionInput, 'issuer' | 'revoked' | 'issuers'>,
    signal: AbortSignal,
  ): Promise<Redeemed> {
    const { issuer } = terms;
    const planned = await shelf.change<Redemption | Declined>(
      issuer.key,
      (book) => planRequest({ book, asked, ...terms, now: now() }),
      signal,
    );
    if ('refusal' in planned) throw planned.refusal;
    const { entry } = planned;
    const value = await awaitValue(entry, issuer.key, signal);
    const { ok } = await shelf.change(issuer.key, (book) => planHandOver(book, entry), signal);
    if (!ok) throw new Refusal('NotAnswered', 'it took too long and was given up: ask with another nonce');
    log.info({ ticket: ticketOf(entry), right: entry.name, node: entry.node }, 'a ticket was redeemed');
    return answerOf(entry, value, asked.seal);
  }

  function answerOf(entry: Entry, value: string, to: string): Redeemed {
    const { node, resources, window } = entry;
    return {
      outcome: 'Redeemed',
      ticket: ticketOf(entry),
      node,
      right: `${namespace}/${entry.name}`,
      resources,
      window,
      value: seal(value, to),
    };
  }

  /** The value of the entry's right, as soon as the node has granted it. */
  async function awaitValue(entry: Entry, issuer: string, signal: AbortSignal): Promise<string> {
    const end = performance.now() + patienceMs;
    let right = entry.state === 'Asked' ? await acquire(entry, issuer, signal) : await findHanded(entry, signal);
    for (;;) {
      const verdict = verdictOn(right);
      if (verdict?.granted === false) await denied(entry, issuer, verdict, signal);
      const value = verdict && (await rights.value(right, signal));
      if (value !== undefined) return value;
      if (performance.now() >= end || signal.aborted) throw unanswered(entry, verdict !== undefined);
      await pause(pollMs, signal);
      right = await findHanded(entry, signal);
    }
  }

  async function acquire(entry: Entry, issuer: string, signal: AbortSignal): Promise<ResourceCapability> {
    try {
      return await rights.acquire(entry, issuer, signal);
    } catch (error) {
      if (!isStatus(error, 403, 422)) throw error;
      // a quota, or a policy of the broker's cluster
      throw new Refusal('NotAnswered', `the right can't be asked for now: ${error.message}`);
    }
  }

  async function findHanded(entry: Entry, signal: AbortSignal): Promise<ResourceCapability> {
    const right = await rights.find(entry.name, signal);
    if (right) return right;
    const what = `right ${namespace}/${entry.name}, for which the ticket was redeemed,`;
    throw new Refusal(entry.state === 'Asked' ? 'NotAnswered' : 'AlreadyRedeemed', `${what} was released`);
  }

  async function denied(
    entry: Entry,
    issuer: string,
    { reason, message }: { reason: string; message: string },
    signal: AbortSignal,
  ): Promise<never> {
    if (reason === CapabilityReason.Transferred) {
      throw new Refusal('AlreadyRedeemed', 'the right was taken over by whoever showed its value');
    }
    if (entry.state === 'Asked') await drop(entry, issuer, signal);
    throw new Refusal('NodeDenied', `${entry.node} refused: ${reason}: ${message}`, { node: reason });
  }

  /** First nobody may hand it over any more, then the right goes, then the entry: the ticket can be redeemed another time. */
  async function drop({ name }: Entry, issuer: string, signal: AbortSignal): Promise<void> {
    const { dropped } = await shelf.change(
      issuer,
      (book) => {
        const next = planDrop(book, name);
        return { dropped: next !== undefined, ...(next && { book: next }) };
      },
      signal,
    );
    if (!dropped) return;
    await rights.release(name, signal);
    await forget(issuer, [name], signal);
  }

  async function forget(issuer: string, names: string[], signal: AbortSignal): Promise<void> {
    if (names.length === 0) return;
    await shelf.change(issuer, (book) => ({ book: planForget(book, new Set(names), now()) }), signal);
  }

  async function sweepBook(issuer: string, signal: AbortSignal): Promise<void> {
    const { gone } = await shelf.change(issuer, (book) => planSweep(book, now()), signal);
    for (const { name } of gone) await rights.release(name, signal);
    await forget(
      issuer,
      gone.map(({ name }) => name),
      signal,
    );
    if (gone.length > 0) log.info({ issuer, entries: gone.length }, 'entries of a book were forgotten');
  }

  async function sweep(signal: AbortSignal): Promise<void> {
    const present = await rights.list(signal);
    // after the rights, so that each right that is handed is in one of them
    const { books, broken } = await shelf.list(signal);
    // those of the others are swept all the same
    if (broken.length > 0) log.error({ broken: broken.slice(0, 10), count: broken.length }, 'books are broken');
    for (const { issuer } of books) {
      try {
        await sweepBook(issuer, signal);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        log.warn({ issuer, why: error.message }, 'a book was not swept');
      }
    }
    const all = present.map((right) => ({
      name: right.metadata.name,
      issuer: right.metadata.labels?.[LABEL_TICKETS] ?? '',
      created: Date.parse(right.metadata.creationTimestamp ?? ''),
      isTaken: isTaken(right),
    }));
    const taken = planTaken(all, books);
    for (const name of taken) await rights.release(name, signal);
    if (taken.length > 0) log.info({ rights: taken.length }, 'rights that were taken over were released');
    for (const name of planOrphans(all, books, now())) {
      await rights.release(name, signal);
      log.warn({ right: name }, 'a right that is in no book was released');
    }
  }

  return { redeem, sweep };
}

function isTaken(right: ResourceCapability): boolean {
  const verdict = verdictOn(right);
  return verdict?.granted === false && verdict.reason === CapabilityReason.Transferred;
}

function unanswered({ node }: Entry, isGranted: boolean): Refusal {
  const message = isGranted
    ? `${node} granted it, but its value is not there yet (operator.transfers must be set): ask again with the same nonce`
    : `${node} has not answered yet: ask again with the same nonce`;
  return new Refusal('NotAnswered', message);
}
