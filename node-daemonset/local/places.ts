/**
 * Whose the places are in which requests wait for the operator. They are few, and some wait long whoever answers: the slivers of one
 * namespace must not have all of them while others have none.
 */

export type Place<T> =
  | { kind: 'free' }
  /** It has to go, so that the one that comes has its place. */
  | { kind: 'instead'; of: T }
  | { kind: 'none' };

/**
 * A place for one more of the namespace, among `places`. Where all are taken, the namespace that has most gives one, unless the one
 * that comes would then have more than that: so no namespace keeps another from an equal part. It gives its newest, on which
 * least has been done. `pending`: oldest first.
 */
export function planPlace<T extends { namespace: string }>(
  pending: readonly T[],
  namespace: string,
  places: number,
): Place<T> {
  if (pending.length < places) return { kind: 'free' };
  const by = Map.groupBy(pending, (one) => one.namespace);
  const own = by.get(namespace)?.length ?? 0;
  const [most = []] = [...by.values()].toSorted((a, b) => b.length - a.length);
  const newest = most.at(-1);
  return newest !== undefined && own + 1 < most.length ? { kind: 'instead', of: newest } : { kind: 'none' };
}
