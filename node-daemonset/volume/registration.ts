/** The socket by which a kubelet finds the volume service, and asks for it again until it has been found. */
import type { Server } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { DRIVER } from '../../crds/names.ts';
import { answer, listen, serviceOf, shutDown } from './grpc.ts';

export interface RegistrationOptions {
  /** In the directory that the kubelet watches for plugins. */
  socket: string;
  /** The socket of the CSI service. */
  endpoint: string;
  log: Logger;
  retryMs?: number;
}

const MAX_RETRY_MS = 30_000;

/**
 * A kubelet that could not finish a registration, as when it can't reach the API server, does not try again by itself:
 * only a new socket makes it. Without that no sliver would start on this node until one of the two is restarted.
 */
export async function startRegistration(options: RegistrationOptions): Promise<{ close(): Promise<void> }> {
  const { socket, endpoint, log, retryMs = 1000 } = options;
  let server: Server | undefined;
  let failures = 0;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const begin = async (): Promise<void> => {
    server = await listen(socket, [
      [
        serviceOf('pluginregistration.proto', 'pluginregistration', 'Registration'),
        {
          GetInfo: answer(log, () => ({ type: 'CSIPlugin', name: DRIVER, endpoint, supported_versions: ['1.0.0'] })),
          NotifyRegistrationStatus: answer(log, (status: { plugin_registered: boolean; error: string }) => {
            if (status.plugin_registered) {
              failures = 0;
              log.info('registered with the kubelet');
            } else {
              log.error({ error: status.error }, 'registration failed in the kubelet');
              retry();
            }
            return {};
          }),
        },
      ],
    ]);
  };
  const retry = (): void => {
    clearTimeout(timer);
    const wait = Math.min(MAX_RETRY_MS, retryMs * 2 ** Math.min(failures++, 10));
    timer = setTimeout(() => void again(), wait);
  };
  const again = async (): Promise<void> => {
    try {
      if (server) await shutDown(server, socket);
      if (!closed) await begin();
    } catch (error) {
      log.error({ err: error }, 'registration socket could not be made');
      if (!closed) retry();
    }
  };

  await begin();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      if (server) await shutDown(server, socket);
    },
  };
}
