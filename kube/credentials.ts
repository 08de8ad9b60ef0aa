/** Who we are to the API server: client-node reads kubeconfigs, service accounts and exec plugins; we keep what it says for a while. */
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';

export interface Credentials {
  server: string;
  /** For undici's `connect`; fixed for the life of the process. */
  tls: { ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized?: boolean; servername?: string };
  /** The Authorization header of now, undefined where the client certificate says it all. */
  authorization(): Promise<string | undefined>;
  /** Forget the token: the server has just refused it. */
  refresh(): void;
}

/** A projected token is replaced well before it expires, so what was read a minute ago still holds. */
const TOKEN_TTL_MS = 60_000;

/** From the file given, else as client-node finds it: KUBECONFIG, ~/.kube/config, the pod's service account. */
export async function loadCredentials(kubeconfig?: string): Promise<Credentials> {
  const config = new KubeConfig();
  if (kubeconfig) config.loadFromFile(kubeconfig);
  else config.loadFromDefault();
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`${kubeconfig ?? 'the kubeconfig'} names no current cluster: set its current-context`);

  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const buffer = (value: unknown) => (value === undefined ? undefined : Buffer.from(value as Buffer));
  let known: { header: string | undefined; at: number } | undefined;
  return {
    server: cluster.server.replace(/\/$/, ''),
    tls: {
      ca: buffer(options.ca),
      cert: buffer(options.cert),
      key: buffer(options.key),
      ...(cluster.skipTLSVerify && { rejectUnauthorized: false }),
      ...(cluster.tlsServerName && { servername: cluster.tlsServerName }),
    },
    async authorization() {
      if (known && performance.now() - known.at < TOKEN_TTL_MS) return known.header;
      const fresh: RequestOptions = { headers: {} };
      await config.applyToHTTPSOptions(fresh);
      const headers = fresh.headers as Record<string, string>;
      const header =
        headers['Authorization'] ?? (fresh.auth ? `Basic ${Buffer.from(fresh.auth).toString('base64')}` : undefined);
      known = { header, at: performance.now() };
      return header;
    },
    refresh() {
      known = undefined;
    },
  };
}
