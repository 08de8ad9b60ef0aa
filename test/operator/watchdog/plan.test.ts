import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type Memory, planWatch, type Terms, type WatchInput } from '../../../operator/watchdog/plan.ts';

const TERMS: Terms = { above: 100, forMs: 20_000, lift: undefined, most: 10, dryRun: false };
const KEY = 'site/web';

/** One reading every 10 s; each plan's actions are carried out, unless the test says otherwise. */
class Course {
  readonly terms: Terms;
  readonly held = new Set<string>();
  memory: Memory = new Map();
  now = 0;

  constructor(terms: Partial<Terms> = {}) {
    this.terms = { ...TERMS, ...terms };
  }

  read(values: Record<string, number> | number, more: Partial<WatchInput> = {}) {
    this.now += 10_000;
    const { terms, memory, now } = this;
    const map = new Map(Object.entries(typeof values === 'number' ? { [KEY]: values } : values));
    const plan = planWatch({ terms, memory, values: map, unheard: new Set(), held: new Set(this.held), now, ...more });
    this.memory = plan.memory;
    for (const key of plan.act) this.held.add(key);
    for (const key of plan.lift) this.held.delete(key);
    return plan;
  }
}

describe('the plan of a watchdog', () => {
  it('acts once every reading was above the limit for so long, and once only', () => {
    const course = new Course();
    for (const value of [100, 101, 101]) assert.deepEqual(course.read(value).act, [], String(value));
    assert.deepEqual(course.read(101).act, [KEY]);
    assert.deepEqual(course.read(500).act, []);
    assert.equal(course.memory.get(KEY)!.state, 'Restrained');
  });

  it('begins anew when a single reading was at the limit', () => {
    const course = new Course();
    for (const value of [200, 200, 100, 200, 200]) assert.deepEqual(course.read(value).act, []);
    assert.deepEqual(course.read(200).act, [KEY]);
  });

  it('acts on the first reading where no time is asked for', () => {
    assert.deepEqual(new Course({ forMs: 0 }).read(101).act, [KEY]);
  });

  it('says what it would do in a dry run, once, and does nothing', () => {
    const course = new Course({ dryRun: true, forMs: 0 });
    const plans = [101, 102, 50, 103].map((value) => course.read(value));
    assert.deepEqual(
      plans.map(({ wouldAct }) => wouldAct.length),
      [1, 0, 0, 1],
    );
    assert.deepEqual([...course.held], []);
    course.terms.dryRun = false;
    assert.deepEqual(course.read(104).act, [KEY]);
  });

  it('leaves alone what a person undid until it was at the limit in between', () => {
    const course = new Course({ forMs: 0 });
    course.read(101);
    course.held.clear();
    const undone = course.read(101);
    assert.deepEqual([undone.pardoned, undone.act], [[KEY], []]);
    assert.deepEqual(course.read(900).act, []);
    assert.deepEqual(course.read(100).pardoned, []);
    assert.deepEqual(course.read(101).act, [KEY]);
  });

  it('knows after a restart what it restrained, and that it was undone meanwhile', () => {
    const held = new Course({ forMs: 0 });
    held.held.add(KEY);
    assert.deepEqual([held.read(500).act, held.memory.get(KEY)!.state], [[], 'Restrained']);
    const undone = new Course({ forMs: 0 });
    undone.memory = new Map([[KEY, { value: 500, state: 'Restrained' }]]);
    assert.deepEqual(undone.read(500).pardoned, [KEY]);
  });

  it('lifts only when all nodes said for so long that it is low enough', () => {
    const course = new Course({ forMs: 0, lift: { below: 50, forMs: 20_000 } });
    course.read(101);
    for (const value of [60, 40, 40]) assert.deepEqual(course.read(value).lift, [], String(value));
    assert.deepEqual(course.read(40, { unheard: new Set([KEY]) }).lift, [], 'a node is silent');
    for (const value of [40, 40]) assert.deepEqual(course.read(value).lift, []);
    const freed = course.read(50);
    assert.deepEqual([freed.lift, freed.pardoned], [[KEY], []]);
    assert.deepEqual(course.read(60).pardoned, [], 'its own lifting is nobody’s pardon');
    assert.deepEqual(course.read(101).act, [KEY]);
  });

  it('restrains the largest where it may not restrain all', () => {
    const course = new Course({ forMs: 0, most: 2 });
    const plan = course.read({ 'a/a': 101, 'b/b': 103, 'c/c': 102 });
    assert.deepEqual([plan.act, plan.tooMany], [['b/b', 'c/c'], ['a/a']]);
    course.held.delete('b/b');
    assert.deepEqual(course.read({ 'a/a': 101, 'c/c': 102 }).act, ['a/a']);
  });

  it('holds no more than half of them in one namespace, in a dry run as well', () => {
    for (const dryRun of [false, true]) {
      const course = new Course({ forMs: 0, most: 4, dryRun });
      const plan = course.read({ 't/a': 105, 't/b': 104, 't/c': 103, 'lab/x': 101 });
      assert.deepEqual(dryRun ? plan.wouldAct : plan.act, ['t/a', 't/b', 'lab/x']);
      assert.deepEqual(plan.tooMany, ['t/c']);
    }
  });

  it('does not count slices that are gone, as long as they are not too many either', () => {
    const course = new Course({ forMs: 0, most: 2 });
    for (let i = 0; i < 8; i++) course.held.add(`t/gone${i}`);
    const gone = new Set(course.held);
    assert.deepEqual(course.read({ 't/a': 101 }).tooMany, ['t/a']);
    assert.deepEqual(course.read({ 't/a': 101 }, { gone }).act, ['t/a']);
    for (let i = 0; i < 20; i++) gone.add(`t/gone${i}`);
    assert.deepEqual(course.read({ 't/b': 101 }, { gone, held: gone }).tooMany, ['t/b']);
  });

  it('never acts before the limit was crossed for that long, and always in the first reading after', () => {
    const values = fc.array(fc.oneof(fc.constantFrom(0, 99, 100, 101), fc.nat(300)), { maxLength: 40 });
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 6 }), (readings, waits) => {
        const course = new Course({ forMs: waits * 10_000 });
        let streak = 0;
        for (const value of readings) {
          streak = value > TERMS.above ? streak + 1 : 0;
          const wanted = streak > waits && !course.held.has(KEY);
          assert.deepEqual(course.read(value).act, wanted ? [KEY] : []);
        }
      }),
    );
  });

  it('holds and frees as it should, whatever people undo and nodes leave out', () => {
    const step = fc.record({ value: fc.nat(200), complete: fc.boolean(), undo: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const course = new Course({ forMs: 0, lift: { below: 30, forMs: 10_000 } });
        let low = 0;
        let pardoned = false;
        for (const { value, complete, undo } of steps) {
          if (undo && course.held.delete(KEY)) pardoned = true;
          else if (pardoned && value <= TERMS.above) pardoned = false;
          low = complete && value <= 30 ? low + 1 : 0;
          const wasHeld = course.held.has(KEY);
          const plan = course.read(value, { unheard: new Set(complete ? ['lab/x'] : [KEY]) });
          if (plan.act.length > 0) assert.ok(value > TERMS.above && !wasHeld && !pardoned);
          if (plan.lift.length > 0) assert.ok(wasHeld && low >= 2);
          if (value > TERMS.above && !pardoned) assert.ok(course.held.has(KEY));
          if (pardoned) assert.ok(!course.held.has(KEY));
        }
      }),
    );
  });
});
