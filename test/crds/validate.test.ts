import assert from 'node:assert/strict';
import { amounts, fromShare, toRspec } from '../../crds/rspec.ts';
import { binaryQuantity, decimalQuantity, parseQuantity, QuantityError } from '../../crds/quantity.ts';
import { nodeLabelValue, rcapName, MAX_SLICE_NAME } from '../../crds/names.ts';
import { CRD_FILES, readCrd } from '../../crds/schemas.ts';
import { setCondition } from '../../crds/conditions.ts';
import {
  validateCapability,
  validateRestraint,
  validateSensor,
  validateSlice,
  validateSliceNode,
  validateSliceNodePolicy,
  validateWatchdog,
} from '../../crds/validate.ts';
import {
  badCapabilities,
  badRestraints,
  badSliceNodePolicies,
  badSliceNodes,
  capability,
  restraint,
  sliceNode,
  sliceNodePolicy,
} from './nodes.ts';
import { badSensors, badWatchdogs, goodSensors, watchdog } from './sensors.ts';
import { badSlices, goodSlices, slice } from './slices.ts';

describe('validation of a Slice', () => {
  for (const [what, slice] of goodSlices()) {
    it(`accepts ${what}`, () => assert.deepEqual(validateSlice(slice), []));
  }
  for (const [what, slice, path] of badSlices()) {
    it(`refuses ${what}`, () => {
      const paths = validateSlice(slice).map((violation) => violation.path);
      assert.ok(
        paths.some((one) => one.startsWith(path)),
        `expected a violation at ${path}, got ${JSON.stringify(paths)}`,
      );
    });
  }
});

describe('validation of the other kinds', () => {
  it('accepts what is right', () => {
    assert.deepEqual(validateCapability(capability()), []);
    assert.deepEqual(validateSliceNode(sliceNode()), []);
  });
  for (const [what, object] of badCapabilities()) {
    it(`refuses an rcap with ${what}`, () => assert.notDeepEqual(validateCapability(object), []));
  }
  it('accepts what is right of a Restraint and a Watchdog', () => {
    assert.deepEqual(validateRestraint(restraint({ egressLimit: 0 })), []);
    assert.deepEqual(validateWatchdog(watchdog({ lift: { below: '1G' }, periodSeconds: 86_400 })), []);
  });
  it('accepts what is right of a SliceNodePolicy', () => {
    assert.deepEqual(
      validateSliceNodePolicy(sliceNodePolicy({ shares: 1 }, { nodeSelector: { rack: 'a' }, priority: -1 })),
      [],
    );
  });
  for (const [what, object] of badSliceNodePolicies()) {
    it(`refuses a SliceNodePolicy with ${what}`, () => assert.notDeepEqual(validateSliceNodePolicy(object), []));
  }
  for (const [what, object] of badRestraints()) {
    it(`refuses a Restraint with ${what}`, () => assert.notDeepEqual(validateRestraint(object), []));
  }
  for (const [what, object] of badWatchdogs()) {
    it(`refuses a Watchdog with ${what}`, () => assert.notDeepEqual(validateWatchdog(object), []));
  }
  for (const [what, object] of goodSensors()) {
    it(`accepts a Sensor with ${what}`, () => assert.deepEqual(validateSensor(object), []));
  }
  for (const [what, object] of badSensors()) {
    it(`refuses a Sensor with ${what}`, () => assert.notDeepEqual(validateSensor(object), []));
  }
  for (const [what, object] of badSliceNodes()) {
    it(`refuses a SliceNode with ${what}`, () => assert.notDeepEqual(validateSliceNode(object), []));
  }
});

describe('quantities beyond all measure', () => {
  // a schema's pattern can't bound a value, so that a server lets these pass
  for (const amount of ['1e999', '1e16', '9e400', 1e300]) {
    it(`are refused wherever they stand: ${amount}`, () => {
      for (const resources of [{ memory: amount }, { disk: amount }, { egress: { guarantee: amount } }]) {
        assert.match(validateSlice(slice({ resources }))[0]?.message ?? '', /too large/);
        assert.match(validateCapability(capability({ resources }))[0]?.message ?? '', /too large/);
      }
      assert.match(validateSliceNode(sliceNode({ egressLimit: amount }))[0]?.message ?? '', /too large/);
    });
  }
});

describe('the CRDs', () => {
  // in YAML's short form a comma ends an unquoted text, and what follows becomes a field that strict servers refuse
  for (const file of CRD_FILES) {
    it(`${file} has no field without a value`, () => assert.ok(!JSON.stringify(readCrd(file)).includes(':null')));
  }

  it('are of no category that is also a name: `kubectl delete slices --all` would delete the owners’ policies', () => {
    const all = CRD_FILES.map((file) => readCrd(file).spec.names);
    const names = new Set(
      all.flatMap(({ kind, plural, singular, shortNames }) => [kind, plural, singular, ...shortNames]),
    );
    for (const { categories = [] } of all)
      assert.deepEqual(
        categories.filter((one) => names.has(one)),
        [],
      );
    assert.equal(readCrd('slicenode.yaml').spec.names.categories, undefined);
  });
});

describe('quantities and rspecs', () => {
  it('writes them as short as they can be said exactly', () => {
    assert.deepEqual([0, 1, 5_000, 1_500_000, 100_000_000, 1e15].map(decimalQuantity), [
      '0',
      '1',
      '5k',
      '1500k',
      '100M',
      '1P',
    ]);
    assert.deepEqual([0, 1000, 1024, 1536 * 1024, 2 ** 30].map(binaryQuantity), ['0', '1000', '1Ki', '1536Ki', '1Gi']);
  });

  it('reads every suffix', () => {
    assert.deepEqual(['10M', '1Gi', '250m', '1e3', '.5k', 7].map(parseQuantity), [1e7, 2 ** 30, 0.25, 1000, 500, 7]);
  });
  it('refuses what is no quantity', () => {
    for (const text of ['', '-1', '10 M', '10Mb', '0x10', 'NaN', '1e999']) {
      assert.throws(() => parseQuantity(text), QuantityError, text);
    }
  });
  it("fills in PlanetLab's defaults, and says them back", () => {
    const defaults = amounts(undefined);
    assert.deepEqual([defaults.shares, defaults.egressGuarantee, defaults.egressLimit], [1, 5_000, 10_000_000]);
    assert.deepEqual(amounts(toRspec(defaults)), defaults);
  });
  it('raises the default limit to a higher guarantee', () => {
    assert.equal(amounts(fromShare(300)).egressLimit, 30_000_000);
  });
  it('keeps one of two equal ports and sorts them', () => {
    const ports = [
      { protocol: 'UDP', port: 1 },
      { protocol: 'TCP', port: 9 },
      { protocol: 'UDP', port: 1 },
    ] as const;
    assert.deepEqual(amounts({ ports: [...ports] }).ports, [ports[1], ports[0]]);
  });
});

describe('derived names', () => {
  it('are valid whatever the slice is called, and differ from node to node', () => {
    const slice = `a${'-'.repeat(MAX_SLICE_NAME - 2)}z`;
    assert.match(rcapName(slice, 'n1'), /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
    assert.notEqual(rcapName(slice, 'n1'), rcapName(slice, 'n2'));
    assert.ok(rcapName('x'.repeat(52), 'n').length <= 63);
  });
  it('keep a node name of 253 characters within a label', () => {
    assert.ok(nodeLabelValue('n.'.repeat(126)).length <= 63);
    assert.equal(nodeLabelValue('node1'), 'node1');
  });
});

describe('setCondition', () => {
  const at = (seconds: number) => new Date(seconds * 1000);
  const ready = { type: 'Ready', status: 'True', reason: 'A', message: 'a' } as const;
  it('keeps the transition time while the status stays', () => {
    const first = setCondition(undefined, ready, at(1));
    assert.equal(
      setCondition(first, { ...ready, message: 'b' }, at(2))[0]!.lastTransitionTime,
      first[0]!.lastTransitionTime,
    );
    assert.notEqual(
      setCondition(first, { ...ready, status: 'False' }, at(2))[0]!.lastTransitionTime,
      first[0]!.lastTransitionTime,
    );
  });
});
