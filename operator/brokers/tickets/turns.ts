/** How much one issuer's holders may ask, and how often one request: so that those of one issuer never keep those of another waiting. */
import { Refusal } from './refusal.ts';

export interface TurnLimits {
  /** Requests a second with tickets of one issuer in the long run. */
  perSecond: number;
  /** And so many at once after a pause. */
  burst: number;
  /** Of one issuer under way at a time. */
  atOnce: number;
  /** Places that all issuers share equally; whoever has had his part gets more of them only while they are free. */
  inAll: number;
}

/** Each request may make some five writes at the API server, and waits for a node most of the time. */
export const TURN_LIMITS: TurnLimits = { perSecond: 5, burst: 50, atOnce: 16, inAll: 32 };

interface Turns {
  left: number;
  /** In ms of the clock. */
  at: number;
  running: number;
}

/** Begins one request of an issuer, who is one of so many, and gives what ends it. Throws Refusal. */
export type TakeTurn = (issuer: string, issuers: number) => () => void;

/** `now`: a clock that nobody sets, in ms. Remembers one issuer each, so only those who are known may be asked about. */
export function createTurns({ perSecond, burst, atOnce, inAll }: TurnLimits, now: () => number): TakeTurn {
  const known = new Map<string, Turns>();
  let all = 0;
  return (issuer, issuers) => {
    const at = now();
    const turns = known.get(issuer) ?? { left: burst, at, running: 0 };
    known.set(issuer, turns);
    turns.left = Math.min(burst, turns.left + ((at - turns.at) / 1000) * perSecond);
    turns.at = at;
    if (turns.left < 1)
      throw new Refusal('Busy', `more than ${perSecond} requests a second with tickets of one issuer`);
    if (turns.running >= atOnce) throw new Refusal('Busy', `${atOnce} tickets of this issuer are being redeemed`);
    // beyond the places in all only by those whose part it is: at most one part each
    const part = Math.max(1, Math.floor(inAll / Math.max(1, issuers)));
    if (all >= inAll && turns.running >= part) {
      const what = `${all} tickets are being redeemed, and ${turns.running} of this issuer`;
      throw new Refusal('Busy', `${what}, whose part is ${part}: ask again in a few seconds`);
    }
    turns.left--;
    turns.running++;
    all++;
    return () => {
      turns.running--;
      all--;
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
