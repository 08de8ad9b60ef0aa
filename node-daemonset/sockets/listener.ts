/** The listening end of a sliver's socket, which can rest: connections then wait in the kernel and cost nothing here. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { AF_UNIX, bindSocket, closeSocket, duplicate, listenSocket, openSocket, SOCK_STREAM } from './libc.ts';

/** Connections that may wait; more are refused by the kernel. */
const BACKLOG = 16;

export class Listener {
  readonly #path: string;
  readonly #onConnection: (connection: Socket) => void;
  /** Stays open while the server on its duplicate comes and goes. */
  readonly #fd: number;
  #server: Server | undefined;
  #resting: NodeJS.Timeout | undefined;

  /** Takes over a path that an earlier run left. Anybody who reaches it may connect. */
  constructor(path: string, onConnection: (connection: Socket) => void) {
    this.#path = path;
    this.#onConnection = onConnection;
    const name = Buffer.from(path);
    if (name.length > 107) throw new Error(`${path} is too long for a socket`);
    const address = Buffer.alloc(110);
    address.writeUInt16LE(AF_UNIX, 0);
    name.copy(address, 2);
    rmSync(path, { force: true });
    this.#fd = openSocket(AF_UNIX, SOCK_STREAM, 0);
    bindSocket(this.#fd, address);
    chmodSync(path, 0o666);
    listenSocket(this.#fd, BACKLOG);
    this.#listen();
  }

  /** Accepts nothing for so many ms. */
  rest(ms: number): void {
    if (this.#resting || !this.#server) return;
    this.#server.close();
    this.#server = undefined;
    this.#resting = setTimeout(() => {
      this.#resting = undefined;
      this.#listen();
    }, ms);
  }

  close(): void {
    clearTimeout(this.#resting);
    this.#server?.close();
    this.#server = undefined;
    closeSocket(this.#fd);
    rmSync(this.#path, { force: true });
  }

  #listen(): void {
    const server = createServer({ pauseOnConnect: true }, this.#onConnection);
    // a connection that was gone again before it was accepted
    server.on('error', () => undefined);
    server.listen({ fd: duplicate(this.#fd), backlog: BACKLOG });
    this.#server = server;
  }
}
