/** The broker as a process: its settings followed, its books swept, its requests answered, until it is told to end. */
import { readFile } from 'node:fs/promises';
import type { ApiClient } from '../../../kube/client.ts';
import type { Log } from '../../../kube/log.ts';
import { pause } from '../../../kube/pause.ts';
import { createBroker } from './broker.ts';
import { followSettings } from './following.ts';
import { readPrivateKey } from './key.ts';
import { openRights } from './rights.ts';
import { serveTickets } from './server.ts';
import { openShelf } from './shelf.ts';

export interface ServeOptions {
  client: ApiClient;
  /** The broker's own. */
  namespace: string;
  /** Holds the broker's private key. */
  keyFile: string;
  settingsFile: string;
  port: number;
  host?: string | undefined;
  log: Log;
  signal: AbortSignal;
  /** ms since the epoch */
  now?: () => number;
  /** How often books are swept and settings read, in ms. */
  sweepMs?: number;
}

/** Listens when it resolves; `done` when it has ended after the signal. Rejects where key or settings can't be read. */
export async function serveBroker(
  options: ServeOptions,
): Promise<{ port: number; publicKey: string; done: Promise<void> }> {
  const { client, namespace, settingsFile, log, signal, sweepMs = 30_000 } = options;
  const key = readPrivateKey((await readFile(options.keyFile, 'utf8')).trim());
  const { settings, state, look } = await followSettings(settingsFile, log, options.now ?? Date.now);
  const rights = openRights(client, namespace);
  const hasRights = async (issuer: string, until: AbortSignal) => (await rights.list(until, issuer, 1)).length > 0;
  const shelf = openShelf({ client, namespace, hasRights });
  const broker = createBroker({ key, namespace, shelf, rights, settings, log, now: options.now });
  const { port, close } = await serveTickets({ ...options, key, broker, settings: state });
  log.info({ broker: key.publicKey, port, issuers: settings().issuers.length }, 'tickets are redeemed');

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      await look();
      try {
        await broker.sweep(signal);
      } catch (error) {
        if (!signal.aborted) log.error({ err: error }, 'the books could not be swept');
      }
      await pause(sweepMs, signal);
    }
    await close();
  }
  return { port, publicKey: key.publicKey, done: follow() };
}
