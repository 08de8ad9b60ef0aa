/** The chart's objects as they would be installed, by helm where there is one, else by our renderer (render/main.go). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { run } from '../cluster/command.ts';
import { CHART, hasHelm, rendererProgram } from './helm.ts';

export type Values = Record<string, unknown>;

/** Any Kubernetes object. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [field: string]: unknown;
}

export interface RenderOptions {
  /** They go over those of values.yaml. */
  values?: Values;
  /** Such as 1.30.0. */
  kubeVersion: string;
  release?: string;
  namespace?: string;
  /** Which engine; helm where there is one unless told. */
  engine?: 'helm' | 'own';
}

export interface Rendered {
  objects: Manifest[];
  /** What NOTES.txt says; empty with helm, which has no way to render it without a cluster. */
  notes: string;
}

export const RELEASE = 'slice-operator';
export const NAMESPACE = 'slice-system';

/** @throws with the path of every value that the schema refuses, or with what the template engine says */
export async function renderChart(options: RenderOptions): Promise<Rendered> {
  const { values = {}, kubeVersion, release = RELEASE, namespace = NAMESPACE } = options;
  const problems = checkValues(values);
  if (problems.length > 0) throw new Error(`values: ${problems.join('; ')}`);
  const engine = options.engine ?? ((await hasHelm()) ? 'helm' : 'own');
  if (engine === 'helm') {
    const argv = ['helm', 'template', release, CHART, '--namespace', namespace, '--kube-version', kubeVersion];
    return { objects: objectsIn(await run([...argv, '--values', '-'], { input: JSON.stringify(values) })), notes: '' };
  }
  const request = { chart: CHART, values, release, namespace, kubeVersion, apiVersions: [] };
  const output = await run([await rendererProgram()], { input: JSON.stringify(request) });
  const { manifests, notes } = JSON.parse(output) as { manifests: { name: string; text: string }[]; notes: string };
  return { objects: manifests.flatMap(({ name, text }) => objectsIn(text, name)), notes };
}

/** What values.schema.json has against these values, as they are after those of values.yaml. */
export function checkValues(values: Values): string[] {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as object;
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strict: true });
  const check = ajv.compile(schema);
  if (check(merge(defaultValues(), values))) return [];
  return (check.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${instancePath || '/'} ${message} ${'additionalProperty' in params ? `(${params.additionalProperty})` : ''}`,
  );
}

export function defaultValues(): Values {
  return parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values;
}

/** As Helm merges: maps by their keys, anything else as a whole; null takes a default away. */
function merge(defaults: Values, over: Values): Values {
  const out = { ...defaults };
  for (const [key, value] of Object.entries(over)) {
    if (value === null) delete out[key];
    else out[key] = isMap(value) && isMap(out[key]) ? merge(out[key], value) : value;
  }
  return out;
}

const isMap = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every object of a text of YAML documents. Twice the same key is an error: the API server would keep one of the two. */
function objectsIn(text: string, name = 'helm'): Manifest[] {
  return parseAllDocuments(text, { uniqueKeys: true }).flatMap((document) => {
    if (document.errors.length > 0) throw new Error(`${name}: ${document.errors[0]!.message}`);
    const value = document.toJS() as Manifest | null;
    return value === null ? [] : [value];
  });
}
