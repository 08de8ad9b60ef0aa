/** What is said while the owner keeps slices off the node: until when, and why, wherever somebody may look. */
import assert from 'node:assert/strict';
import { getCondition } from '../../../crds/conditions.ts';
import type { ResourceCapabilityStatus } from '../../../crds/types.ts';
import { policyOf } from '../../../node-daemonset/admission/policy.ts';
import { planNodeStatus } from '../../../node-daemonset/report/node.ts';
import { type PassOutcome, Statuses } from '../../../node-daemonset/report/statuses.ts';
import { blackoutAt } from '../../../node-daemonset/standing.ts';
import { granted, NOW, pod, right } from '../rights.ts';
import { NODE_FACTS } from './facts.ts';

const HOUR = 3_600_000;
const iso = (hours: number) => new Date(NOW + hours * HOUR).toISOString().replace('.000Z', 'Z');
const blackout = (start: number, end: number, reason = '') => ({ start: iso(start), end: iso(end), reason });
const CLOSED = blackout(0, 2, 'the building is closed');
const policyWith = (...blackouts: (typeof CLOSED)[]) => policyOf({ blackouts });
const KEPT_OFF = `the owner keeps slices off the node until ${iso(2)}: the building is closed`;

describe('a blackout', () => {
  const rcap = right('a', {});
  const told: ResourceCapabilityStatus[] = [];
  const statuses = new Statuses({ report: (_key, { status }) => void told.push(status), keep: () => undefined });
  const outcome: PassOutcome = {
    rcaps: [rcap],
    ledger: granted(rcap),
    pods: [],
    problems: [],
    blackouts: policyWith(CLOSED).blackouts,
    holds: [],
    now: NOW,
  };
  /** Status, reason and message of the right's Ready, if that was told anew. */
  const ready = (change: Partial<PassOutcome>) => {
    told.length = 0;
    statuses.enforced({ ...outcome, ...change }, false);
    const [status] = told;
    const { status: is, reason, message } = getCondition(status?.conditions, 'Ready') ?? {};
    return status && [is, reason, message];
  };

  it('is told in the Ready of a right, with a pod and without, and anew when the owner says it otherwise', () => {
    assert.deepEqual(ready({}), ['False', 'Blackout', KEPT_OFF]);
    const pods = [pod('p', rcap, { addresses: ['10.0.0.1'] })];
    assert.deepEqual(ready({ pods }), ['False', 'Blackout', KEPT_OFF]);
    assert.equal(ready({ pods }), undefined);
    const { blackouts } = policyWith({ ...CLOSED, reason: 'new disks' });
    assert.match(String(ready({ pods, blackouts })), /: new disks$/);
    assert.notEqual(ready({ pods, now: NOW + 2 * HOUR })?.[1], 'Blackout');
  });

  it('is told by the node, which is in order all the same', () => {
    const offered = { shares: 900, egress: 1e8, memory: 1e9, disk: 1e9, pods: 9 };
    const facts = { ...NODE_FACTS, offered, policy: policyWith(CLOSED) };
    const says = (now: number) => {
      const { status, reason, message } = getCondition(planNodeStatus({ ...facts, now }).conditions, 'Ready')!;
      return [status, reason, message];
    };
    assert.deepEqual(says(NOW), ['True', 'Ready', `rights are kept, and pause: ${KEPT_OFF}`]);
    assert.deepEqual(says(NOW + 2 * HOUR), ['True', 'Ready', 'rights are granted and enforced']);
  });

  it('ends when the last of those ends that follow each other without a gap', () => {
    const { blackouts } = policyWith(blackout(5, 6), blackout(2, 4, 'x'), CLOSED, blackout(1, 3), blackout(-9, -8));
    assert.equal(blackoutAt(blackouts, NOW), KEPT_OFF.replace(iso(2), iso(4)));
    assert.equal(blackoutAt(blackouts, NOW + 4 * HOUR), undefined);
    assert.equal(blackoutAt(blackouts, NOW + 5 * HOUR), `the owner keeps slices off the node until ${iso(6)}`);
  });
});
