/** How an HTTP server comes to listen and how it ends: one way for all servers of both processes. */
import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';

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

/**
 * At a Unix socket, whose directory is made where it is not there, and which is made anew where it is.
 * @param group who may connect besides our own user; undefined: nobody
 */
export async function listenAtSocket(server: Server, path: string, group: number | undefined): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  if (group !== undefined) await chown(path, 0, group);
  await chmod(path, 0o660);
}

/** Also of a server that listens at a socket of its own. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
