/** Who we are to the API server: client-node reads kubeconfigs, service accounts and exec plugins; we keep what it says for a while. */
import { readFile } from 'node:fs/promises';
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
  const tokenFile = tokenFileOf(config);
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
      const header = tokenFile ? `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}` : await headerOf(config);
      known = { header, at: performance.now() };
      return header;
    },
    refresh() {
      known = undefined;
    },
  };
}

/** client-node keeps a file's token for 60 s, also after the server has refused it; so we read this file ourselves. */
function tokenFileOf(config: KubeConfig): string | undefined {
  const provider = config.getCurrentUser()?.authProvider as { config?: { tokenFile?: string } } | undefined;
  return provider?.config?.tokenFile;
}

async function headerOf(config: KubeConfig): Promise<string | undefined> {
  const options: RequestOptions = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const headers = options.headers as Record<string, string>;
  return (
    headers['Authorization'] ?? (options.auth ? `Basic ${Buffer.from(options.auth).toString('base64')}` : undefined)
  );
}
