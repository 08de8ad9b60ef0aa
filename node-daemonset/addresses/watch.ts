/**
 * Finds the addresses of sliver pods without asking the API server: a pod's first process appears in its cgroup when its
 * network is made, long before an address is in any status.
 */
import { type FSWatcher, watch } from 'node:fs';
import { isRunning, processesOf } from '../processes.ts';
import { findLinks, type PodLinks } from './links.ts';
import { type PodNetwork, readBytesSent, readNetwork, startTime } from './netns.ts';

export interface AddressWatchOptions {
  /** Directory of a pod's cgroup; undefined while it has none. */
  directoryOf(podUid: string): string | undefined;
  /** A pod has other addresses than were known of it, or has them by other interfaces of the node. */
  onFound(podUid: string, found: PodLinks): void;
  /** It could not be found out which interfaces lead to a pod; it is tried again. */
  onError?(podUid: string, error: Error): void;
  /** Which interfaces of the node lead to a process's network. */
  findLinks?: typeof findLinks;
  /** Where proc(5) of the host's processes is. Default /proc. */
  proc?: string;
  now?: () => number;
}

/** A pod as it is known; `addresses` and `interfaces` are from its record. */
interface WatchedPod {
  uid: string;
  addresses: readonly string[];
  interfaces?: readonly string[];
  network: 'Pod' | 'Host';
}

interface Watched {
  /** 'Host': it is not expected to have a network of its own. */
  network: 'Pod' | 'Host';
  /** What was last told of it, as one text. */
  told: string;
  /** Of which network the node's own word is known, as one text. */
  settled: string;
  /** Looks in a row at which the node could not confirm all that the pod claims. */
  unsettled: number;
  /** A look is under way. */
  busy: boolean;
  /** Since when its network is looked for; undefined while it is known. */
  lookingSince: number | undefined;
  watcher: FSWatcher | undefined;
  /** One of its processes, in its network namespace; undefined before the first was seen. */
  pid: number | undefined;
  namespace: string | undefined;
}

/** From the first process to the class must be 50 ms. */
const FAST_MS = 15;
const SLOW_MS = 1000;
/** A pod that has no network so long after its volume waits for an image or crashes; it is looked at less often. */
const FAST_FOR_MS = 120_000;
/** Pods looked at in one turn: a thousand that start together must not take the whole CPU. */
const PER_TURN = 25;
/** A claim that so many looks in a row could not confirm waits for the next full pass. */
const MOST_UNSETTLED = 20;
/** A tenant may have as many processes as it likes; the sandbox's is the oldest. */
const MOST_PROCESSES = 1024;

interface Found {
  network: PodNetwork;
  pid: number;
}

export class AddressWatch {
  readonly #options: Required<AddressWatchOptions>;
  readonly #hostNamespace: string;
  readonly #pods = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  constructor(options: AddressWatchOptions) {
    this.#options = { proc: '/proc', now: Date.now, findLinks, onError: () => {}, ...options };
    const own = readNetwork(this.#options.proc, 'self');
    if (!own) throw new Error(`${this.#options.proc} is not mounted: the addresses of slivers can't be found`);
    this.#hostNamespace = own.namespace;
  }

  /** Watches these pods and no others any more. Called with each pass; costs nothing for pods that are known. */
  update(pods: readonly WatchedPod[]): void {
    const wanted = new Map(pods.map((pod) => [pod.uid, pod]));
    for (const [uid, pod] of this.#pods) {
      if (wanted.has(uid)) continue;
      pod.watcher?.close();
      this.#pods.delete(uid);
    }
    const lookingSince = this.#options.now();
    for (const { uid, addresses, interfaces = [], network } of wanted.values()) {
      const known = this.#pods.get(uid);
      if (known) known.network = network;
      if (known) continue;
      // Addresses from before a restart of ours may be out of date: they hold until something else is seen.
      const told = textOf({ addresses, interfaces });
      const none = { watcher: undefined, pid: undefined, namespace: undefined };
      this.#pods.set(uid, { network, told, settled: '', unsettled: 0, busy: false, lookingSince, ...none });
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
    if (pod.busy) return;
    const found = this.#networkIn(directory, pod);
    // On the node's network, as it should be; a container that is elsewhere all the same is seen when it comes.
    if (!found && pod.network === 'Host' && isRunning(directory)) pod.lookingSince = undefined;
    if (!found) return;
    const { namespace, addresses } = found.network;
    pod.pid = found.pid;
    pod.namespace = namespace;
    const claim = `${namespace} ${addresses.join()}`;
    if (claim === pod.settled) {
      pod.lookingSince = undefined;
      return;
    }
    pod.busy = true;
    void this.#confirm(uid, pod, claim, found).finally(() => {
      pod.busy = false;
      this.#schedule();
    });
  }

  /** Tells what the node's own interfaces say of a claim; looks again where they do not confirm all of it. */
  async #confirm(uid: string, pod: Watched, claim: string, { network, pid }: Found): Promise<void> {
    const found = await this.#options.findLinks(pid, network.addresses).catch((error: Error) => {
      this.#options.onError(uid, error);
    });
    if (this.#pods.get(uid) !== pod) return;
    const whole = found?.addresses.length === network.addresses.length;
    pod.unsettled = whole ? 0 : pod.unsettled + 1;
    pod.settled = whole ? claim : '';
    if (whole || pod.unsettled > MOST_UNSETTLED) pod.lookingSince = undefined;
    if (!found || textOf(found) === pod.told) return;
    pod.told = textOf(found);
    this.#options.onFound(uid, found);
  }

  /**
   * The network of the oldest process that has left the host's: a container's init is in its cgroup a moment before that, and
   * whatever came later may be in a namespace of the tenant's own. A pod on the host's network is never found: its addresses
   * are the node's, and must not be classified as a sliver's.
   */
  #networkIn(directory: string, { pid: known, namespace }: Watched): Found | undefined {
    const { proc } = this.#options;
    if (known !== undefined) {
      const network = readNetwork(proc, known);
      if (network && network.namespace === namespace) return { network, pid: known };
    }
    const processes = processesOf(directory, MOST_PROCESSES).map((pid) => ({ pid, started: startTime(proc, pid) }));
    for (const { pid } of processes.sort((a, b) => a.started - b.started).slice(0, 8)) {
      const network = readNetwork(proc, pid);
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

function textOf({ addresses, interfaces }: { addresses: readonly string[]; interfaces: readonly string[] }): string {
  return `${interfaces.join()} ${addresses.join()}`;
}
