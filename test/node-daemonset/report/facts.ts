/** What a node manager knows of a node on which nothing is granted. */
import { API_VERSION } from '../../../crds/names.ts';
import { EMPTY_LEDGER } from '../../../node-daemonset/admission/ledger.ts';
import type { NodeFactsReported } from '../../../node-daemonset/report/node.ts';
import { NO_ORDERS } from '../../../node-daemonset/owner/orders.ts';

export const NODE_FACTS: NodeFactsReported = {
  sliceNode: { apiVersion: API_VERSION, kind: 'SliceNode', metadata: { name: 'node1' } },
  ledger: EMPTY_LEDGER,
  offered: undefined,
  policy: undefined,
  beyond: [],
  policyProblem: undefined,
  problems: [],
  attributes: {},
  orders: NO_ORDERS,
  versions: { nodeManager: '1', kernel: '6' },
  now: Date.parse('2026-11-01T00:00:00Z'),
};
