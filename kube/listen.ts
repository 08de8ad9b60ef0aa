/** How an HTTP server comes to listen and how it ends: one way for all servers of both processes. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Listening {
  port: number;
  /** Resolves when nothing listens any more; what is under way is cut off. */
  close(): Promise<void>;
}

export interface ListenAt {
  /** 0 takes a free one. */
  port: number;
  /** Without it, every address. */
  host?: string | undefined;
  /** What is asked for, for the error: `port 8081 for health and metrics`. */
  what: string;
}

/** Rejects where it can't be had, saying what and why. */
export async function listen(server: Server, { port, host, what }: ListenAt): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`${what} can't be had: ${error.message}`)));
    server.listen({ port, ...(host && { host }) }, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

/** Also of a server that listens at a socket of its own. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
