/** One sliver's socket: who may connect, how much, and what becomes of it when the sliver's rights change. */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Sliver } from '../sliver.ts';
import { BOUNDS } from './bounds.ts';
import { Bucket } from './bucket.ts';
import { closeResult, type Connection, descriptorOf, type Result, serveConnection } from './connection.ts';
import { Listener } from './listener.ts';
import { type Opened, Refusal } from './request.ts';
import { mayKeep, planOpen } from './rights.ts';

export interface ServerParts {
  path: string;
  uid: string;
  /** Whose socket it is, as its rights are now; undefined: it is gone. */
  sliver(): Sliver | undefined;
  /** The pod that a connection comes from, by its descriptor. */
  podOf(connection: number): string | undefined;
  /** How many connections all slivers have together; this server counts its own in and out. */
  total: { connections: number };
  /** Opens what the sliver was found to have a right to. */
  open(opened: Opened, sliver: Sliver): Promise<Result>;
  log: Pick<Logger, 'error'>;
}

export class SliverServer {
  readonly #parts: ServerParts;
  readonly #listener: Listener;
  readonly #connections = new Set<Connection>();
  readonly #connects: Bucket;
  readonly #requests: Bucket;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    const now = performance.now();
    this.#connects = new Bucket(BOUNDS.connectsPerSecond, BOUNDS.burst, now);
    this.#requests = new Bucket(BOUNDS.requestsPerSecond, BOUNDS.burst, now);
    this.#listener = new Listener(parts.path, (socket) => this.#accept(socket));
  }

  /** Ends the streams that the sliver has no right to any more. */
  revoke(): void {
    for (const connection of this.#connections) {
      if (connection.streaming && !mayKeep(connection.streaming, this.#parts.sliver())) connection.destroy();
    }
  }

  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(socket: Socket): void {
    const { total, log } = this.#parts;
    const wait = this.#connects.take(performance.now());
    if (wait > 0) this.#listener.rest(wait);
    const refused = this.#refusal(socket);
    total.connections++;
    const connection = serveConnection(socket, {
      throttle: () => this.#requests.take(performance.now()),
      open: async (request) => {
        const sliver = this.#parts.sliver();
        if (!sliver) throw new Refusal('EPERM', 'this sliver has no right on this node now');
        const result = await this.#parts.open(planOpen(request, sliver), sliver);
        if (mayKeep(result.opened, this.#parts.sliver())) return result;
        closeResult(result);
        throw new Refusal('EPERM', 'this sliver lost its right to it meanwhile');
      },
      onClose: () => {
        total.connections--;
        this.#connections.delete(connection);
      },
      log,
    });
    this.#connections.add(connection);
    if (refused) connection.end(refused);
  }

  #refusal(socket: Socket): Refusal | undefined {
    // However many others have, one is to be had by everybody.
    const full = this.#parts.total.connections >= BOUNDS.connectionsInAll && this.#connections.size > 0;
    if (this.#connections.size >= BOUNDS.connections) {
      return new Refusal('EBUSY', `this sliver has ${BOUNDS.connections} connections open: close some`);
    }
    if (full) {
      return new Refusal('EBUSY', 'the slivers of this node have too many connections open: try again');
    }
    if (this.#parts.podOf(descriptorOf(socket)) === this.#parts.uid) return undefined;
    return new Refusal('EPERM', "this is another sliver's socket, or the process that connected is gone");
  }
}
