/** How much of a scrape each sensor's author may take: what a sliver prints must not fill anybody's Prometheus, nor push out what others export. */

/** Samples and characters of text. */
export interface Room {
  samples: number;
  text: number;
}

/** Of one sensor, and of all of them. */
export const OF_SENSOR: Readonly<Room> = { samples: 1_000, text: 2 ** 20 };
const OF_ALL: Readonly<Room> = { samples: 10_000, text: 2 ** 22 };

/** Whose Sensor one of that name is; undefined: a builtin. */
export function namespaceOf(sensor: string): string | undefined {
  const dot = sensor.indexOf('.');
  return dot < 0 ? undefined : sensor.slice(0, dot);
}

/**
 * In their order of coming: builtins and those of the release's namespace, which cluster admins write, have all the room
 * there is; what they leave is parted equally among the other namespaces. Pure but for `take`, which says what it took.
 */
export function inTurn<T extends { sensor: string }>(
  all: readonly T[],
  releaseNamespace: string | undefined,
  take: (one: T, room: Room) => void,
): void {
  const groups = Map.groupBy(all, ({ sensor }) => namespaceOf(sensor) ?? releaseNamespace);
  const room = { ...OF_ALL };
  for (const one of groups.get(releaseNamespace) ?? []) take(one, room);
  groups.delete(releaseNamespace);
  const part = (most: number): number => Math.floor(most / groups.size);
  const parts = { samples: part(room.samples), text: part(room.text) };
  for (const ones of groups.values()) {
    const own = { ...parts };
    for (const one of ones) take(one, own);
  }
}
