/** What the guard has to know of the node: the ports that the kernel chooses from, pods' cgroups. */
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { cgroupId } from '../bpf/open.ts';
import type { CgroupTree, PodCgroup } from '../cpu/cgroups.ts';
import { processesOf, readOr } from '../processes.ts';

/** IPv4's broadcast addresses of its networks; loopback's reaches nobody else. */
export function readBroadcastAddresses(): string[] {
  return parseBroadcasts(readOr('/proc/self/net/fib_trie', ''));
}

export function parseBroadcasts(fibTrie: string): string[] {
  const leaves = fibTrie.split('|-- ').slice(1);
  const found = leaves.filter((leaf) => /^ *\/32 \S+ BROADCAST$/m.test(leaf)).map((leaf) => leaf.split('\n', 1)[0]!);
  return [...new Set(found)].filter((address) => !address.startsWith('127.')).sort();
}

/** What sockets get that name no port, both ends included. */
export function readPortRange(): { firstPort: number; lastPort: number } {
  const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);
  return { firstPort: first!, lastPort: last! };
}

/** Where the kubelet's pods are in the tree of cgroup v2, which has no controllers on a hybrid host. */
export class UnifiedPods {
  readonly #tree: CgroupTree;
  readonly #isHybrid: boolean;

  constructor(tree: CgroupTree) {
    this.#tree = tree;
    this.#isHybrid = tree.version('cpu') !== 2;
  }

  /** The ancestor of all pods; undefined where no cgroup v2 is mounted, or the kubelet has none yet. */
  kubepods(): string | undefined {
    return this.#directory(this.#tree.kubepods);
  }

  /** The pod's directory and its id. On a hybrid host the runtime makes it later than a pod needs it. */
  pod(pod: PodCgroup): { directory: string; id: bigint } | undefined {
    const directory = this.#tree.directory('unified', pod.path);
    const id = idOf(directory) ?? idOf(this.#directory(pod.path));
    return directory === undefined || id === undefined ? undefined : { directory, id };
  }

  /** Takes a pod's directory away that the runtime and the kubelet leave behind on a hybrid host. */
  forget(directory: string): void {
    if (!this.#isHybrid) return;
    try {
      rmdirSync(directory);
    } catch {
      // A container of it is still there, or all of it is gone.
    }
  }

  /** The id of the pod that this process is in, 0 where it is in none. */
  own(pods: Iterable<PodCgroup>): bigint {
    for (const pod of pods) {
      const directory = this.#tree.directory('unified', pod.path);
      if (directory !== undefined && processesOf(directory).includes(process.pid)) return cgroupId(directory);
    }
    return 0n;
  }

  #directory(path: string): string | undefined {
    const directory = this.#tree.directory('unified', path);
    if (directory === undefined) return undefined;
    if (this.#isHybrid) mkdirSync(directory, { recursive: true });
    return directory;
  }
}

export const idOf = (directory: string | undefined): bigint | undefined => {
  try {
    return directory === undefined ? undefined : cgroupId(directory);
  } catch {
    return undefined; // the pod has just ended
  }
};
