/** How much one issuer's holders may ask: so that those of one never keep those of another waiting. */
import { Refusal } from './refusal.ts';

export interface TurnLimits {
  /** Requests a second in the long run. */
  perSecond: number;
  /** And so many at once after a pause. */
  burst: number;
  /** Under way at a time. */
  atOnce: number;
}

/** Each request may make some five writes at the API server. */
export const TURN_LIMITS: TurnLimits = { perSecond: 5, burst: 50, atOnce: 16 };

interface Turns {
  left: number;
  /** In ms of the clock. */
  at: number;
  running: number;
}

/** Begins one request of an issuer, and gives what ends it. Throws Refusal. */
export type TakeTurn = (issuer: string) => () => void;

/** `now`: a clock that nobody sets, in ms. Remembers one issuer each, so only those who are known may be asked about. */
export function createTurns({ perSecond, burst, atOnce }: TurnLimits, now: () => number): TakeTurn {
  const known = new Map<string, Turns>();
  return (issuer) => {
    const at = now();
    const turns = known.get(issuer) ?? { left: burst, at, running: 0 };
    known.set(issuer, turns);
    turns.left = Math.min(burst, turns.left + ((at - turns.at) / 1000) * perSecond);
    turns.at = at;
    if (turns.left < 1)
      throw new Refusal('Busy', `more than ${perSecond} requests a second with tickets of one issuer`);
    if (turns.running >= atOnce) throw new Refusal('Busy', `${atOnce} tickets of this issuer are being redeemed`);
    turns.left--;
    turns.running++;
    return () => void turns.running--;
  };
}
