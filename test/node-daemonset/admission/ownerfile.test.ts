import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PolicySource } from '../../../node-daemonset/admission/ownerfile.ts';
import { budgetOf, offered, policyOf } from '../../../node-daemonset/admission/policy.ts';
import { NODE } from '../rights.ts';

describe('policy', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'policy-'));
    path = join(directory, 'policy.yaml');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('has defaults', () => {
    const { policy, problem } = new PolicySource(path).read({});
    assert.equal(problem, undefined);
    assert.equal(policy!.egressLimit, 100_000_000);
    assert.deepEqual(budgetOf(policy!, 'any'), { shares: 250, ports: 50, pending: 100 });
    assert.deepEqual(offered(policy!, NODE, 0), {
      shares: 900,
      egress: 100_000_000,
      memory: NODE.memory,
      disk: NODE.disk,
      pods: 100,
    });
  });

  it('offers no more than other pods left, and no more than the node has', () => {
    const policy = policyOf({ shares: 1000, memory: '1Ti', pods: 5000 });
    const books = offered(policy, NODE, 501);
    assert.deepEqual([books.shares, books.memory, books.pods], [749, NODE.memory, 100]);
    assert.equal(offered(policy, NODE, 9999).shares, 0);
  });

  it('lets the owner’s file have the last word, field by field and namespace by namespace', () => {
    writeFileSync(path, 'shares: 300\nbudget: { ports: 5 }\nnamespaces: [{ name: lab, refused: true }]\n');
    const spec = {
      shares: 800,
      pods: 7,
      budget: { shares: 100, ports: 50 },
      namespaces: [
        { name: 'lab', budget: { shares: 1 } },
        { name: 'shop', budget: { shares: 2 } },
      ],
    };
    const { policy } = new PolicySource(path).read({ spec });
    assert.deepEqual([policy!.shares, policy!.pods], [300, 7]);
    assert.deepEqual(budgetOf(policy!, 'x'), { shares: 100, ports: 5, pending: 100 });
    assert.equal(policy!.namespaces.get('lab')!.refused, true);
    assert.equal(budgetOf(policy!, 'shop').shares, 2);
  });

  it('puts the SliceNode before the policies for many nodes, and the file before both', () => {
    writeFileSync(path, 'shares: 300\n');
    const defaults = { shares: 100, pods: 5, memory: '1Gi', namespaces: [{ name: 'lab', refused: true }] };
    const spec = { shares: 200, pods: 7, namespaces: [{ name: 'shop', refused: true }] };
    const { policy } = new PolicySource(path).read({ defaults, spec });
    assert.deepEqual([policy!.shares, policy!.pods, policy!.memory], [300, 7, 2 ** 30]);
    assert.deepEqual([...policy!.namespaces.keys()], ['lab', 'shop']);
  });

  it('judges anew what any of them says anew, and keeps the last where one makes no sense', () => {
    const source = new PolicySource(path);
    assert.equal(source.read({ defaults: { shares: 100 } }).policy!.shares, 100);
    assert.equal(source.read({ defaults: { shares: 200 } }).policy!.shares, 200);
    const { policy, problem } = source.read({ defaults: { shares: 2000 } });
    assert.equal(policy!.shares, 200);
    assert.match(problem!, /the SliceNodePolicies: spec.shares/);
    assert.equal(source.read({}).policy!.shares, 900);
  });

  it('keeps the last valid policy when the file is spoilt, and has none without one', () => {
    const source = new PolicySource(path);
    writeFileSync(path, 'shares: 300\n');
    source.read({});
    for (const [text, message] of [
      ['shares: 3000\n', /policy.yaml: spec.shares/],
      ['shares: [\n', /is not YAML/],
      ['- shares\n', /must hold the fields/],
      ['share: 1\n', /share/],
      ['', /policy.yaml is empty: write \{\}/],
      ['# shares: 100\n---\n', /is empty/],
    ] as const) {
      writeFileSync(path, text);
      const { policy, problem } = source.read({});
      assert.equal(policy!.shares, 300, text);
      assert.match(problem!, message);
      assert.equal(new PolicySource(path).read({}).policy, undefined);
    }
    writeFileSync(path, '{}\n');
    assert.deepEqual([source.read({}).policy!.shares, source.read({}).problem], [900, undefined]);
  });

  it('takes up what the file says once it has been let alone', () => {
    let now = Date.now() + 60_000;
    const options = { settledMs: 1000, now: () => now };
    const text = 'shares: 100\nnamespaces:\n  - name: mallory\n    refused: true\n';
    writeFileSync(path, text);
    const source = new PolicySource(path, options);
    const refuses = (spec = {}): boolean => source.read({ spec }).policy!.namespaces.has('mallory');
    assert.equal(refuses(), true);
    for (const part of [undefined, '', 'shares: 100\n', 'shares: 100\nnamespaces:\n']) {
      if (part === undefined) rmSync(path);
      else writeFileSync(path, part);
      const { problem, unsettled } = source.read({});
      assert.deepEqual([problem, unsettled, refuses()], [undefined, true, true], part);
      assert.equal(source.read({ spec: { pods: 7 } }).policy!.pods, 7, 'others are heard meanwhile');
      now += 500;
    }
    writeFileSync(path, 'shares: 200\n');
    assert.equal(source.read({}).policy!.shares, 100);
    now += 1000;
    const { policy, unsettled } = source.read({});
    assert.deepEqual([policy!.shares, refuses(), unsettled], [200, false, undefined]);

    now = Date.now();
    writeFileSync(path, 'shares: 300\n');
    const restarted = new PolicySource(path, options);
    const shares = (): number => restarted.read({ policy: { shares: 250 } }).policy!.shares;
    assert.equal(shares(), 250, 'what an earlier run kept');
    now += 2000;
    assert.equal(shares(), 300);
    assert.equal(new PolicySource(path, options).read({}).policy!.shares, 300, 'there is nothing else to go by');

    rmSync(path);
    const moved = new PolicySource(path, options);
    const read = () => moved.read({ policy: { shares: 250 }, spec: { shares: 70 } });
    assert.deepEqual([read().policy!.shares, read().unsettled], [250, true], 'it may be there again in a moment');
    now += 1000;
    assert.deepEqual([read().policy!.shares, read().unsettled], [70, undefined]);
  });

  it('says so when the file can’t be read', () => {
    mkdirSync(path);
    const { policy, problem } = new PolicySource(path).read({});
    assert.equal(policy, undefined);
    assert.match(problem!, /EISDIR/);
  });
});
