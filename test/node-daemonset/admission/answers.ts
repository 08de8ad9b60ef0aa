/** What a node answers to rights, as its ledger has it; and cases of what it refuses. */
import assert from 'node:assert/strict';
import type { ResourceCapability, Rspec, SliceNodeSpec } from '../../../crds/types.ts';
import type { Ledger } from '../../../node-daemonset/admission/ledger.ts';
import type { AdmissionInput } from '../../../node-daemonset/admission/plan.ts';
import { admit, granted, NOW } from '../rights.ts';

/** ms */
export const DAY = 86_400_000;

export function refusalOf(ledger: Ledger, uid: string): { reason: string; message: string } {
  const entry = ledger.entries.find((one) => one.uid === uid);
  assert.ok(entry?.refusal, `${uid} was not refused`);
  return entry.refusal;
}

export function grantOf(ledger: Ledger, uid: string): NonNullable<Ledger['entries'][number]['grant']> {
  const grant = ledger.entries.find((one) => one.uid === uid)?.grant;
  assert.ok(grant, `${uid} holds nothing`);
  return grant;
}

export interface Case {
  what: string;
  rcap: ResourceCapability;
  reason: string;
  message: RegExp;
  held?: ResourceCapability[];
  change?: Partial<AdmissionInput> & { spec?: SliceNodeSpec };
}

/** So many days after NOW. */
export const at = (days: number): string => new Date(NOW + days * DAY).toISOString();
export const port = (number: number, protocol: 'TCP' | 'UDP' | 'ICMP' = 'TCP'): Rspec => ({
  ports: [{ protocol, port: number }],
});

/** A test for each case: it is refused, for this reason, and what was held stays as it was. */
export function refuses(cases: readonly Case[]): void {
  for (const { what, rcap, reason, message, held = [], change } of cases) {
    it(`refuses ${what}`, () => {
      const before = granted(...held);
      const { ledger, decisions } = admit(before, [...held, rcap], change);
      const refusal = refusalOf(ledger, 'b');
      assert.equal(refusal.reason, reason);
      assert.match(refusal.message, message);
      assert.deepEqual(
        decisions.map(({ event, uid }) => [event, uid]),
        [['denied', 'b']],
      );
      assert.deepEqual(ledger.entries[0], before.entries[0] ?? ledger.entries[0], 'what was held stays as it was');
    });
  }
}
