/** HTTP sensors: a page of a sliver's own server, on a port that its slice owns on this node. */
import { request } from 'node:http';
import type { Sliver } from '../sliver.ts';
import { SourceError } from './source.ts';

export interface HttpWork {
  sliver: Pick<Sliver, 'standing' | 'network' | 'addresses' | 'amounts'>;
  port: number;
  path: string;
  /** What the body has; throws to end it. */
  onOutput(chunk: Buffer): void;
  signal: AbortSignal;
}

/** Where a sliver's server is. Pure. Throws SourceError where the port is not the slice's, or it has no address yet. */
export function targetOf(sliver: HttpWork['sliver'], port: number): { host: string; port: number } {
  const { ports } = sliver.amounts;
  if (sliver.standing !== 'entitled' || !ports.some((one) => one.protocol === 'TCP' && one.port === port)) {
    const message = `TCP port ${port} does not belong to the slice here: ask for it in resources.ports`;
    throw new SourceError('PortNotOwned', message);
  }
  if (sliver.network === 'Host') return { host: '127.0.0.1', port };
  const host = sliver.addresses.find((address) => !address.includes(':')) ?? sliver.addresses[0];
  if (host === undefined) throw new SourceError('Unreachable', 'the address of the sliver is not known yet');
  return { host, port };
}

/** Resolves at the end of the body. Rejects with SourceError, or with what `onOutput` throws. */
export function readHttpSensor({ sliver, port, path, onOutput, signal }: HttpWork): Promise<void> {
  const target = targetOf(sliver, port);
  const where = `http://${target.host.includes(':') ? `[${target.host}]` : target.host}:${port}${path}`;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        ...target,
        path,
        method: 'GET',
        agent: false,
        signal,
        maxHeaderSize: 8_192,
        headers: { accept: 'text/csv, application/json, text/plain', 'user-agent': 'slice-operator-sensors' },
      },
      (response) => {
        const { statusCode = 0 } = response;
        if (statusCode !== 200) {
          const redirect = statusCode >= 300 && statusCode < 400 ? ': redirects are not followed' : '';
          reject(new SourceError('Died', `${where} answered ${statusCode}${redirect}`));
          asked.destroy();
          return;
        }
        response.on('data', (chunk: Buffer) => {
          try {
            onOutput(chunk);
          } catch (error) {
            reject(error);
            asked.destroy();
          }
        });
        response.once('end', resolve);
        response.once('error', (error) => reject(new SourceError('Died', `${where} broke off: ${error.message}`)));
      },
    );
    asked.once('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      reject(new SourceError('Died', `${where} answered ${statusCode}`));
    });
    // whatever else a server thinks of: nobody waits for what has ended
    asked.once('close', () => reject(new SourceError('Died', `${where} ended without an answer`)));
    asked.once('error', (error) => {
      if (signal.aborted && signal.reason instanceof SourceError) reject(signal.reason);
      else reject(new SourceError('Unreachable', `${where}: ${error.message}`));
    });
    asked.end();
  });
}
