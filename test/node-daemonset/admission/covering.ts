import assert from 'node:assert/strict';

const MOST_ROUNDS = 5;

/**
 * Runs random histories until each of the kinds of event has been met: what none of them came to was not tested. Chance may leave
 * a rare kind out of one round, and not of all.
 */
export function covering(met: Record<string, number>, kinds: readonly string[], run: () => void): void {
  const missing = (): string[] => kinds.filter((kind) => !met[kind]);
  for (let round = 0; round === 0 || (round < MOST_ROUNDS && missing().length > 0); round++) run();
  assert.deepEqual(missing(), [], `no history came to these: ${JSON.stringify(met)}`);
}
