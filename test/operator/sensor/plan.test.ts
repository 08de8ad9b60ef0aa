/** What nodes say of a Sensor, as its status. */
import assert from 'node:assert/strict';
import type { Sensor, ServedSensor, SliceNode } from '../../../crds/types.ts';
import { keptSensor } from '../../../operator/sensor/kept.ts';
import { planSensorStatus } from '../../../operator/sensor/plan.ts';
import { sensorReconciler } from '../../../operator/sensor/reconcile.ts';

const sensor: Sensor = {
  apiVersion: 'slice-operator.io/v1alpha1',
  kind: 'Sensor',
  metadata: { name: 'delay', namespace: 'lab', uid: 'u', generation: 3 },
  spec: { slice: 'probe', command: { argv: ['true'] }, columns: [{ name: 'value', type: 'number' }] },
};
const node = (name: string, sensors: ServedSensor[]): SliceNode => ({
  apiVersion: 'slice-operator.io/v1alpha1',
  kind: 'SliceNode',
  metadata: { name },
  status: { sensors },
});
const served = (more: Partial<ServedSensor>): ServedSensor => ({
  name: 'lab/delay',
  readings: 5,
  failures: 0,
  ...more,
});
const status = (of: Sensor, nodes: SliceNode[]) =>
  planSensorStatus({ sensor: keptSensor(of), nodes, releaseNamespace: 'slice-system', now: Date.UTC(2026, 11, 1) });

describe("a Sensor's status", () => {
  it('counts the nodes that serve it and their readings', () => {
    const { nodes, failing, readings, conditions, errors } = status(sensor, [
      node('a', [served({}), served({ name: 'lab/other', readings: 100 })]),
      node('b', [served({ readings: 2 })]),
      node('c', []),
    ]);
    assert.deepEqual([nodes, failing, readings, errors], [2, 0, 7, undefined]);
    assert.deepEqual([conditions![0]!.status, conditions![0]!.reason], ['True', 'Served']);
    assert.equal(conditions![0]!.observedGeneration, 3);
  });

  it('can be written, and is not the last word, whatever a node counts and by whatever clock', () => {
    const evil = { reason: 'Died', message: 'evil', time: '2036-01-01T00:00:00Z' };
    const { readings, errors } = status(sensor, [
      node('a', [served({ readings: 2 ** 63, failing: true, errors: [evil] })]),
      node('b', [served({ errors: [{ ...evil, message: 'gone', time: '2026-11-30T00:00:00Z' }] })]),
    ]);
    assert.equal(readings, Number.MAX_SAFE_INTEGER);
    assert.deepEqual(
      errors!.map(({ message }) => message),
      ['gone'],
    );
  });

  it('is by nodes where its slice has a right alone', async () => {
    const kept = keptSensor(sensor);
    const written: { status?: { nodes?: number } }[] = [];
    const right = (nodeName: string, sliceName: string) => ({
      metadata: { namespace: 'lab', name: 'r', generation: 1 },
      spec: { nodeName, sliceName },
      status: { conditions: [{ type: 'Granted', status: 'True' }], granted: { sliceName } },
    });
    const rights = [right('a', 'probe'), right('b', 'other')];
    const stores = {
      sensors: { get: () => kept },
      sliceNodes: { byIndex: () => ['a', 'b', 'c'].map((name) => node(name, [served({})])) },
      capabilities: { byIndex: (_: string, name: string) => rights.filter(({ spec }) => spec.nodeName === name) },
    } as unknown as Parameters<typeof sensorReconciler>[0]['stores'];
    const client = { apply: (object: object) => Promise.resolve(void written.push(object)) };
    const reconcile = sensorReconciler({
      client: client as unknown as Parameters<typeof sensorReconciler>[0]['client'],
      stores,
      releaseNamespace: 'slice-system',
      now: () => 0,
      monotonic: () => 0,
    });
    await reconcile('lab/delay', AbortSignal.timeout(1_000));
    assert.equal(written[0]!.status!.nodes, 1);
  });

  it('has the last error of each reason, and how many nodes say so', () => {
    const error = (reason: string, message: string, time: string) => ({ reason, message, time });
    const { conditions, errors } = status(sensor, [
      node('a', [served({ failing: true, failures: 2, errors: [error('TimedOut', 'late', '2026-12-01T00:00:00Z')] })]),
      node('b', [
        served({
          errors: [error('TimedOut', 'later', '2026-12-01T01:00:00Z'), error('Died', 'gone', '2026-12-01T00:00:00Z')],
        }),
      ]),
    ]);
    assert.deepEqual(
      errors!.map(({ reason, message, node: at, nodes }) => [reason, message, at, nodes]),
      [
        ['Died', 'gone', 'b', 1],
        ['TimedOut', 'later', 'b', 2],
      ],
    );
    assert.equal(conditions![0]!.reason, 'Failing');
    assert.match(conditions![0]!.message, /1 of 2 nodes, such as a/);
  });

  it('says why no node would ever serve it', () => {
    const reason = (of: Sensor): string => status(of, []).conditions![0]!.reason;
    assert.equal(reason(sensor), 'NoNodes');
    assert.equal(reason({ ...sensor, spec: { columns: sensor.spec.columns } }), 'InvalidSpec');
    const spec = { file: { path: '/proc/vmstat' }, columns: sensor.spec.columns };
    assert.equal(reason({ ...sensor, spec }), 'FileNotAllowed');
    assert.equal(reason({ ...sensor, metadata: { ...sensor.metadata, namespace: 'slice-system' }, spec }), 'NoNodes');
    assert.equal(reason({ ...sensor, spec: { ...spec, file: { path: '/etc/shadow' } } }), 'InvalidSpec');
  });

  it('is the same as long as nothing changes', () => {
    const nodes = [node('a', [served({})])];
    const first = status(sensor, nodes);
    assert.deepEqual(status({ ...sensor, status: first }, nodes), first);
  });

  it('needs no more of a spec than the operator keeps', () => {
    const large = {
      ...sensor,
      spec: { ...sensor.spec, nodes: Array.from({ length: 256 }, (_, i) => `${i}`.repeat(80)) },
    };
    for (const one of [sensor, large]) assert.ok(JSON.stringify(keptSensor(one)).length < 1024);
    assert.match(status(large, []).conditions![0]!.message, /bytes as JSON, and may have 16384/);
    assert.equal(status(large, []).conditions![0]!.reason, 'InvalidSpec');
  });
});
