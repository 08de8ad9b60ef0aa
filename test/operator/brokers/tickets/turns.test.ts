import assert from 'node:assert/strict';
import { createTurns, oneAtATime } from '../../../../operator/brokers/tickets/turns.ts';
import { refused } from './tickets.ts';

describe("the turns of issuers' holders", () => {
  let now = 0;
  const turns = createTurns({ perSecond: 2, burst: 4, atOnce: 3, ofOneTicket: 1, inAll: 8 }, () => now);
  let count = 0;
  const take = (issuer: string) => turns(issuer, `ticket ${count++}`, 2);

  it('are so many at a time, each issuer for himself', () => {
    const ends = [take('one'), take('one'), take('one')];
    assert.throws(() => take('one'), refused('Busy', /^3 are being redeemed with tickets of one issuer/));
    take('other')();
    for (const end of ends) end();
    take('one')();
  });

  it('come back with time, and no more than a burst of them', () => {
    assert.throws(() => take('one'), refused('Busy', /^more than 2 requests a second with tickets of one issuer/));
    now += 500;
    take('one')();
    assert.throws(() => take('one'), refused('Busy'));
    now += 60_000;
    for (let n = 0; n < 4; n++) take('one')();
    assert.throws(() => take('one'), refused('Busy'));
  });

  it('are shared: each issuer has his part of them whatever the others have, and more while there are free ones', () => {
    const many = createTurns({ perSecond: 1, burst: 50, atOnce: 6, ofOneTicket: 1, inAll: 8 }, () => 0);
    const [one, two] = ['one', 'two'].map((issuer) => () => many(issuer, `ticket ${count++}`, 4));
    const ends = Array.from({ length: 6 }, one!);
    assert.throws(one!, refused('Busy', /^6 are being redeemed with tickets of one issuer/));
    two!();
    two!();
    // that was the last free one; the others have two each all the same
    assert.throws(two!, refused('Busy', /^8 tickets are being redeemed, and 2 of this issuer, whose part is 2/));
    for (const issuer of ['three', 'four']) {
      many(issuer, 'a', 4);
      many(issuer, 'b', 4);
      assert.throws(() => many(issuer, 'c', 4), refused('Busy', /whose part is 2/));
    }
    for (const end of ends) end();
    two!();
    const crowded = createTurns({ perSecond: 1, burst: 50, atOnce: 6, ofOneTicket: 1, inAll: 8 }, () => 0);
    for (let n = 0; n < 100; n++) crowded(`issuer ${n}`, 'ticket', 100);
    assert.throws(() => crowded('issuer 5', 'another', 100), refused('Busy', /whose part is 1/));
  });
});

describe('the turns of one ticket, and of all that were delegated from it', () => {
  let now = 0;
  const limits = { perSecond: 4, burst: 8, atOnce: 4, ofOneTicket: 1 / 2, inAll: 8 };
  const open = () => createTurns(limits, () => now);

  it('are a part of its issuer’s: others have the rest, however often it comes', () => {
    const take = open();
    for (let n = 0; n < 4; n++) take('one', 'loud', 1)();
    for (let n = 0; n < 100; n++) {
      assert.throws(() => take('one', 'loud', 1), refused('Busy', /^more than 2 requests a second with one ticket/));
    }
    for (let n = 0; n < 4; n++) take('one', 'quiet', 1)();
    now += 500;
    take('one', 'loud', 1)();
    assert.throws(() => take('one', 'loud', 1), refused('Busy'));
    take('one', 'quiet', 1)();
  });

  it('are so many at a time', () => {
    const take = open();
    const ends = [take('one', 'loud', 1), take('one', 'loud', 1)];
    assert.throws(() => take('one', 'loud', 1), refused('Busy', /^2 are being redeemed with one ticket/));
    ends.push(take('one', 'quiet', 1));
    for (const end of ends) end();
    take('one', 'loud', 1)();
  });
});

describe('one request at a time', () => {
  const start = () => {
    const once = oneAtATime<string>();
    const works: PromiseWithResolvers<string>[] = [];
    const ask = (text: string, key = 'key') =>
      once(key, text, () => {
        const work = Promise.withResolvers<string>();
        works.push(work);
        return work.promise;
      });
    return { works, ask };
  };
  const soon = () => new Promise((resolve) => setImmediate(resolve));

  it('has the same answer for the same text, whatever it is, and asks anew afterwards', async () => {
    const { works, ask } = start();
    const both = [ask('a'), ask('a')];
    works[0]!.resolve('done');
    assert.deepEqual(await Promise.all(both), ['done', 'done']);
    const again = [ask('a'), ask('a')];
    works[1]!.reject(new Error('x'));
    for (const { status } of await Promise.allSettled(again)) assert.equal(status, 'rejected');
    assert.equal(works.length, 2);
  });

  it('has another text wait for the first, and another request for nothing', async () => {
    const { works, ask } = start();
    const [first, second] = [ask('a'), ask('b')];
    const other = ask('a', 'other');
    await soon();
    assert.equal(works.length, 2);
    works[1]!.resolve('other');
    assert.equal(await other, 'other');
    works[0]!.reject(new Error('x'));
    await assert.rejects(first, /x/);
    await soon();
    works[2]!.resolve('second');
    assert.equal(await second, 'second');
  });

  it('has few wait for it', async () => {
    const { works, ask } = start();
    const all = Array.from({ length: 5 }, () => ask('a'));
    await assert.rejects(ask('a'), refused('Busy', /under way/));
    await assert.rejects(ask('b'), refused('Busy', /under way/));
    works[0]!.resolve('done');
    assert.equal((await Promise.all(all)).length, 5);
  });
});
