/**
 * Writes crds/types.ts from the CRDs, and the policy of a SliceNode into that of a SliceNodePolicy: `node crds/generate.ts`; with
 * `--check` it only compares, and exits 1 where what is checked in differs. The `title` of a schema becomes the name of its type.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { parse } from 'yaml';
import { CRD_FILES, readCrd, schemaOf, type Schema } from './schemas.ts';

const TARGET = new URL('types.ts', import.meta.url);

const BANNER = `/* Generated from crds/*.yaml by crds/generate.ts; edit those. */
import type { ObjectMeta } from './meta.ts';
`;

/**
 * json-schema-to-typescript numbers two types of one name; so equal schemas become one definition, unequal ones an error.
 * A reference carries nothing but itself: with a description beside it, it would count as another type.
 */
function toJsonSchema(schema: Schema, definitions: Map<string, { source: Schema; result: JSONSchema }>): JSONSchema {
  const { properties, items, additionalProperties, title, ...rest } = schema;
  const known = title === undefined ? undefined : definitions.get(title);
  if (known) {
    const { description: _, ...source } = known.source;
    const { description: __, ...again } = schema;
    if (!isDeepStrictEqual(source, again))
      throw new Error(`two different schemas have the title ${title}: run node crds/generate.ts, or name one anew`);
    return { $ref: `#/definitions/${title}` };
  }
  const result: JSONSchema = { ...(title && { title }), description: rest.description };
  if (title) definitions.set(title, { source: schema, result });
  if (rest['x-kubernetes-int-or-string']) return { ...result, type: ['string', 'integer'] };
  Object.assign(result, {
    type: rest.type,
    ...(rest.enum && { enum: rest.enum }),
    ...(rest.required && { required: rest.required }),
  });
  if (properties) {
    result.properties = Object.fromEntries(
      Object.entries(properties).map(([name, one]) => [
        name,
        name === 'metadata'
          ? { tsType: 'ObjectMeta', description: 'Name, namespace, labels and the like.' }
          : toJsonSchema(one, definitions),
      ]),
    );
  }
  if (items) result.items = toJsonSchema(items, definitions);
  result.additionalProperties = additionalProperties ? toJsonSchema(additionalProperties, definitions) : false;
  return title ? { $ref: `#/definitions/${title}` } : result;
}

async function generate(): Promise<string> {
  const definitions = new Map<string, { source: Schema; result: JSONSchema }>();
  const roots = CRD_FILES.map((file) => {
    const schema = structuredClone(schemaOf(readCrd(file)));
    schema.required = ['apiVersion', 'kind', 'metadata', ...(schema.required ?? [])];
    return toJsonSchema(schema, definitions);
  });
  const root = {
    title: 'Contract',
    description: 'The kinds of the API.',
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(roots.map((one, index) => [CRD_FILES[index]!.replace('.yaml', ''), one])),
    definitions: Object.fromEntries([...definitions].map(([name, { result }]) => [name, result])),
  } as JSONSchema;
  return compile(root, 'Contract', {
    bannerComment: BANNER,
    additionalProperties: false,
    unreachableDefinitions: false,
    ignoreMinAndMaxItems: true,
    style: { singleQuote: true, printWidth: 120 },
  });
}

/** A policy for many nodes is written as one for a single node: YAML knows no reference to another file. */
function copyPolicy(): void {
  const target = new URL('slicenodepolicy.yaml', import.meta.url);
  const lines = readFileSync(new URL('slicenode.yaml', import.meta.url), 'utf8').split('\n');
  const policy = lines.slice(lines.indexOf('            spec:') + 1, lines.indexOf('            status:'));
  const before = readFileSync(target, 'utf8');
  const kept = before.replace(/(\n +policy: #[^\n]*\n)[^]*$/, '$1');
  const after = `${kept}${policy.map((line) => (line === '' ? '' : `    ${line}`)).join('\n')}\n`;
  // what only the formatter made of it stays
  if (!isDeepStrictEqual(parse(before), parse(after))) writeFileSync(target, after);
}

if (!process.argv.includes('--check')) copyPolicy();
const generated = await generate();
if (!process.argv.includes('--check')) writeFileSync(TARGET, generated);
else if (readFileSync(TARGET, 'utf8') !== generated) {
  console.error('crds/types.ts is not what crds/*.yaml says: run `node crds/generate.ts` and commit it');
  process.exitCode = 1;
}
