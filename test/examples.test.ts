/** The examples are valid, and everything.yaml really shows everything. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { API_VERSION, LABEL_NODE, nodeLabelValue } from '../crds/names.ts';
import { readCrd, type Schema, schemaOf } from '../crds/schemas.ts';
import type {
  ResourceCapability,
  Restraint,
  Sensor,
  Slice,
  SliceNode,
  SliceNodePolicy,
  Watchdog,
} from '../crds/types.ts';
import {
  describe as say,
  validateCapability,
  validateRestraint,
  validateSensor,
  validateSlice,
  validateSliceNode,
  validateSliceNodePolicy,
  validateWatchdog,
} from '../crds/validate.ts';

const EXAMPLES = fileURLToPath(new URL('../examples', import.meta.url));

type Ours = Slice | Sensor | ResourceCapability | SliceNode | Restraint | SliceNodePolicy | Watchdog;

function read(file: string): Ours[] {
  const documents = parseAllDocuments(readFileSync(`${EXAMPLES}/${file}`, 'utf8'), { uniqueKeys: true });
  for (const document of documents) assert.deepEqual(document.errors, [], file);
  return documents.map((document) => document.toJS() as Ours).filter(({ apiVersion }) => apiVersion === API_VERSION);
}

function violations(object: Ours): string {
  switch (object.kind) {
    case 'Slice':
      return say(validateSlice(object as Slice));
    case 'ResourceCapability':
      return say(validateCapability(object as ResourceCapability));
    case 'Sensor':
      return say(validateSensor(object as Sensor));
    case 'SliceNode':
      return say(validateSliceNode(object as SliceNode));
    case 'SliceNodePolicy':
      return say(validateSliceNodePolicy(object as SliceNodePolicy));
    case 'Restraint':
      return say(validateRestraint(object as Restraint));
    case 'Watchdog':
      return say(validateWatchdog(object as Watchdog));
    default:
      throw new Error(`an example of kind ${object.kind}`);
  }
}

/** The paths of all fields that a schema has, as `spec.resources.ports[].port`; those of free maps end at the map. */
function fieldsOf(schema: Schema, path: string): string[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, one]) => fieldsOf(one, `${path}.${name}`));
  if (schema.items?.properties) below.push(...fieldsOf(schema.items, `${path}[]`));
  return below.length > 0 ? below : [path];
}

/** The paths that a value has, in the same form. */
function pathsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((one) => pathsOf(one, `${path}[]`))];
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, one]) => pathsOf(one, `${path}.${name}`))];
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
  const files = globSync('**/*.yaml', { cwd: EXAMPLES }).toSorted();

  it('are these', () =>
    assert.deepEqual(files, [
      'capabilities.yaml',
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

  for (const file of files) {
    it(`${file} is valid`, () => {
      const objects = read(file);
      assert.ok(objects.length > 0);
      for (const object of objects) assert.equal(violations(object), '', `${object.kind} ${object.metadata.name}`);
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
    for (const object of read('everything.yaml')) {
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
