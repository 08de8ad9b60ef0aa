/** One question about flows to all nodes: the best rows of all their answers. */
import { type FlowQuery, formatQuery, formatTime } from '../../crds/flowquery.ts';
import type { ClusterAnswer, FlowRow, SumAnswer } from '../../crds/flows.ts';
import type { PublishedPage, SliceNode } from '../../crds/types.ts';
import { type AskLimits, createFanout, type Verdict } from '../fanout/fanout.ts';
import { planTargets } from '../fanout/plan.ts';
import { parseAnswer, parseSums } from './parse.ts';

export const ASK_LIMITS: AskLimits = { concurrency: 32, nodeMs: 8_000, allMs: 30_000, answerBytes: 8 * 1024 * 1024 };

export interface Asker {
  ask(query: FlowQuery, sliceNodes: readonly SliceNode[]): Promise<ClusterAnswer>;
  /** What slices sent in this hour and the last, of each node by itself: no flow of one takes another's place. */
  askSums(sliceNodes: readonly SliceNode[]): Promise<(Verdict & Partial<Pick<SumAnswer, 'sums' | 'truncated'>>)[]>;
  close(): Promise<void>;
}

type Row = FlowRow & { node: string };

const auditPage = ({ status }: SliceNode): PublishedPage | undefined => status?.auditPage;

/** `plan`: where the nodes are. */
export function createAsker(limits: AskLimits = ASK_LIMITS, plan: typeof planTargets = planTargets): Asker {
  const fanout = createFanout(limits);
  return {
    async ask(query, sliceNodes) {
      let rows: Row[] = [];
      let cut = false;
      const nodes = await fanout.ask(plan(sliceNodes, auditPage), {
        path: `/flows.json?${formatQuery(query).toString()}`,
        take(node, text) {
          const { flows, ...rest } = parseAnswer(text, query.limit);
          for (const row of flows) rows.push({ node, ...row });
          // many nodes with many rows each: only the best are kept
          if (rows.length > query.limit * 2) {
            rows = best(rows, query.limit);
            cut = true;
          }
          return rest;
        },
      });
      const flows = best(rows, query.limit);
      return {
        from: formatTime(query.from),
        to: formatTime(query.to),
        nodes,
        ...((cut || rows.length > flows.length) && { truncated: 'Rows' as const }),
        flows,
      };
    },
    askSums: (sliceNodes) =>
      fanout.ask(plan(sliceNodes, auditPage), { path: '/sums.json', take: (_node, text) => parseSums(text) }),
    close: () => fanout.close(),
  };
}

/** As a node orders its own. */
function best(rows: readonly Row[], limit: number): Row[] {
  const untold = ({ kind }: Row): number => (kind === 'Flow' ? 0 : kind === 'Overflow' ? 1 : 2);
  return rows
    .toSorted((a, b) => untold(a) - untold(b) || (a.last < b.last ? 1 : a.last > b.last ? -1 : b.bytes - a.bytes))
    .slice(0, limit);
}
