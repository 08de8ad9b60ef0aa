/** Which of a cluster's Sensors a node keeps, and which of those it serves. */
import assert from 'node:assert/strict';
import type { Sensor } from '../../../crds/types.ts';
import { KeptSensors } from '../../../node-daemonset/sensors/kept.ts';
import { planServed } from '../../../node-daemonset/sensors/plan.ts';
import { NAMESPACE, sensorOf, sliverOf } from './world.ts';

const node = { nodeName: 'node1', releaseNamespace: 'slice-system' };
const command = { slice: 'probe', command: { argv: ['x'.repeat(1_000), ...Array<string>(5).fill('y'.repeat(1_000))] } };
const sizeOf = (sensor: Sensor): number => JSON.stringify(sensor).length;

describe('the Sensors that a node keeps', () => {
  it('are those that it may serve; of others it knows that they are there', () => {
    const kept = new KeptSensors(node);
    const elsewhere = sensorOf('elsewhere', { ...command, nodes: ['node2'] });
    const file = sensorOf('file', { file: { path: '/proc/meminfo' }, description: 'x'.repeat(1_000) });
    const large = sensorOf('large', {
      ...command,
      nodes: Array.from({ length: 200 }, (_, i) => `n${i}`.padEnd(100, 'x')),
    });
    for (const one of [elsewhere, file, large]) assert.ok(sizeOf(kept.keep(one)) < 512, one.metadata.name);
    const here = { ...sensorOf('here', command), status: { nodes: 1 } };
    assert.deepEqual(kept.keep(here), sensorOf('here', command));
  });

  it('are 64 of a namespace, whatever else is there', () => {
    const kept = new KeptSensors(node);
    const many = Array.from({ length: 500 }, (_, i) => sensorOf(`s${i}`, command));
    const whole = (): number => many.map((one) => kept.keep(one)).filter((one) => one.spec.command).length;
    assert.equal(whole(), 64);
    assert.equal(whole(), 64);
    assert.ok(kept.keep(sensorOf('other', command, 'lab')).spec.command);
    kept.forget(`${NAMESPACE}/s0`);
    assert.ok(kept.keep(many[499]!).spec.command);
    assert.ok(!kept.keep(many[498]!).spec.command);
  });
});

describe('the Sensors that a node serves', () => {
  const aged = (sensor: Sensor, second: number): Sensor => ({
    ...sensor,
    metadata: { ...sensor.metadata, creationTimestamp: new Date(second * 1_000).toISOString() },
  });
  const served = (sensors: Sensor[], namespaces: string[]): string[] => {
    const slivers = namespaces.map((namespace) =>
      sliverOf('probe', { rcap: { namespace, name: 'r', uid: namespace } }),
    );
    return planServed(sensors, slivers, node).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  };

  it('are shared by the namespaces, and those of the release come first', () => {
    const tenants = ['a', 'b', 'c', 'd', 'e'];
    const old = tenants
      .slice(0, 4)
      .flatMap((namespace) => Array.from({ length: 40 }, (_, i) => aged(sensorOf(`s${i}`, command, namespace), i)));
    const late = aged(sensorOf('late', command, 'e'), 1_000);
    const admin = aged(sensorOf('admin', { file: { path: '/proc/meminfo' } }, 'slice-system'), 2_000);
    const names = served([...old, late, admin], tenants);
    assert.equal(names.length, 128);
    assert.equal(names[0], 'slice-system/admin');
    assert.ok(names.includes('e/late'));
    // the oldest of each
    assert.ok(names.includes('a/s0') && names.includes('d/s30') && !names.includes('d/s32'));
  });

  it('are valid ones: others take nobody’s place', () => {
    const wrong = Array.from({ length: 32 }, (_, i) => aged(sensorOf(`w${i}`, { slice: 'probe' }), i));
    assert.deepEqual(served([...wrong, aged(sensorOf('right', command), 99)], [NAMESPACE]), [`${NAMESPACE}/right`]);
  });
});
