/** The broker's process with an API server that has nothing: what it does every so often. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ApiClient } from '../../../../kube/client.ts';
import type { Log } from '../../../../kube/log.ts';
import { silentLog } from '../../../../kube/log.ts';
import type { SettingsState } from '../../../../operator/brokers/tickets/following.ts';
import { privateText } from '../../../../operator/brokers/tickets/key.ts';
import { serveBroker } from '../../../../operator/brokers/tickets/serve.ts';
import { BROKER, SITE } from './tickets.ts';

const GOOD = { issuers: [{ name: 'site', key: SITE.publicKey, nodes: ['node1'], resources: { cpu: { shares: 5 } } }] };

describe('a broker of tickets whose settings change under it', () => {
  const dir = mkdtempSync(join(tmpdir(), 'slice-tickets-serve-'));
  const [keyFile, settingsFile] = [join(dir, 'private'), join(dir, 'settings.yaml')];
  const ending = new AbortController();
  const errors: string[] = [];
  let now = Date.parse('2026-11-01T00:00:00Z');
  const sweeps: number[] = [];
  let done: Promise<void>;
  let url: string;

  before(async () => {
    writeFileSync(keyFile, privateText(BROKER));
    write(stringify(GOOD));
    const request = (_method: string, path: string) => {
      if (path.endsWith('/configmaps')) sweeps.push(now);
      return Promise.resolve({ items: [], metadata: {} });
    };
    const log = { ...silentLog(), info: () => {}, error: (_: object, text: string) => errors.push(text) };
    const broker = await serveBroker({
      ...{ client: { request } as unknown as ApiClient, namespace: 'tickets', keyFile, settingsFile, port: 0 },
      ...{ host: '127.0.0.1', log: log as unknown as Log, signal: ending.signal, now: () => now, sweepMs: 5 },
    });
    ({ done } = broker);
    url = `http://127.0.0.1:${broker.port}`;
  });
  after(async () => {
    ending.abort();
    await done;
    rmSync(dir, { recursive: true, force: true });
  });

  /** At once, as a ConfigMap is mounted. */
  function write(text: string): void {
    writeFileSync(join(dir, 'next'), text);
    renameSync(join(dir, 'next'), settingsFile);
  }

  async function told(is: (state: SettingsState) => boolean): Promise<SettingsState> {
    for (;;) {
      const { settings } = (await (await fetch(url)).json()) as { settings: SettingsState };
      if (is(settings)) return settings;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  it('says when they were read', async () => {
    assert.deepEqual(await told(() => true), { readAt: '2026-11-01T00:00:00Z' });
    now += 60_000;
    await told(({ readAt }) => readAt === '2026-11-01T00:01:00Z');
  });

  it('says what is wrong with them and since when, keeps the old ones, and sweeps on', async () => {
    now += 60_000;
    await told(({ readAt }) => readAt === '2026-11-01T00:02:00Z');
    write(stringify({ ...GOOD, revokd: [SITE.publicKey] }));
    const state = await told(({ problem }) => problem !== undefined);
    assert.deepEqual(state, {
      readAt: '2026-11-01T00:02:00Z',
      problem: 'the settings may not have "revokd"',
      since: '2026-11-01T00:02:00Z',
    });
    now += 60_000;
    await told(() => sweeps.filter((at) => at === now).length > 2);
    assert.deepEqual(await told(() => true), state, 'since it began');
    assert.deepEqual([...new Set(errors)], ["the settings can't be read: those of 2026-11-01T00:02:00Z hold"]);
  });

  it('tells nobody what is in the file', async () => {
    write('issuers: [secret\nrevoked: }');
    const { problem } = await told((one) => !one.problem?.includes('revokd'));
    assert.match(problem!, /^no YAML: /);
    assert.doesNotMatch(problem!, /secret/);
    rmSync(settingsFile);
    await told((one) => one.problem === "the file can't be read: ENOENT");
  });

  it('takes the mended ones', async () => {
    write(stringify({ ...GOOD, revoked: [SITE.publicKey] }));
    const state = await told(({ problem }) => problem === undefined);
    assert.deepEqual(state, { readAt: '2026-11-01T00:03:00Z' });
  });
});
