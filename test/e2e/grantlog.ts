/** The grant logs of a cluster's nodes, as their node managers wrote them to their disks. */
import { parseQuantity } from '../../crds/quantity.ts';
import type { SliceNode } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import type { Books } from '../../node-daemonset/admission/ledger.ts';
import { runInNode } from '../cluster/node.ts';
import { type Logged, readLog } from '../node-daemonset/admission/replay.ts';
import type { Product } from './product.ts';

/** Files of a log, oldest first: five are kept. */
const FILES = ['.4', '.3', '.2', '.1', ''].map((age) => `/var/lib/slice-operator/grants.jsonl${age}`);

/** All that a node's log has, read at once: a file may be renamed meanwhile. */
export async function grantLogOf({ cluster }: Product, node: string): Promise<Logged[]> {
  // older ones need not be there; the present one must be
  const each = FILES.map((file) => (file.endsWith('.jsonl') ? `cat ${file}` : `[ ! -e ${file} ] || cat ${file}`));
  return readLog(await runInNode(cluster, node, ['sh', '-c', each.join(' && ')]));
}

/** What a node has for slices, by its own word. */
export async function offerOf(product: Product, node: string): Promise<Books> {
  const sliceNode = await product.get<SliceNode>(Resources.SliceNode, { name: node });
  const { shares = 0, egress = 0, memory = 0, disk = 0, pods = 0 } = sliceNode!.status!.offered!;
  return {
    shares,
    egress: parseQuantity(egress),
    memory: parseQuantity(memory),
    disk: parseQuantity(disk),
    pods,
  };
}
