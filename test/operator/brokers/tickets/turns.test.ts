import assert from 'node:assert/strict';
import { createTurns } from '../../../../operator/brokers/tickets/turns.ts';
import { refused } from './tickets.ts';

describe("the turns of issuers' holders", () => {
  let now = 0;
  const take = createTurns({ perSecond: 2, burst: 4, atOnce: 3 }, () => now);

  it('are so many at a time, each issuer for himself', () => {
    const ends = [take('one'), take('one'), take('one')];
    assert.throws(() => take('one'), refused('Busy', /^3 tickets/));
    take('other')();
    for (const end of ends) end();
    take('one')();
  });

  it('come back with time, and no more than a burst of them', () => {
    assert.throws(() => take('one'), refused('Busy', /^more than 2 requests a second/));
    now += 500;
    take('one')();
    assert.throws(() => take('one'), refused('Busy'));
    now += 60_000;
    for (let n = 0; n < 4; n++) take('one')();
    assert.throws(() => take('one'), refused('Busy'));
  });
});
