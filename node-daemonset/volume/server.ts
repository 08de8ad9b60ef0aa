/** The CSI node service over a Unix socket. */
import type { Logger } from 'pino';
import { DRIVER } from '../../crds/names.ts';
import { answer, listen, serviceOf, shutDown } from './grpc.ts';
import type { VolumeService } from './publish.ts';
import { startRegistration } from './registration.ts';
import type { PublishMessage, UnpublishMessage } from './request.ts';

export interface VolumeServerOptions {
  service: VolumeService;
  nodeName: string;
  version: string;
  /** The socket as this process and the kubelet both see it. */
  csiSocket: string;
  /** In the directory that the kubelet watches for plugins. */
  registrationSocket: string;
  log: Logger;
  /** After a registration that the kubelet could not finish. Default 1 s, doubled each time. */
  retryMs?: number;
}

export interface VolumeServer {
  close(): Promise<void>;
}

/** Serves; resolves when the kubelet can find it. */
export async function startVolumeServer(options: VolumeServerOptions): Promise<VolumeServer> {
  const { service, nodeName, version, csiSocket, registrationSocket, log, retryMs } = options;
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
  const registration = await startRegistration({ socket: registrationSocket, endpoint: csiSocket, log, retryMs });
  return {
    async close() {
      // The kubelet forgets the driver when its socket goes, so no call is lost to a server that is closing.
      await registration.close();
      await shutDown(csi, csiSocket);
    },
  };
}
