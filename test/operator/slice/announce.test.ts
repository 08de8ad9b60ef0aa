import assert from 'node:assert/strict';
import { announceTo } from '../../../operator/slice/announce.ts';
import { anInput, aNode, aRight, aSlice, denied, NOW, planWhole, running } from './objects.ts';

describe('events', () => {
  const told: string[] = [];
  const announce = announceTo({ record: (_object, type, reason) => told.push(`${type} ${reason}`) });
  beforeEach(() => told.splice(0));
  const nodes = [aNode('n1')];

  it('tell what changed, and only once', () => {
    const input = running(aSlice(), nodes);
    const status = planWhole(input, NOW).status([], NOW);
    announce.status(input.slice, status);
    assert.deepEqual(told.splice(0), ['Normal Accepted', 'Normal AllGranted', 'Normal AllRunning']);
    announce.status({ ...input.slice, status }, status);
    assert.deepEqual(told, []);
  });

  it('warn of refusals, once for all the conditions that say so', () => {
    const slice = aSlice();
    const input = anInput(slice, nodes, { capabilities: [denied(aRight(slice, 'n1'))] });
    announce.status(slice, planWhole(input, NOW).status([], NOW));
    assert.deepEqual(told, ['Normal Accepted', 'Warning Denied']);
  });

  it('tell of single slivers that are replaced, tried again or given back', () => {
    const slice = aSlice({ placement: { count: 1 } });
    const all = [aNode('n1'), aNode('n2')];
    const refused = anInput(slice, all, { capabilities: [denied(aRight(slice, 'n1'))] });
    for (const effect of planWhole(refused, NOW).steps.flat()) announce.effect(slice, effect);
    const again = anInput(slice, nodes, { capabilities: [denied(aRight(slice, 'n1'), 600_000)] });
    for (const effect of planWhole(again, NOW).steps.flat()) announce.effect(slice, effect);
    for (const effect of planWhole(running(slice, all), NOW).steps.flat()) announce.effect(slice, effect);
    assert.deepEqual(told, ['Normal Replaced', 'Normal TriedAgain', 'Normal Released']);
  });
});
