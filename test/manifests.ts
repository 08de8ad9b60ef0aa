/** The manifests that people are shown: the examples, and those in the documentation. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { API_VERSION } from '../crds/names.ts';
import { CRD_FILES, readCrd, type Schema, schemaOf } from '../crds/schemas.ts';
import { describe as say, type Kinds, validate } from '../crds/validate.ts';
import type { KubeObject } from '../kube/resources.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const EXAMPLES = `${ROOT}/examples`;
export const EXAMPLE_FILES = globSync('**/*.yaml', { cwd: EXAMPLES }).toSorted();

export type Ours = Kinds[keyof Kinds];

/** Of a documentation page. */
export interface Shown {
  /** The page, and which of its blocks of YAML it is, from 1. */
  place: string;
  text: string;
}

const PAGES = ['README.md', ...globSync('docs/*.md', { cwd: ROOT })].toSorted();

/** Every block of YAML in the documentation. */
export const SHOWN: readonly Shown[] = PAGES.flatMap((page) => {
  const blocks = readFileSync(`${ROOT}/${page}`, 'utf8').matchAll(/^```yaml\n([^]*?)^```$/gm);
  return [...blocks].map(([, text], index) => ({ place: `${page} ${index + 1}`, text: text! }));
});

/** What parts of a manifest are parts of, by place; undefined: of none that is applied. */
const PARTS: Readonly<Record<string, ((part: { spec: object }) => object) | undefined>> = {
  'docs/overrides.md 1': ({ spec }) => sliceOf(spec),
  'docs/owners.md 2': ({ spec }) => ({ apiVersion: API_VERSION, kind: 'SliceNode', metadata: { name: 'part' }, spec }),
  'docs/raw-sockets.md 1': (part) => sliceOf(part),
  // values of the chart
  'docs/sites.md 1': undefined,
};

function sliceOf(spec: object): object {
  const sliver = { image: 'debian:bookworm-slim' };
  return {
    apiVersion: API_VERSION,
    kind: 'Slice',
    metadata: { name: 'part' },
    spec: { contact: 'you@example.org', sliver, ...spec },
  };
}

/** What the block has of manifests: its parts made whole. */
export function manifestsOf({ place, text }: Shown): KubeObject[] {
  if (!Object.hasOwn(PARTS, place)) return manifestsIn(text, place);
  return [PARTS[place]?.(parse(text) as never) ?? []].flat() as KubeObject[];
}

/** `where` is named where one is none. */
export function manifestsIn(text: string, where: string): KubeObject[] {
  const documents = parseAllDocuments(text.replaceAll('namespace: TENANT', 'namespace: tenant'), { uniqueKeys: true });
  return documents.map((document) => {
    assert.deepEqual(document.errors, [], where);
    const object = document.toJS() as KubeObject | null;
    assert.ok(object?.apiVersion && object.kind && object.metadata?.name, `${where} is no manifest, and not in PARTS`);
    return object;
  });
}

export function isOurs(object: KubeObject): object is Ours {
  return object.apiVersion === API_VERSION;
}

/** What an API server with all rules, and one that knows every field, would say; '' where it takes it. */
export function problemsOf(object: Ours): string {
  const unknown = unknownFields(object, SCHEMAS.get(object.kind)!, '');
  return unknown.length > 0 ? `there is no ${unknown.join(', ')}` : say(validate(object));
}

const SCHEMAS = new Map(
  CRD_FILES.map((file) => {
    const crd = readCrd(file);
    return [crd.spec.names.kind, schemaOf(crd)] as const;
  }),
);

/** Paths of what a server would take out without a word. */
function unknownFields(value: unknown, schema: Schema, path: string): string[] {
  if (path === '.metadata' || typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one) => unknownFields(one, schema.items ?? {}, `${path}[]`));
  return Object.entries(value).flatMap(([name, one]) => {
    const next = schema.properties?.[name] ?? schema.additionalProperties;
    return next ? unknownFields(one, next, `${path}.${name}`) : [`${path}.${name}`];
  });
}

/** The paths that a value has, as `spec.resources.ports[].port`. */
export function pathsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((one) => pathsOf(one, `${path}[]`))];
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, one]) => pathsOf(one, `${path}.${name}`))];
}
