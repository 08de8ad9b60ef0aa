/**
 * docs/tickets.md as a newcomer types it: each of its commands from a key to a sliver, in order, in one shell. Only what needs a
 * cluster is a stand-in: kubectl takes what is piped into it, and hilltop's broker gives a value that no node knows.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import type { KubeObject } from '../kube/resources.ts';
import type { Listening } from '../kube/listen.ts';
import { silentLog } from '../kube/log.ts';
import { bytesOf, MAX_BOOK } from '../operator/brokers/tickets/books.ts';
import { MAX_DAYS } from '../operator/brokers/tickets/claim.ts';
import { type KeyPair, readPrivateKey } from '../operator/brokers/tickets/key.ts';
import { MOST_REFUSED } from '../operator/brokers/tickets/replays.ts';
import { FRESH_SECONDS, MAX_REQUEST, readRequest } from '../operator/brokers/tickets/request.ts';
import { MOST_ON_NODE } from '../operator/brokers/tickets/room.ts';
import { seal } from '../operator/brokers/tickets/seal.ts';
import { serveTickets } from '../operator/brokers/tickets/server.ts';
import { PATIENCE_MS } from '../operator/brokers/tickets/sweep.ts';
import { MAX_LINKS } from '../operator/brokers/tickets/ticket.ts';
import { TURN_LIMITS, WAITING_EACH } from '../operator/brokers/tickets/turns.ts';
import { redeemed } from './operator/brokers/tickets/redeeming.ts';
import { ANNA, BEN, give, shares, ticketFor } from './operator/brokers/tickets/tickets.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const page = read('docs/tickets.md');
const [preamble = '', walk = ''] = page.split(/^## /m);
const WHERE = 'http://node1:8085';
const VALUE = 'a'.repeat(32);

/** What follows `$ ` in the blocks of a text, with the lines that go on. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/^ *```console\n([^]*?)```/gm)].map(([, block]) => block!);
  return blocks.flatMap((block) => [...block.matchAll(/^ *\$ ((?:.*\\\n)*.*)$/gm)].map(([, command]) => command!));
}

/** How the command is had here, without the installation. */
function setup(): string {
  const [block = ''] = [...preamble.matchAll(/```sh\n([^]*?)```/g)].map(([, one]) => one!);
  const lines = block.split('\n').filter((line) => !line.startsWith('npm '));
  assert.ok(lines.some((line) => line.startsWith('alias tickets=')));
  return lines.join('\n');
}

describe('docs/tickets.md, typed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'slice-docs-tickets-'));
  const keys = new Map<string, KeyPair>();
  let server: Listening | undefined;

  before(() => {
    for (const name of ['operator', 'crds', 'kube', 'examples', 'node_modules'])
      symlinkSync(join(ROOT, name), join(dir, name));
    mkdirSync(join(dir, 'bin'));
    mkdirSync(join(dir, 'applied'));
    const kubectl = '#!/bin/sh\ncase "$*" in *"-f -"*) cat > "$HOME/applied/$$";; esac\n';
    for (const [name, text] of [
      ['kubectl', kubectl],
      ['curl', '#!/bin/sh\n'],
    ] as const) {
      writeFileSync(join(dir, 'bin', name), text);
      chmodSync(join(dir, 'bin', name), 0o755);
    }
  });
  after(async () => {
    await server?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Ends at the first that fails. */
  function type(commands: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
    const script = ['set -eu -o pipefail', 'shopt -s expand_aliases', setup(), 'PATH=$HOME/bin:$PATH', ...commands];
    // as whoever has an older Node finds it
    const env = { HOME: dir, PATH: '/usr/local/bin:/usr/bin:/bin', EDITOR: 'true' };
    const child = spawn('bash', ['-c', script.join('\n')], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
  }

  const keyIn = (text: string) =>
    readPrivateKey((parse(text) as { stringData: { private: string } }).stringData.private);
  const commands = commandsIn(walk);
  const at = (start: string) => commands.findIndex((command) => command.startsWith(start));
  const [issue, redeem] = [at('BROKER='), at('tickets redeem')];

  it('has keys, a broker, a ticket, a part of it and a right', () => {
    const own = commands.filter((command) => command.startsWith('tickets ')).map((command) => command.split(' ')[1]);
    const four = ['keygen', 'keygen', 'keygen', 'keygen'];
    assert.deepEqual(own, [...four, 'issue', 'delegate', 'show', 'redeem']);
    assert.ok(issue > 0 && redeem > issue);
  });

  it('makes keys that nobody else can read, and the broker’s objects with the image that was pushed', async () => {
    const { code, out, err } = await type(commands.slice(0, issue));
    assert.equal(code, 0, err);
    for (const name of ['riverside', 'anna', 'ben']) {
      keys.set(name, keyIn(readFileSync(join(dir, `${name}.yaml`), 'utf8')));
      assert.equal(statSync(join(dir, `${name}.yaml`)).mode & 0o077, 0);
    }
    assert.equal(out.trim(), `public: ${keys.get('riverside')!.publicKey}`);
    const [applied = '', ...more] = readdirSync(join(dir, 'applied'));
    assert.deepEqual(more, []);
    keys.set('broker', keyIn(readFileSync(join(dir, 'applied', applied), 'utf8')));
    const objects = parseAllDocuments(readFileSync(join(dir, 'broker.yaml'), 'utf8')).map(
      (one) => one.toJS() as KubeObject,
    );
    const slice = objects.find(({ kind }) => kind === 'Slice') as unknown as { spec: { sliver: { image: string } } };
    assert.ok(read('docs/install.md').includes(`docker push ${slice.spec.sliver.image}\n`), slice.spec.sliver.image);
  });

  it('issues a ticket, gives a part of it on and shows it', async () => {
    const typed = commands.slice(issue, redeem).map((one) =>
      one.replaceAll(/\b([A-Z]+)=ed25519:\.\.\./g, (_, who: string) => {
        return `${who}=${keys.get(who.toLowerCase())!.publicKey}`;
      }),
    );
    const { code, out, err } = await type(typed);
    assert.equal(code, 0, err);
    const { links } = parse(out) as { links: { holder: string }[] };
    assert.deepEqual(
      links.map(({ holder }) => holder),
      ['anna', 'ben'].map((name) => keys.get(name)!.publicKey),
    );
  });

  it('redeems it at a broker, which tells of itself what the page says', async () => {
    const key = keys.get('broker')!;
    const issuers = new Set([keys.get('riverside')!.publicKey]);
    const answer = (text: string) => {
      const { node, proof, seal: to } = readRequest(text, { broker: key.publicKey, issuers, now: Date.now() });
      const { resources, window } = proof.leaf;
      const said = { node, resources, window, ticket: proof.ids.at(-1)!, right: 'tickets/x' };
      return Promise.resolve({ outcome: 'Redeemed' as const, ...said, value: seal(VALUE, to) });
    };
    server = await serveTickets({
      ...{ port: 0, host: '127.0.0.1', key, signal: new AbortController().signal, log: silentLog() },
      ...{ broker: { redeem: answer }, settings: () => ({ readAt: '2030-01-01T00:00:00Z' }) },
    });
    const url = `http://127.0.0.1:${server.port}`;
    const [told = ''] = /^ *\{"broker":.*\}$/m.exec(walk) ?? [];
    const state = (await (await fetch(url)).json()) as object;
    assert.deepEqual(state, { ...(JSON.parse(told) as object), broker: key.publicKey });
    const { code, err } = await type(commands.slice(redeem).map((one) => one.replace(WHERE, url)));
    assert.equal(code, 0, err);
    const objects = parseAllDocuments(readFileSync(join(dir, 'mine.yaml'), 'utf8')).map(
      (one) => one.toJS() as KubeObject,
    );
    assert.deepEqual(
      objects.map(({ kind }) => kind),
      ['Secret', 'ResourceCapability'],
    );
    assert.equal((objects[0] as unknown as { stringData: { value: string } }).stringData.value, VALUE);
  });

  it('has the image for docker that install.md builds, and its file where the Dockerfile puts it', () => {
    const [, image = '', file = ''] = /alias tickets='docker run .* (\S+) (\S+)'/.exec(preamble) ?? [];
    assert.ok(read('docs/install.md').includes(`docker build -t ${image} .`), image);
    const [, home = ''] = /^WORKDIR (\S+)\n(?:COPY .*\n)*COPY operator operator$/m.exec(read('Dockerfile')) ?? [];
    assert.equal(file, `${home}/operator/brokers/tickets/main.ts`);
  });
});

describe('docs/tickets.md, its figures', () => {
  const { atOnce, perSecond, burst, inAll } = TURN_LIMITS;
  const [entry] = redeemed([give(ticketFor(), ANNA, BEN, { resources: shares(40) }), BEN]).entries;
  for (const figure of [
    `at most ${MAX_LINKS} links`,
    `at most ${MAX_DAYS} days`,
    `at most ${MAX_REQUEST / 1024} KiB`,
    `holds ${MAX_BOOK / 1000} KB`,
    `${Math.floor(MAX_BOOK / bytesOf(entry!) / 100) * 100} tickets of two links`,
    `${MOST_ON_NODE} entries a node`,
    `for ${PATIENCE_MS / 60_000} minutes is given up`,
    `fresh for ${FRESH_SECONDS / 60} minutes`,
    `more than ${FRESH_SECONDS / 60} minutes away`,
    `at most ${MOST_REFUSED} of an issuer's`,
    `${atOnce} at a time and ${perSecond} a second, and ${burst} in a row`,
    `all ${inAll} places`,
    `and ${WAITING_EACH} wait for it`,
  ]) {
    it(`has ${figure}`, () => assert.ok(page.includes(figure)));
  }
});

describe('the examples of brokers', () => {
  const [, from = '', to = ''] = /'s#([^#]+)#([^#]+)#'/.exec(page) ?? [];
  for (const [example, docs] of [
    ['examples/queue.yaml', 'docs/brokers.md'],
    ['examples/tickets/broker.yaml', 'docs/tickets.md'],
  ] as const) {
    it(`${example} has the image that ${docs} says how to replace by the one of docs/install.md`, () => {
      assert.ok(read(example).includes(`image: ${from} `));
      assert.ok(read(docs).includes(`sed 's#${from}#${to}#' ${example} `));
      assert.ok(read('docs/install.md').includes(`\`${from}\``));
    });
  }
});
