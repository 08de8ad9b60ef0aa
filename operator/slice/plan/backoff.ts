/** How long to wait before asking again: everything it depends on is in the API, so that it survives a restart. */
import { ANNOTATION_ATTEMPT } from '../../../crds/names.ts';
import type { KubeObject } from '../../kinds.ts';

const FIRST_MS = 10_000;
const MAX_MS = 300_000;

/** How often this was tried before; 0 for the first time. */
export function attemptOf(object: KubeObject): number {
  const attempt = Number(object.metadata.annotations?.[ANNOTATION_ATTEMPT] ?? 0);
  return Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 0;
}

/** The annotation that carries the number of earlier attempts; none for the first. */
export function attemptAnnotation(attempt: number): Record<string, string> | undefined {
  return attempt > 0 ? { [ANNOTATION_ATTEMPT]: String(attempt) } : undefined;
}

/** When what failed at `failedAt` may be tried again, in ms since the epoch: after 10 s, 20 s, 40 s, ... 5 min. */
export function retryAt(attempt: number, failedAt: number): number {
  return failedAt + Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
}

/** The earliest of some instants, of which any may be absent. */
export function earliest(...instants: (number | undefined)[]): number | undefined {
  const known = instants.filter((instant) => instant !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
