/** What the operator knows of its slices, as Prometheus metrics; all of it counted when it is asked for. */
import { Gauge, type Registry } from 'prom-client';
import { isTrue, SliceCondition } from '../crds/conditions.ts';
import { standing, type Standing } from './slice/plan/grant.ts';
import type { NodeState } from './slice/plan/input.ts';
import { isOpen } from './slice/plan/eligible.ts';
import type { Stores } from './stores.ts';

const STANDINGS: readonly Standing[] = ['granted', 'denied', 'expired', 'pending'];

export function measure(registry: Registry, stores: Stores, nodes: () => ReadonlyMap<string, NodeState>): void {
  const registers = [registry];
  const slices = new Gauge({
    name: 'slice_operator_slices',
    help: 'Slices by whether every sliver runs',
    labelNames: ['ready'],
    registers,
    collect() {
      const all = stores.slices.list();
      const ready = all.filter((slice) => isTrue(slice.status?.conditions, SliceCondition.Ready)).length;
      slices.set({ ready: 'true' }, ready);
      slices.set({ ready: 'false' }, all.length - ready);
    },
  });
  const capabilities = new Gauge({
    name: 'slice_operator_capabilities',
    help: 'ResourceCapabilities by how they stand',
    labelNames: ['standing'],
    registers,
    collect() {
      const counts = new Map<Standing, number>(STANDINGS.map((one) => [one, 0]));
      for (const capability of stores.capabilities.list()) {
        const one = standing(capability, nodes().get(capability.spec.nodeName));
        counts.set(one, counts.get(one)! + 1);
      }
      for (const [one, count] of counts) capabilities.set({ standing: one }, count);
    },
  });
  const states = new Gauge({
    name: 'slice_operator_nodes',
    help: 'Nodes by what the operator makes of them: open for slivers, closed (cordoned), lost, or gone',
    labelNames: ['state'],
    registers,
    collect() {
      const counts = { open: 0, closed: 0, lost: 0, gone: 0 };
      for (const node of nodes().values()) {
        if (isOpen(node)) counts.open++;
        else if (node.uid === undefined) counts.gone++;
        else if (node.lost !== undefined) counts.lost++;
        else counts.closed++;
      }
      for (const [state, count] of Object.entries(counts)) states.set({ state }, count);
    },
  });
}
