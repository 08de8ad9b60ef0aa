/** Whatever comes and goes, and wherever a process dies. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { ResourceCapability } from '../../../crds/types.ts';
import { HOUR, QueueWorld } from './queue-objects.ts';
import { checkApart } from './queue-spans.ts';

describe('the queue', () => {
  it('comes to the same end wherever a process dies between two writes', () => {
    const whole = story([]);
    for (let at = 0; at < 60; at++) {
      for (let most = 0; most < 8; most++) assert.deepEqual(story([[at, most]]), whole, `${most} writes in step ${at}`);
    }
  });

  it('keeps windows apart and leaves nothing behind, whatever comes and goes', () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant('add'),
        nodes: fc.integer({ min: 0, max: 3 }),
        minutes: fc.integer({ min: 1, max: 90 }),
      }),
      fc.record({ kind: fc.constant('remove'), which: fc.nat(5) }),
      fc.record({ kind: fc.constant('wait'), minutes: fc.integer({ min: 1, max: 120 }) }),
      fc.record({ kind: fc.constant('die'), most: fc.nat(4), answers: fc.nat(4) }),
      fc.constant({ kind: 'allow' }),
      fc.record({ kind: fc.constant('edit'), longer: fc.nat(5), by: fc.integer({ min: 60, max: 7200 }) }),
      fc.record({ kind: fc.constant('refuse'), node: fc.nat(2), one: fc.nat(3) }),
      fc.record({ kind: fc.constant('operator'), runs: fc.boolean() }),
      fc.record({ kind: fc.constant('bait'), stuck: fc.nat(5) }),
      fc.constant({ kind: 'unbait', unstuck: true }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 25 }), fc.boolean(), (actions, prompt) => {
        const world = new QueueWorld('n1', 'n2', 'n3');
        world.prompt = prompt;
        const given = new Set<string>();
        const baits = new Set<string>();
        const unbait = () => {
          for (const key of baits) world.rights.delete(key);
          baits.clear();
        };
        const check = () => {
          checkApart(world);
          for (const { metadata, spec, status } of world.rights.values()) {
            if (spec.redeem && status?.granted) given.add(metadata.labels!['slice-operator.io/queued']!);
          }
          for (const { metadata } of world.slices) {
            const isTold = world.queued(metadata.name)?.status === 'False';
            assert.ok(!isTold || given.has(metadata.uid!), `${metadata.name} has had nothing`);
          }
        };
        for (const [index, one] of actions.entries()) {
          if ('nodes' in one)
            world.add(`s${index}`, one.nodes === 0 ? {} : { placement: { count: one.nodes } }, one.minutes * 60);
          else if ('longer' in one) world.ask(world.slices[one.longer]?.metadata.name ?? '', one.by);
          else if ('which' in one) world.remove(world.slices[one.which]?.metadata.name ?? '');
          else if ('most' in one) {
            world.step(one.most);
            world.answer(one.answers);
          } else if ('one' in one) {
            world.decide = ({ metadata, spec }) =>
              spec.nodeName === `n${one.node + 1}` && Number(metadata.name[1]) % 4 === one.one ? 'no' : undefined;
          } else if ('runs' in one) world.values = one.runs;
          else if ('unstuck' in one) unbait();
          else if ('stuck' in one) {
            const slice = world.slices[one.stuck];
            const isFree = ({ spec, metadata }: ResourceCapability) =>
              !spec.redeem || metadata.labels!['slice-operator.io/queued'] !== slice?.metadata.uid;
            if (slice && [...world.rights.values()].every(isFree))
              baits.add(world.bait(slice.metadata.name, 'site', { finalizers: ['a.b/c'] }));
          } else if ('minutes' in one) world.now += one.minutes * 60_000;
          else world.decide = () => undefined;
          check();
          if (!('most' in one)) world.settle(check);
        }
        world.slices = [];
        unbait();
        world.settle(() => checkApart(world));
        assert.deepEqual([...world.rights.keys()], []);
      }),
      { numRuns: 300 },
    );
  });
});

/** Three slices, of which the first goes early; what is told and held in the end, with some steps cut short. */
function story(cut: [number, number][]): unknown {
  const world = new QueueWorld('n1', 'n2');
  for (const name of ['a', 'b', 'c']) world.add(name);
  let step = 0;
  const settle = () => {
    for (let more = true; more; step++) {
      const most = cut.find(([at]) => at === step)?.[1];
      more = world.step(most) || most !== undefined;
      checkApart(world);
      assert.ok(step < 200);
    }
  };
  settle();
  world.remove('a');
  settle();
  world.now += HOUR;
  settle();
  return ['b', 'c'].map((name) => [world.queued(name)!.message, world.heldBy(name)]);
}
