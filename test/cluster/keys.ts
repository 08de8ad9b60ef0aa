/** Who may speak to whom: the cluster's certificate authority, certificates, tokens and kubeconfigs. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import {
  adminKubeconfig,
  API_SERVICE_ADDRESS,
  apiServerUrl,
  controlAddress,
  MAX_NODES,
  nodeName,
  pkiDir,
  type Cluster,
} from './config.ts';

const VALID_DAYS = '30';

export const kubeconfigOf = (cluster: Cluster, who: string): string => join(pkiDir(cluster), `${who}.kubeconfig`);

/** A kubeconfig (JSON is YAML) for the holder of a token. */
export function renderKubeconfig(server: string, authority: Buffer, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'cluster', cluster: { server, 'certificate-authority-data': authority.toString('base64') } }],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'cluster', context: { cluster: 'cluster', user: 'user' } }],
    'current-context': 'cluster',
  });
}

async function createKey(file: string): Promise<void> {
  await run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file]);
}

async function createAuthority(pki: string): Promise<void> {
  await createKey(`${pki}/ca.key`);
  await run([
    'openssl',
    'req',
    '-x509',
    '-new',
    '-key',
    `${pki}/ca.key`,
    '-subj',
    '/CN=slice-operator test cluster',
    '-days',
    VALID_DAYS,
    '-out',
    `${pki}/ca.crt`,
  ]);
}

/** A key and a certificate for it, signed by the cluster's authority. */
async function createCertificate(pki: string, name: string, subject: string, extension: string): Promise<void> {
  const file = `${pki}/${name}`;
  await createKey(`${file}.key`);
  writeFileSync(`${file}.ext`, `${extension}\n`);
  await run(['openssl', 'req', '-new', '-key', `${file}.key`, '-subj', subject, '-out', `${file}.csr`]);
  await run([
    'openssl',
    'x509',
    '-req',
    '-in',
    `${file}.csr`,
    '-CA',
    `${pki}/ca.crt`,
    '-CAkey',
    `${pki}/ca.key`,
    '-set_serial',
    `0x${randomBytes(8).toString('hex')}`,
    '-days',
    VALID_DAYS,
    '-extfile',
    `${file}.ext`,
    '-out',
    `${file}.crt`,
  ]);
}

/** A kubeconfig for a user and group, known to the API server by a token; only before the API server starts. */
function createUser(cluster: Cluster, file: string, user: string, group: string): void {
  const token = randomBytes(16).toString('hex');
  appendFileSync(join(pkiDir(cluster), 'tokens.csv'), `${token},${user},${user},"${group}"\n`, { mode: 0o600 });
  const authority = readFileSync(join(pkiDir(cluster), 'ca.crt'));
  writeFileSync(file, renderKubeconfig(apiServerUrl(cluster.index), authority, token), { mode: 0o600 });
}

/** Makes everything once; a cluster that is brought up again keeps its keys. */
export async function createKeys(cluster: Cluster): Promise<void> {
  const pki = pkiDir(cluster);
  const complete = join(pki, 'complete');
  if (existsSync(complete)) return;
  mkdirSync(pki, { recursive: true, mode: 0o700 });
  writeFileSync(join(pki, 'tokens.csv'), '', { mode: 0o600 });
  await createAuthority(pki);
  const names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'].map(
    (name) => `DNS:${name}`,
  );
  const addresses = ['127.0.0.1', controlAddress(cluster.index), API_SERVICE_ADDRESS].map((address) => `IP:${address}`);
  await Promise.all([
    createCertificate(pki, 'apiserver', '/CN=kube-apiserver', `subjectAltName=${[...names, ...addresses].join(',')}`),
    createCertificate(
      pki,
      'kubelet-client',
      '/O=system:masters/CN=kube-apiserver-kubelet-client',
      'extendedKeyUsage=clientAuth',
    ),
    run(['openssl', 'genrsa', '-out', `${pki}/service-accounts.key`, '2048']),
  ]);
  createUser(cluster, adminKubeconfig(cluster), 'admin', 'system:masters');
  for (const component of ['kube-controller-manager', 'kube-scheduler', 'kube-proxy']) {
    createUser(cluster, kubeconfigOf(cluster, component), `system:${component}`, '');
  }
  for (let n = 1; n <= MAX_NODES; n++) {
    createUser(cluster, kubeconfigOf(cluster, nodeName(n)), `system:node:${nodeName(n)}`, 'system:nodes');
  }
  writeFileSync(complete, '');
}
