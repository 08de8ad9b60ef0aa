/** The chart's files for Prometheus and Grafana, as files and as what is in them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CHART } from '../helm.ts';

export interface Rule {
  alert?: string;
  record?: string;
  expr: string;
}

export interface Panel {
  title: string;
  type: string;
  targets?: { expr: string }[];
}

export const RULE_FILES = ['recording', 'alerts'].map((name) => join(CHART, `files/prometheus/${name}.yaml`));
export const DASHBOARD_FILE = join(CHART, 'files/grafana/slices.json');

/**
 * The chart's configuration with these pods in place of a discovery: Debian's Prometheus has none for Kubernetes. What
 * is made of their labels is the chart's.
 */
export function scrapeConfig(pods: readonly { address: string; node: string }[], interval: string): object {
  const file = join(CHART, 'files/prometheus/scrape.yaml');
  const { scrape_configs: jobs } = parse(readFileSync(file, 'utf8')) as { scrape_configs: Record<string, unknown>[] };
  const static_configs = pods.map(({ address, node }) => ({
    targets: [address],
    labels: { __meta_kubernetes_pod_container_port_name: 'health', __meta_kubernetes_pod_node_name: node },
  }));
  return {
    global: { scrape_interval: interval, evaluation_interval: interval },
    // undefined is left out of JSON
    scrape_configs: jobs.map((job) => ({ ...job, kubernetes_sd_configs: undefined, static_configs })),
  };
}

export interface RuleGroup {
  name: string;
  rules: Rule[];
}

export function readGroups(file: string): RuleGroup[] {
  return (parse(readFileSync(file, 'utf8')) as { groups: RuleGroup[] }).groups;
}

export const readRules = (): Rule[] => RULE_FILES.flatMap(readGroups).flatMap(({ rules }) => rules);

export const readPanels = (): Panel[] =>
  (JSON.parse(readFileSync(DASHBOARD_FILE, 'utf8')) as { panels: Panel[] }).panels;

/** A panel's query as Grafana asks it with everything chosen. `interval`: at least four scrapes. */
export function asked(expr: string, interval: string): string {
  return expr.replaceAll('$__rate_interval', interval).replaceAll(/\$(node|namespace|slice)\b/g, '.*');
}

/** Every metric that a query names. */
export function namesIn(expr: string): string[] {
  const bare = expr
    .replaceAll(/"[^"]*"|'[^']*'/g, '')
    .replaceAll(/\{[^}]*\}/g, '{}')
    .replaceAll(/\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  const words = bare.match(/(?<![\w:.])[a-z_:][\w:]*(?!\s*\(|[\w:])/g) ?? [];
  return words.filter((word) => word.includes('_') && !/^(group_left|group_right)$/.test(word));
}
