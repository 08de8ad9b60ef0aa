/**
 * A socket of one kind in each sliver's directory, for as long as the sliver may have it: which socket a connection came by
 * says whose sliver asks. What is spoken on it, and by what server, its user decides.
 */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { EnforcerReport, Problem, Sliver } from '../sliver.ts';
import { Bucket } from './bucket.ts';
import { descriptorOf } from './connection.ts';
import { Listener } from './listener.ts';
import { podOfPeer } from './peer.ts';

export interface SliverSocketsOptions<T> {
  /** The socket's name in the sliver's directory, which the sliver sees at /run/slice. */
  name: string;
  /** A sliver's directory, by its pod's uid. */
  directoryOf(uid: string): string;
  bounds: {
    /** Of one sliver at a time, and of all together. */
    connections: number;
    connectionsInAll: number;
    /** Of one sliver; beyond it connections wait in the kernel. */
    connects: { perSecond: number; burst: number };
  };
  /** What is kept for a sliver from when its socket is there; ms of the clock that only grows. */
  begin(now: number): T;
  /** A connection of a sliver's own. */
  onConnection(socket: Socket): void;
  /** One that may not be: it must be ended. `uid` is that of the pod whose socket it is. */
  onTurnedAway(socket: Socket, uid: string, turned: TurnedAway): void;
  /** The socket is gone, and its connections with it. */
  onEnd?(kept: T): void;
  /** Tests that have no pods say here who connects. */
  podOf?: ((connection: number) => string | undefined) | undefined;
}

/** `by`: the uid of the pod that came to another's socket; undefined where it is of none, or gone. */
export type TurnedAway = { why: 'NotYours'; by: string | undefined } | { why: 'Full' };

interface Served<T> {
  listener: Listener;
  connections: Set<Socket>;
  connects: Bucket;
  kept: T;
}

export class SliverSockets<T> {
  readonly #options: SliverSocketsOptions<T>;
  readonly #served = new Map<string, Served<T>>();
  readonly #uids = new WeakMap<Socket, string>();
  #slivers: ReadonlyMap<string, Sliver> = new Map();
  #inAll = 0;

  constructor(options: SliverSocketsOptions<T>) {
    this.#options = options;
  }

  /** The uid of the pod whose socket it came by; undefined where it came by none, or was let go. */
  uidOf(socket: Socket): string | undefined {
    return this.#uids.get(socket);
  }

  sliver(uid: string): Sliver | undefined {
    return this.#slivers.get(uid);
  }

  /** undefined where the sliver has no socket. */
  kept(uid: string): T | undefined {
    return this.#served.get(uid)?.kept;
  }

  /** From now on it is somebody else's: it takes no place of those who ask, and is not ended here. */
  letGo(socket: Socket): void {
    this.#leave(socket);
    this.#uids.delete(socket);
  }

  /** Makes the sockets of those who may have one, and ends the others. */
  enforce(slivers: readonly Sliver[], mayHave: (sliver: Sliver) => boolean): EnforcerReport {
    const { directoryOf, name } = this.#options;
    const problems: Problem[] = [];
    let writes = 0;
    this.#slivers = new Map(slivers.map((sliver) => [sliver.id, sliver]));
    for (const uid of this.#served.keys()) {
      const sliver = this.#slivers.get(uid);
      // its directory may have been taken away and made anew
      if (sliver && mayHave(sliver) && existsSync(join(directoryOf(uid), name))) continue;
      this.#end(uid);
      writes++;
    }
    for (const sliver of slivers) {
      if (!mayHave(sliver) || this.#served.has(sliver.id)) continue;
      try {
        this.#serve(sliver.id);
        writes++;
      } catch (error) {
        problems.push({ sliver: sliver.id, reason: 'SocketNotServed', message: (error as Error).message });
      }
    }
    return { writes, problems };
  }

  close(): void {
    for (const uid of [...this.#served.keys()]) this.#end(uid);
  }

  #serve(uid: string): void {
    const { directoryOf, name, bounds, begin } = this.#options;
    const directory = directoryOf(uid);
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
    const now = performance.now();
    this.#served.set(uid, {
      listener: new Listener(join(directory, name), (socket) => this.#accept(uid, socket)),
      connections: new Set(),
      connects: new Bucket(bounds.connects.perSecond, bounds.connects.burst, now),
      kept: begin(now),
    });
  }

  #accept(uid: string, socket: Socket): void {
    const { bounds, onConnection, onTurnedAway, podOf = podOfPeer } = this.#options;
    const own = this.#served.get(uid);
    if (!own) {
      socket.destroy();
      return;
    }
    const { connections, connects, listener } = own;
    const wait = connects.take(performance.now());
    if (wait > 0) listener.rest(wait);
    const by = podOf(descriptorOf(socket));
    if (by !== uid) {
      onTurnedAway(socket, uid, { why: 'NotYours', by });
      return;
    }
    // however many others have, one is to be had by everybody
    const isCrowded = this.#inAll >= bounds.connectionsInAll && connections.size > 0;
    if (connections.size >= bounds.connections || isCrowded) {
      onTurnedAway(socket, uid, { why: 'Full' });
      return;
    }
    connections.add(socket);
    this.#inAll++;
    this.#uids.set(socket, uid);
    socket.once('close', () => this.#leave(socket, connections));
    onConnection(socket);
    socket.resume();
  }

  #leave(socket: Socket, connections = this.#served.get(this.#uids.get(socket) ?? '')?.connections): void {
    if (connections?.delete(socket)) this.#inAll--;
  }

  #end(uid: string): void {
    const { listener, connections, kept } = this.#served.get(uid)!;
    this.#served.delete(uid);
    listener.close();
    for (const socket of connections) socket.destroy();
    this.#options.onEnd?.(kept);
  }
}
