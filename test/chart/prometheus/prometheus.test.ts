/** What Prometheus gets of us: metrics that its own checker accepts, rules that were tried, queries about what there is. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderChart } from '../render.ts';
import { exportedMetrics, exportedNames } from './exported.ts';
import { promtool } from './promtool.ts';
import {
  asked,
  DASHBOARD_FILE,
  namesIn,
  readGroups,
  readPanels,
  readRules,
  RULE_FILES,
  scrapeConfig,
} from './queries.ts';

const TESTS = ['recording', 'alerts'].map((name) => fileURLToPath(new URL(`${name}.test.yaml`, import.meta.url)));

describe('metrics', function () {
  this.timeout(600_000); // a package may have to be installed

  it('pass promtool check metrics', async () => {
    await promtool(['check', 'metrics'], await exportedMetrics());
  });

  it('would not with a name that breaks the rules', async () => {
    await assert.rejects(promtool(['check', 'metrics'], '# TYPE a_total gauge\na_total 1\n'), /a_total/);
  });

  it('are all explained in docs/metrics.md, and no other', async () => {
    const text = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
    const told = new Set([...text.matchAll(/^\| `(slice_[a-z_]+)`/gm)].map(([, name]) => name!));
    const exported = (await exportedMetrics()).matchAll(/^# TYPE (slice_\w+)/gm);
    assert.deepEqual([...told].toSorted(), [...exported].map(([, name]) => name!).toSorted());
  });
});

describe('what is scraped', function () {
  this.timeout(600_000);

  it('passes promtool check config', async () => {
    const targets = [{ address: '192.0.2.1:33081', node: 'node1' }];
    const directory = mkdtempSync(join(tmpdir(), 'scrape-'));
    const file = join(directory, 'prometheus.yaml');
    writeFileSync(file, JSON.stringify({ ...scrapeConfig(targets, '30s'), rule_files: RULE_FILES }));
    assert.match(await promtool(['check', 'config', file]), /is valid prometheus config/);
    rmSync(directory, { recursive: true });
  });
});

describe('rules', function () {
  this.timeout(600_000);

  it('pass promtool check rules', async () => {
    await promtool(['check', 'rules', ...RULE_FILES]);
  });

  it('pass promtool test rules', async () => {
    await promtool(['test', 'rules', ...TESTS]);
  });

  it('have a test each', () => {
    const tests = TESTS.map((file) => readFileSync(file, 'utf8')).join('');
    for (const { alert, record } of readRules()) {
      const pattern = alert
        ? `alertname: ${alert}\n\\s+exp_alerts:\n`
        : `expr: ${record}\\b.*\\s+eval_time: \\S+\\s+exp_samples:\\s*(\\[\\s*\\{|-)`;
      assert.match(tests, new RegExp(pattern), alert ?? record);
    }
  });

  it('are explained in docs/metrics.md', () => {
    const text = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
    for (const { alert, record } of readRules()) assert.match(text, new RegExp(`^\\| \`${alert ?? record}\``, 'm'));
  });

  it('are the same in the PrometheusRule', async () => {
    const { objects } = await renderChart({ kubeVersion: '1.30.0', values: { prometheusRule: { enabled: true } } });
    const rule = objects.find(({ kind }) => kind === 'PrometheusRule') as unknown as { spec: { groups: unknown[] } };
    assert.deepEqual(rule.spec.groups, RULE_FILES.flatMap(readGroups));
  });
});

describe('queries of rules and of the dashboard', () => {
  it('name metrics that there are', async () => {
    const known = await exportedNames();
    for (const { record } of readRules()) if (record) known.add(record);
    const queries = [...readRules(), ...readPanels().flatMap(({ targets = [] }) => targets)].map(({ expr }) => expr);
    assert.ok(queries.length > 30);
    for (const expr of queries) {
      const names = namesIn(asked(expr, '1m'));
      assert.ok(names.length > 0, expr);
      for (const name of names) assert.ok(known.has(name), `${name} in ${expr}`);
    }
  });

  it('are what Prometheus understands', async () => {
    const queries = readPanels().flatMap(({ targets = [] }) => targets.map(({ expr }) => asked(expr, '1m')));
    const rules = queries.map((expr, i) => ({ record: `panel:${i}`, expr }));
    assert.ok(queries.every((expr) => !expr.includes('$')));
    const file = join(mkdtempSync(join(tmpdir(), 'panels-')), 'rules.json');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    await promtool(['check', 'rules', file]);
    rmSync(dirname(file), { recursive: true });
  }).timeout(600_000);

  it('are in the ConfigMap as they are in the file', async () => {
    const { objects } = await renderChart({ kubeVersion: '1.30.0', values: { dashboard: { enabled: true } } });
    const map = objects.find(({ kind }) => kind === 'ConfigMap') as unknown as { data: Record<string, string> };
    assert.deepEqual(JSON.parse(map.data['slices.json']!), JSON.parse(readFileSync(DASHBOARD_FILE, 'utf8')));
  });
});
