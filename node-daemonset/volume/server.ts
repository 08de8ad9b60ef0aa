/** The CSI node service over a Unix socket, and the socket by which the kubelet finds it. */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Logger } from 'pino';
import { DRIVER } from '../../crds/names.ts';
import type { VolumeService } from './publish.ts';
import { Code, type PublishMessage, type UnpublishMessage, VolumeError } from './request.ts';

export interface VolumeServerOptions {
  service: VolumeService;
  nodeName: string;
  version: string;
  /** The socket as this process and the kubelet both see it. */
  csiSocket: string;
  /** In the directory that the kubelet watches for plugins. */
  registrationSocket: string;
  log: Logger;
}

export interface VolumeServer {
  close(): Promise<void>;
}

/** Serves; resolves when the kubelet can find it. Sockets of an earlier run are taken over. */
export async function startVolumeServer(options: VolumeServerOptions): Promise<VolumeServer> {
  const { service, nodeName, version, csiSocket, registrationSocket, log } = options;
  const csi = await listen(csiSocket, [
    [
      serviceOf('csi.proto', 'csi.v1', 'Identity'),
      {
        GetPluginInfo: answer(log, () => ({ name: DRIVER, vendor_version: version })),
        GetPluginCapabilities: answer(log, () => ({})),
        Probe: answer(log, () => ({ ready: { value: true } })),
      },
    ],
    [
      serviceOf('csi.proto', 'csi.v1', 'Node'),
      {
        NodeGetInfo: answer(log, () => ({ node_id: nodeName })),
        NodeGetCapabilities: answer(log, () => ({})),
        NodePublishVolume: answer(log, async (message: PublishMessage) => {
          await service.publish(message);
          log.info({ target: message.target_path }, 'volume published');
          return {};
        }),
        NodeUnpublishVolume: answer(log, async (message: UnpublishMessage) => {
          await service.unpublish(message);
          log.info({ target: message.target_path }, 'volume unpublished');
          return {};
        }),
      },
    ],
  ]);
  const registration = await listen(registrationSocket, [
    [
      serviceOf('pluginregistration.proto', 'pluginregistration', 'Registration'),
      {
        GetInfo: answer(log, () => ({
          type: 'CSIPlugin',
          name: DRIVER,
          endpoint: csiSocket,
          supported_versions: ['1.0.0'],
        })),
        NotifyRegistrationStatus: answer(log, (status: { plugin_registered: boolean; error: string }) => {
          if (status.plugin_registered) log.info('registered with the kubelet');
          else log.error({ error: status.error }, 'the kubelet refused the registration');
          return {};
        }),
      },
    ],
  ]);
  return {
    async close() {
      // The kubelet forgets the driver when its socket goes, so no call is lost to a server that is closing.
      await shutDown(registration, registrationSocket);
      await shutDown(csi, csiSocket);
    },
  };
}

function serviceOf(proto: string, packageName: string, name: string): ServiceClientConstructor['service'] {
  const path = fileURLToPath(new URL(proto, import.meta.url));
  let found: unknown = loadPackageDefinition(loadSync(path, { keepCase: true, defaults: true }));
  for (const part of [...packageName.split('.'), name]) found = (found as Record<string, unknown>)[part];
  return (found as ServiceClientConstructor).service;
}

/** Every error becomes an answer: one that is not ours is logged, as nobody else would see where it came from. */
function answer<Q>(log: Logger, handle: (message: Q) => object | Promise<object>): UntypedHandleCall {
  const reply = async (message: Q): Promise<Parameters<sendUnaryData<object>>> => {
    try {
      return [null, await handle(message)];
    } catch (error) {
      const code = error instanceof VolumeError ? error.code : Code.Internal;
      const text = (error as Error).message.slice(0, 1024);
      if (code === Code.Internal) log.error({ err: error }, 'volume call failed');
      else log.info({ code, reason: text }, 'volume call refused');
      return [{ code, message: text }];
    }
  };
  return ((call: ServerUnaryCall<Q, object>, callback: sendUnaryData<object>) => {
    void (async () => callback(...(await reply(call.request))))();
  }) as UntypedHandleCall;
}

async function listen(
  socket: string,
  services: readonly [ServiceClientConstructor['service'], UntypedServiceImplementation][],
): Promise<Server> {
  mkdirSync(dirname(socket), { recursive: true });
  rmSync(socket, { force: true });
  const server = new Server({ 'grpc.max_receive_message_length': 1024 * 1024 });
  for (const [service, handlers] of services) server.addService(service, handlers);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return server;
}

/** A kubelet may keep a connection open for good. */
const SHUTDOWN_MS = 500;

async function shutDown(server: Server, socket: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, SHUTDOWN_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  rmSync(socket, { force: true });
}
