/** The answers that everybody gets, kept for a few seconds: however many come, the node manager is asked once. */
import type { PairAnswer, SumAnswer } from '../../../crds/flows.ts';
import type { PageSettings } from '../server.ts';
import type { Source } from './source.ts';

const KEPT_MS = 5_000;
/** Whoever acts on sums waits for them. */
const SUMS_MS = 1_000;

export function withRecent(source: Source, now: () => number): Source {
  const kept = <T>(ask: () => Promise<T>, ms = KEPT_MS): (() => Promise<T>) => {
    let last: { at: number; answer: Promise<T> } | undefined;
    return () => {
      if (last && now() - last.at < ms) return last.answer;
      const asked = { at: now(), answer: ask() };
      last = asked;
      asked.answer.catch(() => {
        if (last === asked) last = undefined;
      });
      return asked.answer;
    };
  };
  const settings = kept<PageSettings>(() => source.settings());
  const hours = new Map<string, () => Promise<PairAnswer>>();
  return {
    settings,
    sums: kept<SumAnswer>(() => source.sums(), SUMS_MS),
    flows: (query) => source.flows(query),
    pairs: (query) => {
      const { from, to, limit, ...conditions } = query;
      // the last hour of everything, as the first page asks: its end moves with the clock
      if (Object.keys(conditions).length > 0 || Math.abs(to - now()) > KEPT_MS) return source.pairs(query);
      const key = `${Math.round((to - from) / KEPT_MS)} ${limit}`;
      if (hours.size > 8) hours.clear();
      const ask =
        hours.get(key) ?? kept(() => source.pairs({ ...query, to: now() + 1, from: now() + 1 - (to - from) }));
      hours.set(key, ask);
      return ask();
    },
  };
}
