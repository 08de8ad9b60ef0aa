/** Where a SliceNodePolicy is in force, as its status. */
import assert from 'node:assert/strict';
import type { SliceNodePolicy, SliceNodeSpec } from '../../../crds/types.ts';
import { ApiError } from '../../../kube/errors.ts';
import type { KubeObject } from '../../../kube/resources.ts';
import { MutableStore } from '../../../kube/store.ts';
import type { Node } from '../../../operator/kinds.ts';
import { Combinations } from '../../../operator/node/defaults.ts';
import { Edits } from '../../../operator/node/edits.ts';
import { policyReconciler } from '../../../operator/node/policies.ts';
import { sliceNodePolicy } from '../../crds/nodes.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const signal = new AbortController().signal;

function policy(name: string, of: SliceNodeSpec, spec: Partial<SliceNodePolicy['spec']> = {}): SliceNodePolicy {
  const made = sliceNodePolicy(of, spec, name);
  return { ...made, metadata: { ...made.metadata, uid: `uid-of-${name}`, generation: 1 } };
}

function node(name: string, labels: Record<string, string> = {}): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: `uid-of-${name}`, labels } };
}

/** An API server that keeps what is applied. */
function world(policies: SliceNodePolicy[], nodes: Node[]) {
  const stores = { sliceNodePolicies: new MutableStore<SliceNodePolicy>(), nodes: new MutableStore<Node>() };
  let version = 0;
  const put = <T extends KubeObject>(store: MutableStore<T>, object: T): void => {
    store.put({ ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } });
  };
  for (const one of policies) put(stores.sliceNodePolicies, one);
  for (const one of nodes) put(stores.nodes, one);
  const written: SliceNodePolicy[] = [];
  let [time, refusal]: [number, Error | undefined] = [0, undefined];
  const apply = async (object: SliceNodePolicy) => {
    if (refusal) throw refusal;
    written.push(object);
    const { name } = object.metadata;
    put(stores.sliceNodePolicies, { ...stores.sliceNodePolicies.get(name)!, status: object.status! });
    return object;
  };
  const reconcile = policyReconciler({
    client: { apply: apply as never },
    stores,
    combinations: new Combinations(),
    now: () => NOW,
    monotonic: () => time,
  });
  return {
    come: (one: Node) => put(stores.nodes, one),
    edit: (one: SliceNodePolicy) => put(stores.sliceNodePolicies, one),
    written,
    pass: (name: string) => reconcile(name, signal),
    status: (name: string) => stores.sliceNodePolicies.get(name)!.status,
    wait: (ms: number) => void (time += ms),
    refuse: (error: Error) => void (refusal = error),
  };
}

const ready = (status: SliceNodePolicy['status']) => {
  const { type, status: is, reason, message } = status!.conditions![0]!;
  return [type, is, reason, message];
};

describe('the status of a SliceNodePolicy', () => {
  it('says on how many nodes it is in force, and nothing twice', async () => {
    const { pass, status, written } = world([policy('a', { shares: 1 })], [node('n1'), node('n2')]);
    await pass('a');
    assert.deepEqual(ready(status('a')), ['Ready', 'True', 'InForce', 'in force on 2 of 2 nodes']);
    assert.deepEqual([status('a')!.nodes, status('a')!.leftOut], [{ matching: 2, inForce: 2 }, undefined]);
    assert.equal(status('a')!.observedGeneration, 1);
    assert.equal(written[0]!.metadata.uid, 'uid-of-a', 'of this very object and no namesake');
    await pass('a');
    assert.equal(written.length, 1);
  });

  it('says that no node has its labels', async () => {
    const { pass, status } = world([policy('a', {}, { nodeSelector: { room: 'lab' } })], [node('n1', { room: 'x' })]);
    await pass('a');
    assert.deepEqual(ready(status('a')).slice(1, 3), ['False', 'NoNodes']);
  });

  it('says what makes no sense, also where it is about no node', async () => {
    const wrong: SliceNodeSpec = { ports: [{ protocol: 'TCP', from: 2, to: 1 }] };
    const { pass, status } = world(
      [policy('a', wrong), policy('b', wrong, { nodeSelector: { x: 'y' } })],
      [node('n1')],
    );
    for (const name of ['a', 'b']) {
      await pass(name);
      assert.deepEqual(ready(status(name)).slice(1, 3), ['False', 'InvalidSpec']);
      assert.match(ready(status(name))[3]!, /^in force on no node: spec\.policy\.ports\[0\]: a range/);
    }
    assert.deepEqual(status('a')!.nodes, { matching: 1, inForce: 0 });
  });

  it('names the nodes on which stronger ones leave no room for it, the first of them', async () => {
    const names = (prefix: string) => Array.from({ length: 600 }, (_, i) => ({ name: `${prefix}${i}` }));
    const strong = policy('z', { namespaces: names('a') }, { priority: 1, nodeSelector: { room: 'lab' } });
    const nodes = Array.from({ length: 9 }, (_, i) => node(`n${i}`, i < 7 ? { room: 'lab' } : {}));
    const { pass, status } = world([policy('b', { namespaces: names('b') }), strong], nodes);
    await pass('b');
    await pass('z');
    assert.deepEqual(ready(status('z')).slice(1, 3), ['True', 'InForce']);
    const [, is, reason, message] = ready(status('b'));
    assert.deepEqual([is, reason], ['False', 'LeftOut']);
    assert.match(message!, /^in force on 2 of 9 nodes; left out on n0, n1, n2 and 4 more: together with stronger/);
    assert.deepEqual(status('b')!.nodes, { matching: 9, inForce: 2 });
    assert.deepEqual(
      status('b')!.leftOut!.map(({ node: name }) => name),
      ['n0', 'n1', 'n2', 'n3', 'n4'],
    );
  });

  it('is written in a few writes however many nodes come, and at once after an edit', async () => {
    const { pass, status, come, edit, wait, written } = world([policy('a', {})], []);
    await pass('a');
    for (let i = 0; i < 100; i++) {
      come(node(`n${i}`));
      assert.equal((await pass('a')).kind, 'after');
    }
    assert.equal(written.length, 1);
    wait(5_000);
    await pass('a');
    assert.deepEqual([status('a')!.nodes, written.length], [{ matching: 100, inForce: 100 }, 2]);
    const edited = policy('a', {}, { nodeSelector: { x: 'y' } });
    edited.metadata.generation = 2;
    edit({ ...edited, status: status('a')! });
    await pass('a');
    assert.deepEqual([status('a')!.observedGeneration, status('a')!.nodes!.matching], [2, 0]);
  });

  it('is not written of one that goes', async () => {
    const going = policy('a', {});
    going.metadata.deletionTimestamp = '2030-01-01T00:00:00Z';
    const { pass, written, refuse } = world([going, policy('b', {})], [node('n1')]);
    await pass('a');
    await pass('none');
    refuse(new ApiError('PATCH', 404, ''));
    await pass('b');
    assert.deepEqual(written, []);
    refuse(new ApiError('PATCH', 500, ''));
    await assert.rejects(pass('b'), /500/);
  });
});

describe('edits of a SliceNodePolicy', () => {
  it('are told from the writing of its status', () => {
    const edits = new Edits();
    const one = policy('a', {});
    assert.equal(edits.has('a', one), true);
    assert.equal(edits.has('a', { ...one, status: { nodes: { matching: 1 } } } as SliceNodePolicy), false);
    assert.equal(edits.has('a', { ...one, metadata: { ...one.metadata, generation: 2 } }), true);
    assert.equal(edits.has('a', undefined), true);
    assert.equal(edits.has('a', one), true);
  });
});
