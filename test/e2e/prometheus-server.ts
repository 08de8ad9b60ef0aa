/** Debian's Prometheus over a cluster, with the chart's own configuration, rules and all. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RULE_FILES, scrapeConfig } from '../chart/prometheus/queries.ts';
import { ensurePackages } from '../cluster/packages.ts';
import { until } from '../cluster/progress.ts';

/** One sample of an answer. */
export interface Sample {
  metric: Record<string, string>;
  value: number;
}

export class PrometheusServer {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #origin: string;

  private constructor(child: ChildProcess, directory: string, origin: string) {
    this.#child = child;
    this.#directory = directory;
    this.#origin = origin;
  }

  static async start(pods: readonly { address: string; node: string }[], interval: string): Promise<PrometheusServer> {
    await ensurePackages(['prometheus']);
    const directory = mkdtempSync(join(tmpdir(), 'prometheus-'));
    const config = join(directory, 'prometheus.yaml');
    writeFileSync(config, JSON.stringify({ ...scrapeConfig(pods, interval), rule_files: RULE_FILES }));
    const address = `127.0.0.1:${await freePort()}`;
    const argv = [`--config.file=${config}`, `--storage.tsdb.path=${join(directory, 'data')}`];
    const options = [`--web.listen-address=${address}`, '--log.level=error'];
    const child = spawn('prometheus', [...argv, ...options], { stdio: ['ignore', 'inherit', 'inherit'] });
    const server = new PrometheusServer(child, directory, `http://${address}`);
    try {
      await until('Prometheus to be ready', 60_000, () => server.#isReady());
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** What the query says now; samples without a number are left out. */
  async query(expr: string): Promise<Sample[]> {
    const found = await this.#get<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
      `/api/v1/query?query=${encodeURIComponent(expr)}`,
    );
    const samples = found.result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
    return samples.filter(({ value }) => Number.isFinite(value));
  }

  /** What went wrong with rules, by their names. */
  async ruleProblems(): Promise<string[]> {
    const { groups } = await this.#get<{ groups: { rules: { name: string; health: string; lastError?: string }[] }[] }>(
      '/api/v1/rules',
    );
    const rules = groups.flatMap((group) => group.rules);
    if (rules.length === 0) return ['there are none'];
    return rules.flatMap(({ name, health, lastError }) => (health === 'ok' ? [] : [`${name}: ${lastError ?? health}`]));
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#directory, { recursive: true });
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#origin}${path}`, { signal: AbortSignal.timeout(30_000) });
    const { data, error } = (await response.json()) as { data: T; error?: string };
    if (error !== undefined) throw new Error(`${path}: ${error}`);
    return data;
  }

  async #isReady(): Promise<boolean> {
    return await fetch(`${this.#origin}/-/ready`, { signal: AbortSignal.timeout(5_000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
