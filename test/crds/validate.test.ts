import assert from 'node:assert/strict';
import { amounts, fromShare, toRspec } from '../../crds/rspec.ts';
import { binaryQuantity, decimalQuantity, parseQuantity, QuantityError } from '../../crds/quantity.ts';
import { nodeLabelValue, rcapName, MAX_SLICE_NAME } from '../../crds/names.ts';
import { CRD_FILES, readCrd } from '../../crds/schemas.ts';
import { setCondition } from '../../crds/conditions.ts';
import { validate, VALIDATORS } from '../../crds/validate.ts';
import { BAD, GOOD } from './kinds.ts';
import { capability, sliceNode } from './nodes.ts';
import { slice } from './slices.ts';

describe('validation', () => {
  for (const [what, object] of GOOD) {
    it(`accepts a ${object.kind} with ${what}`, () => assert.deepEqual(validate(object), []));
  }
  for (const [what, object, at] of BAD) {
    it(`refuses a ${object.kind} with ${what}`, () => {
      const paths = validate(object).map(({ path }) => path);
      assert.ok(
        paths.some((path) => path.startsWith(at ?? '')),
        `expected a violation${at === undefined ? '' : ` at ${at}`}, got ${JSON.stringify(paths)}`,
      );
    });
  }

  it('is of every kind that there is, and of no other', () => {
    const kinds = CRD_FILES.map((file) => readCrd(file).spec.names.kind);
    assert.deepEqual(Object.keys(VALIDATORS).toSorted(), kinds.toSorted());
    for (const kind of ['Pod', 'constructor']) {
      assert.throws(() => validate({ ...slice(), kind }), new RegExp(`there is no kind ${kind}`));
    }
  });
});

describe('quantities beyond all measure', () => {
  // a schema's pattern can't bound a value, so that a server lets these pass
  for (const amount of ['1e999', '1e16', '9e400', 1e300]) {
    it(`are refused wherever they stand: ${amount}`, () => {
      for (const resources of [{ memory: amount }, { disk: amount }, { egress: { guarantee: amount } }]) {
        assert.match(validate(slice({ resources }))[0]?.message ?? '', /too large/);
        assert.match(validate(capability({ resources }))[0]?.message ?? '', /too large/);
      }
      assert.match(validate(sliceNode({ egressLimit: amount }))[0]?.message ?? '', /too large/);
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
