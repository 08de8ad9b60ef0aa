/** Which nodes are asked, and where. Pure. */
import { formatAddress, parseAddress, parsePrefix, contains } from '../../crds/ipaddress.ts';
import type { PublishedPage, SliceNode } from '../../crds/types.ts';

export interface Target {
  node: string;
  /** `http://192.0.2.1:8080` */
  origin: string;
}

export interface Targets {
  /** In no order: the first of many shall not always be the same. */
  asked: Target[];
  /** Nodes that publish nothing, or say that they do where no node is. */
  left: { node: string; error?: string }[];
}

/** A status is what a node says of itself: it must not lead us to ourselves, or to what has no router. */
const NO_NODE = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', 'fe80::/10', 'ff00::/8'].map(
  (text) => parsePrefix(text)!,
);

/** Which of its pages a node is asked at. */
export type PageOf = (sliceNode: SliceNode) => PublishedPage | undefined;

export function planTargets(sliceNodes: readonly SliceNode[], pageOf: PageOf): Targets {
  const targets: Targets = { asked: [], left: [] };
  for (const sliceNode of sliceNodes) {
    const node = sliceNode.metadata.name;
    const page = pageOf(sliceNode);
    const bytes = page && parseAddress(page.address);
    if (!page) targets.left.push({ node });
    else if (!bytes || NO_NODE.some((prefix) => contains(prefix, bytes)) || !isPort(page.port)) {
      targets.left.push({ node, error: `its status names an address where no node is: ${page.address.slice(0, 45)}` });
    } else {
      const address = formatAddress(bytes);
      const host = address.includes(':') ? `[${address}]` : address;
      targets.asked.push({ node, origin: `http://${host}:${page.port}` });
    }
  }
  return targets;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1024 && port <= 65535;
}
