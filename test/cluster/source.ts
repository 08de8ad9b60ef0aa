/** Builds Kubernetes from Debian's source package: no registry, no module proxy, no Makefile. */
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { ensurePackages } from './packages.ts';
import { step } from './progress.ts';

const VERSION = 'v1.20.2';
const VERSION_PACKAGES = ['component-base/version', 'client-go/pkg/version'];
const BUILD_DATE = '2021-01-13T00:00:00Z';
const REFLECT2 = 'vendor/github.com/modern-go/reflect2';
const GRPC_CLIENT = 'vendor/google.golang.org/grpc/clientconn.go';
const OPENAPI = 'k8s.io/kubernetes/pkg/generated/openapi';
const BUILD_DEADLINE_MS = 1_800_000;

/** GOPATH mode: what generates the OpenAPI code finds packages by go/build. */
function goEnvironment(work: string): Record<string, string> {
  return {
    GOPATH: join(work, 'gopath'),
    GOCACHE: join(work, 'gocache'),
    GO111MODULE: 'off',
    GOFLAGS: '',
    GOPROXY: 'off',
    GOSUMDB: 'off',
    CGO_ENABLED: '0',
    PATH: `/usr/lib/go/bin:${process.env.PATH}`,
  };
}

const only = (pattern: string): string => {
  const [file] = globSync(pattern);
  if (file === undefined) throw new Error(`no file ${pattern}`);
  return file;
};

/** The source package, through an apt configuration of our own: the machine's need not have deb-src lines. */
async function download(work: string): Promise<string> {
  const pattern = join(work, 'dl/kubernetes_*.orig.tar.gz');
  if (globSync(pattern).length > 0) return only(pattern);
  const parts = join(work, 'apt/parts');
  mkdirSync(parts, { recursive: true });
  mkdirSync(join(work, 'apt/lists/partial'), { recursive: true });
  mkdirSync(join(work, 'dl'), { recursive: true });
  writeFileSync(join(parts, 'source.sources'), sourceEntries(readSources()));
  const options = [
    'Dir::Etc::SourceList=/dev/null',
    `Dir::Etc::SourceParts=${parts}`,
    `Dir::State::Lists=${work}/apt/lists`,
    'APT::Sandbox::User=root',
  ].flatMap((one) => ['-o', one]);
  await run(['apt-get', ...options, '-qq', 'update'], { timeoutMs: 300_000 });
  await run(['apt-get', ...options, '-qq', 'source', '--download-only', 'kubernetes'], {
    cwd: join(work, 'dl'),
    timeoutMs: 600_000,
  });
  return only(pattern);
}

const SOURCES_FILE = '/etc/apt/sources.list.d/debian.sources';
const readSources = (): string =>
  existsSync(SOURCES_FILE)
    ? readFileSync(SOURCES_FILE, 'utf8')
    : 'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n';

/** Pure: the same repositories, for source packages. */
export const sourceEntries = (sources: string): string => sources.replaceAll(/^Types:.*$/gm, 'Types: deb-src');

/** reflect2 1.0.1 crashes a server built by Go 1.18 or later at the first write of a custom resource: take Debian's 1.0.2. */
async function replaceReflect2(work: string, source: string): Promise<void> {
  const name = 'golang-github-modern-go-reflect2-dev';
  await run(['apt-get', '-qq', 'download', name], { cwd: join(work, 'dl'), timeoutMs: 120_000 });
  await run(['dpkg', '-x', only(join(work, `dl/${name}_*.deb`)), join(work, 'reflect2')]);
  for (const file of globSync(join(source, REFLECT2, '*.{go,s}'))) rmSync(file);
  const newer = globSync(join(work, 'reflect2/usr/share/gocode/src/github.com/modern-go/reflect2/*.{go,s}'));
  await run(['cp', ...newer.filter((file) => !file.endsWith('_test.go')), join(source, REFLECT2)]);
}

/**
 * Pure: gRPC before 1.35 sends a Unix socket's path as :authority, which Node's HTTP/2 refuses (PROTOCOL_ERROR), so that no CSI
 * driver written for Node could be called: send localhost, as later ones do.
 */
export function patchAuthority(code: string): string {
  const line = '\t\tcc.authority = cc.parsedTarget.Endpoint\n';
  if (!code.includes(line)) throw new Error(`${GRPC_CLIENT} is not the one that the patch was made for`);
  return code.replace(
    line,
    `${line}\t\tif strings.HasPrefix(cc.authority, "/") {\n\t\t\tcc.authority = "localhost"\n\t\t}\n`,
  );
}

async function unpack(work: string): Promise<string> {
  const source = join(work, 'gopath/src/k8s.io/kubernetes');
  if (existsSync(source)) return source;
  const partial = join(work, 'gopath/src/k8s.io/partial');
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const archive = await step("downloaded Kubernetes' source from Debian", () => download(work));
  await run(['tar', '-xzf', archive, '-C', partial, '--strip-components=1', '--exclude=*/test/e2e*'], {
    timeoutMs: 300_000,
  });
  await replaceReflect2(work, partial);
  writeFileSync(join(partial, GRPC_CLIENT), patchAuthority(readFileSync(join(partial, GRPC_CLIENT), 'utf8')));
  renameSync(partial, source);
  return source;
}

/** The only generated code that is not in the package. */
async function generateOpenApi(work: string, source: string): Promise<void> {
  if (existsSync(join(source, 'pkg/generated/openapi/zz_generated.openapi.go'))) return;
  const env = goEnvironment(work);
  const generator = join(work, 'bin/openapi-gen');
  await run(['go', 'build', '-o', generator, './vendor/k8s.io/kube-openapi/cmd/openapi-gen'], {
    cwd: source,
    env,
    timeoutMs: BUILD_DEADLINE_MS,
  });
  const marked = await run(['grep', '-rlF', '--include=*.go', '+k8s:openapi-gen=', 'staging/src'], { cwd: source });
  const folders = marked
    .trim()
    .split('\n')
    .map((file) => file.slice(0, file.lastIndexOf('/')))
    .filter((folder) => !/code-generator|\/sample-/.test(folder))
    .map((folder) => folder.replace(/^staging\/src/, 'vendor'));
  const packages = [...new Set(['pkg/apis/abac/v0', 'pkg/apis/abac/v1beta1', ...folders])]
    .sort()
    .map((folder) => `k8s.io/kubernetes/${folder}`);
  const header = 'vendor/k8s.io/code-generator/hack/boilerplate.go.txt';
  const argv = [
    generator,
    '--logtostderr',
    '-i',
    packages.join(','),
    '-p',
    OPENAPI,
    '-O',
    'zz_generated.openapi',
    '-h',
    header,
    '-r',
    join(work, 'violations'),
  ];
  await run(argv, { cwd: source, env, timeoutMs: BUILD_DEADLINE_MS });
}

/** Builds the named programs (`kubelet`, ...) into `work`/bin: some four minutes for the API server on two cores, less for each of the others. */
export async function buildKubernetes(work: string, programs: readonly string[]): Promise<void> {
  await ensurePackages(['build']);
  mkdirSync(join(work, 'bin'), { recursive: true });
  const source = await unpack(work);
  await step("generated Kubernetes' OpenAPI code", () => generateOpenApi(work, source));
  const [major, minor] = VERSION.slice(1).split('.');
  const values = {
    gitVersion: VERSION,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    gitCommit: 'debian',
    buildDate: BUILD_DATE,
  };
  const flags = VERSION_PACKAGES.flatMap((where) =>
    Object.entries(values).map(([name, value]) => `-X k8s.io/kubernetes/vendor/k8s.io/${where}.${name}=${value}`),
  );
  for (const program of programs) {
    const built = join(work, 'bin', `${program}.partial`);
    const argv = [
      'go',
      'build',
      '-tags',
      'providerless,dockerless',
      '-ldflags',
      ['-s', '-w', ...flags].join(' '),
      '-o',
      built,
      `./cmd/${program}`,
    ];
    await step(`built ${program}`, () =>
      run(argv, { cwd: source, env: goEnvironment(work), timeoutMs: BUILD_DEADLINE_MS }),
    );
    renameSync(built, join(work, 'bin', program));
  }
}
