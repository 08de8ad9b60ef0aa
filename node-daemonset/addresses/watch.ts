/**
 * Finds the addresses of sliver pods without asking the API server: a pod's first process appears in its cgroup when its
 * network is made, long before an address is in any status.
 */
import { type FSWatcher, watch } from 'node:fs';
import { isRunning, processesOf } from '../processes.ts';
import { type PodNetwork, readBytesSent, readNetwork } from './netns.ts';

export interface AddressWatchOptions {
  /** Directory of a pod's cgroup; undefined while it has none. */
  directoryOf(podUid: string): string | undefined;
  /** A pod has other addresses than were known of it. */
  onFound(podUid: string, addresses: string[]): void;
  /** Where proc(5) of the host's processes is. Default /proc. */
  proc?: string;
  now?: () => number;
}

interface Watched {
  addresses: readonly string[];
  /** 'Host': it is not expected to have a network of its own. */
  network: 'Pod' | 'Host';
  /** Since when its network is looked for; undefined while it is known. */
  lookingSince: number | undefined;
  watcher: FSWatcher | undefined;
  /** One of its processes, in its network namespace; undefined before the first was seen. */
  pid: number | undefined;
}

/** From the first process to the class must be 50 ms. */
const FAST_MS = 15;
const SLOW_MS = 1000;
/** A pod that has no network so long after its volume waits for an image or crashes; it is looked at less often. */
const FAST_FOR_MS = 120_000;
/** Pods looked at in one turn: a thousand that start together must not take the whole CPU. */
const PER_TURN = 25;

export class AddressWatch {
  readonly #options: Required<AddressWatchOptions>;
  readonly #hostNamespace: string;
  readonly #pods = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  constructor(options: AddressWatchOptions) {
    this.#options = { proc: '/proc', now: Date.now, ...options };
    const own = readNetwork(this.#options.proc, 'self');
    if (!own) throw new Error(`${this.#options.proc} is not mounted: the addresses of slivers can't be found`);
    this.#hostNamespace = own.namespace;
  }

  /** Watches these pods and no others any more. Called with each pass; costs nothing for pods that are known. */
  update(pods: readonly (Pick<Watched, 'addresses' | 'network'> & { uid: string })[]): void {
    const wanted = new Map(pods.map((pod) => [pod.uid, pod]));
    for (const [uid, pod] of this.#pods) {
      if (wanted.has(uid)) continue;
      pod.watcher?.close();
      this.#pods.delete(uid);
    }
    const lookingSince = this.#options.now();
    for (const { uid, addresses, network } of wanted.values()) {
      const known = this.#pods.get(uid);
      if (known) known.network = network;
      if (known) continue;
      // Addresses from before a restart of ours may be out of date: they hold until something else is seen.
      this.#pods.set(uid, { addresses, network, lookingSince, watcher: undefined, pid: undefined });
    }
    this.#schedule();
  }

  /** Looks at every pod once more: inotify may have missed something. Called with each full pass. */
  recheck(): void {
    const now = this.#options.now();
    for (const pod of this.#pods.values()) pod.lookingSince ??= now;
    this.#schedule();
  }

  /** Bytes that a pod has sent by its own interfaces; undefined where no process of it is known. */
  bytesSent(uid: string): number | undefined {
    const pid = this.#pods.get(uid)?.pid;
    return pid === undefined ? undefined : readBytesSent(this.#options.proc, pid);
  }

  close(): void {
    this.update([]);
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const now = this.#options.now();
    const looking = [...this.#pods.values()].flatMap((pod) => pod.lookingSince ?? []);
    if (looking.length === 0) return;
    const fast = looking.some((since) => now - since < FAST_FOR_MS);
    this.#timer = setTimeout(() => this.#lookAround(), fast ? FAST_MS : SLOW_MS);
  }

  #lookAround(): void {
    const looking = [...this.#pods].filter(([, pod]) => pod.lookingSince !== undefined);
    for (let i = 0; i < Math.min(PER_TURN, looking.length); i++) {
      const [uid, pod] = looking[this.#turn++ % looking.length]!;
      this.#look(uid, pod);
    }
    this.#schedule();
  }

  #look(uid: string, pod: Watched): void {
    const directory = this.#options.directoryOf(uid);
    if (directory === undefined) return;
    pod.watcher ??= this.#watch(uid, directory);
    const found = this.#networkIn(directory);
    // On the node's network, as it should be; a container that is elsewhere all the same is seen when it comes.
    if (!found && pod.network === 'Host' && isRunning(directory)) pod.lookingSince = undefined;
    if (!found) return;
    pod.lookingSince = undefined;
    pod.pid = found.pid;
    const { addresses } = found.network;
    if (addresses.join() === pod.addresses.join()) return;
    pod.addresses = addresses;
    this.#options.onFound(uid, addresses);
  }

  /**
   * The network of the first process that has left the host's: a container's init is in its cgroup a moment before that.
   * A pod on the host's network is never found: its addresses are the node's, and must not be classified as a sliver's.
   */
  #networkIn(directory: string): { network: PodNetwork; pid: number } | undefined {
    for (const pid of processesOf(directory, 8)) {
      const network = readNetwork(this.#options.proc, pid);
      if (network && network.namespace !== this.#hostNamespace && network.addresses.length > 0) return { network, pid };
    }
    return undefined;
  }

  /** A container that comes or goes may be the pod's sandbox, and then its addresses are others. */
  #watch(uid: string, directory: string): FSWatcher | undefined {
    try {
      const watcher = watch(directory, { persistent: false }, (event) => {
        const pod = this.#pods.get(uid);
        if (event !== 'rename' || !pod) return;
        pod.lookingSince = this.#options.now();
        this.#schedule();
      });
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return undefined; // no inotify watch is left: the full pass still looks
    }
  }
}
