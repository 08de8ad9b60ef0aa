/** The examples are valid, and everything.yaml really shows everything. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { LABEL_NODE, nodeLabelValue } from '../crds/names.ts';
import { readCrd, type Schema, schemaOf } from '../crds/schemas.ts';
import type { ResourceCapability } from '../crds/types.ts';
import { EXAMPLE_FILES, EXAMPLES, isOurs, manifestsIn, type Ours, pathsOf, problemsOf } from './manifests.ts';

function read(file: string): Ours[] {
  return manifestsIn(readFileSync(`${EXAMPLES}/${file}`, 'utf8'), file).filter(isOurs);
}

/** The paths of all fields that a schema has, as `spec.resources.ports[].port`; those of free maps end at the map. */
function fieldsOf(schema: Schema, path: string): string[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, one]) => fieldsOf(one, `${path}.${name}`));
  if (schema.items?.properties) below.push(...fieldsOf(schema.items, `${path}[]`));
  return below.length > 0 ? below : [path];
}

/** Of no use yet, or not in a cluster that has nothing prepared for it. */
const NOT_SHOWN = [
  'spec.broker',
  'spec.from',
  'spec.redeem',
  'spec.valueSecret',
  // taken from sliver.network
  'spec.resources.network',
  'spec.sliceName',
  'spec.sliver.runtimeClassName',
];

describe('examples', () => {
  it('are these', () =>
    assert.deepEqual(EXAMPLE_FILES, [
      'capabilities/acquire.yaml',
      'capabilities/bind.yaml',
      'capabilities/redeem.yaml',
      'capabilities/renew.yaml',
      'capabilities/split.yaml',
      'capabilities/suspend.yaml',
      'capabilities/transfer.yaml',
      'everything.yaml',
      'local-api.yaml',
      'minimal.yaml',
      'owners.yaml',
      'queue.yaml',
      'sensors.yaml',
      'sites.yaml',
      'tickets/broker.yaml',
      'tickets/redeemed.yaml',
      'watchdog.yaml',
    ]));

  for (const file of EXAMPLE_FILES) {
    it(`${file} is valid`, () => {
      const objects = read(file);
      assert.ok(objects.length > 0);
      for (const object of objects) assert.equal(problemsOf(object), '', `${object.kind} ${object.metadata.name}`);
    });
  }

  it('minimal.yaml takes a few lines, and is what the README shows', () => {
    const text = readFileSync(`${EXAMPLES}/minimal.yaml`, 'utf8');
    const lines = text.trimEnd().split('\n');
    assert.ok(lines.length <= 7 && lines.every((line) => line.length <= 120), `${lines.length} lines`);
    assert.ok(readFileSync(`${EXAMPLES}/../README.md`, 'utf8').includes(text));
  });

  it('owners.yaml shows how a SliceNodePolicy chooses nodes', () => {
    const shown = new Set(read('owners.yaml').flatMap(({ spec }) => Object.keys(spec ?? {})));
    assert.deepEqual([...shown].toSorted(), ['nodeSelector', 'policy', 'priority']);
  });

  it('rcaps carry the label by which their node finds them', () => {
    for (const object of EXAMPLE_FILES.flatMap(read)) {
      if (object.kind !== 'ResourceCapability') continue;
      const { metadata, spec } = object as ResourceCapability;
      assert.equal(metadata.labels?.[LABEL_NODE], nodeLabelValue(spec.nodeName));
    }
  });

  for (const [kind, file, example] of [
    ['Slice', 'slice.yaml', 'everything.yaml'],
    ['ResourceCapability', 'resourcecapability.yaml', 'everything.yaml'],
    ['SliceNode', 'slicenode.yaml', 'everything.yaml'],
    ['Restraint', 'restraint.yaml', 'watchdog.yaml'],
    ['Watchdog', 'watchdog.yaml', 'watchdog.yaml'],
    ['Sensor', 'sensor.yaml', 'sensors.yaml'],
  ] as const) {
    it(`${example} shows every field of a ${kind}`, () => {
      const objects = read(example).filter((object) => object.kind === kind);
      const shown = new Set(objects.flatMap(({ spec }) => pathsOf(spec, 'spec')));
      const own = fieldsOf(schemaOf(readCrd(file)).properties!.spec!, 'spec');
      // the rspec is the same everywhere: once in full is enough
      const wanted = own
        .filter((path) => kind === 'Slice' || !path.startsWith('spec.resources.'))
        .filter((path) => !path.startsWith('spec.overrides[].resources.'));
      assert.deepEqual(
        wanted.filter((path) => !shown.has(path) && !NOT_SHOWN.includes(path)),
        [],
      );
    });
  }
});
