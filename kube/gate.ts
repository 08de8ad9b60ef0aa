/** Lets so much work in at a time, and no more wait than is told. */

export class BusyError extends Error {
  override readonly name = 'BusyError';
}

/** Does the work when its turn comes, or rejects with BusyError. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/** So many at a time, and a queue; beyond it they are refused. */
export function createGate(concurrent: number, waiting: number): Gate {
  let running = 0;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (running >= concurrent) {
      if (queue.length >= waiting) throw new BusyError('too many questions at once: ask again in a few seconds');
      await new Promise<void>((resolve) => queue.push(resolve));
    } else running++;
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next) next();
      else running--;
    }
  };
}
