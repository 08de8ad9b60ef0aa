/** How much one issuer's holders may ask, and how often one request: so that those of one issuer never keep those of another waiting. */
import { Refusal } from './refusal.ts';

export interface TurnLimits {
  /** Requests a second with tickets of one issuer in the long run. */
  perSecond: number;
  /** And so many at once after a pause. */
  burst: number;
  /** Of one issuer under way at a time. */
  atOnce: number;
  /** Of each of those so much with one ticket that the issuer gave out, and all that were delegated from it. */
  ofOneTicket: number;
  /** Places that all issuers share equally; whoever has had his part gets more of them only while they are free. */
  inAll: number;
}

/** Each request may make some five writes at the API server, and waits for a node most of the time. */
export const TURN_LIMITS: TurnLimits = { perSecond: 5, burst: 60, atOnce: 16, ofOneTicket: 1 / 4, inAll: 32 };

type Rates = Pick<TurnLimits, 'perSecond' | 'burst' | 'atOnce'>;

interface Turns {
  left: number;
  /** In ms of the clock. */
  at: number;
  running: number;
}

/**
 * Begins one request with tickets of an issuer, who is one of so many, that came of this ticket of his; gives what ends it. Throws
 * Refusal. So neither who holds one ticket, nor who heard a request, keeps the others of that issuer from redeeming theirs.
 */
export type TakeTurn = (issuer: string, ticket: string, issuers: number) => () => void;

/** `now`: a clock that nobody sets, in ms. Remembers whoever asked lately: only those who are known may be asked about. */
export function createTurns(limits: TurnLimits, now: () => number): TakeTurn {
  const { inAll, ofOneTicket: part } = limits;
  const perTicket = { perSecond: limits.perSecond * part, burst: limits.burst * part, atOnce: limits.atOnce * part };
  const [byIssuer, byTicket] = [turnsOf(limits, now), turnsOf(perTicket, now)];
  let all = 0;
  return (issuer, ticket, issuers) => {
    const own = byTicket(`${issuer} ${ticket}`, 'one ticket, or with what was delegated from it');
    const common = byIssuer(issuer, 'tickets of one issuer');
    // beyond the places in all only by those whose part it is: at most one part each
    const fair = Math.max(1, Math.floor(inAll / Math.max(1, issuers)));
    if (all >= inAll && common.running >= fair) {
      const what = `${all} tickets are being redeemed, and ${common.running} of this issuer`;
      throw new Refusal('Busy', `${what}, whose part is ${fair}: ask again in a few seconds`);
    }
    const ends = [own.begin(), common.begin()];
    all++;
    return () => {
      for (const end of ends) end();
      all--;
    };
  };
}

/** Looks whether one may begin, throws Refusal where not, and begins only when told to. */
function turnsOf({ perSecond, burst, atOnce }: Rates, now: () => number) {
  const known = new Map<string, Turns>();
  return (key: string, what: string) => {
    const at = now();
    for (const [one, turns] of known) {
      // whoever has all again and nothing under way is like one who never came; the rest came within the last seconds
      turns.left = Math.min(burst, turns.left + ((at - turns.at) / 1000) * perSecond);
      turns.at = at;
      if (turns.left >= burst && turns.running === 0) known.delete(one);
    }
    const turns = known.get(key) ?? { left: burst, at, running: 0 };
    if (turns.left < 1) throw new Refusal('Busy', `more than ${perSecond} requests a second with ${what}`);
    if (turns.running >= atOnce) throw new Refusal('Busy', `${turns.running} are being redeemed with ${what}`);
    return {
      running: turns.running,
      begin: () => {
        known.set(key, turns);
        turns.left--;
        turns.running++;
        return () => void turns.running--;
      },
    };
  };
}

/** So many more of a request wait for the one that is under way. */
export const WAITING_EACH = 4;

interface UnderWay<T> {
  text: string;
  answer: Promise<T>;
  waiting: number;
}

/**
 * Does the work of a request with this key, one at a time: the very same text sent again has the first one's answer, which asks for
 * nothing once more; another text waits until that is there. Rejects with Refusal.
 */
export type OneAtATime<T> = (key: string, text: string, work: () => Promise<T>) => Promise<T>;

export function oneAtATime<T>(): OneAtATime<T> {
  const underWay = new Map<string, UnderWay<T>>();
  return async (key, text, work) => {
    for (let first = underWay.get(key); first; first = underWay.get(key)) {
      if (first.waiting >= WAITING_EACH) {
        throw new Refusal(
          'Busy',
          'this request was sent several times and is under way: ask again with the same nonce',
        );
      }
      first.waiting++;
      if (first.text === text) return await first.answer;
      await first.answer.catch(() => undefined);
    }
    const answer = work().finally(() => underWay.delete(key));
    underWay.set(key, { text, answer, waiting: 0 });
    return await answer;
  };
}
