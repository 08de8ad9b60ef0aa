/** openapi.yaml against the server: every path and method that it has, every answer that it promises, and none besides. */
import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { LocalRefused } from '../../../crds/localrequest.ts';
import { readCrd, schemaOf } from '../../../crds/schemas.ts';
import { OPENAPI_TEXT } from '../../../node-daemonset/local/openapi.ts';
import { LocalCode, STATUS } from '../../../node-daemonset/local/refusal.ts';
import type { Told } from './call.ts';
import { createWorld, type World } from './world.ts';

type Json = Record<string, unknown>;
interface Response {
  $ref?: string;
  content?: Record<string, { schema: Json }>;
}
const document = parse(OPENAPI_TEXT) as {
  openapi: string;
  info: { description: string };
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, Response> }>>;
  components: { schemas: Record<string, Json>; responses: Record<string, Response> };
};
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addFormat('date-time', (text: string) => Number.isFinite(Date.parse(text)));
ajv.addSchema(document, 'api');

const METHODS = ['get', 'post', 'delete', 'put', 'patch', 'head', 'options'];
const WANTED = {
  name: 'lab',
  resources: { cpu: { shares: 20 }, memory: '64Mi' },
  window: { end: '2099-01-01T00:00:00Z' },
};
const BODIES: Record<string, object> = {
  acquire: WANTED,
  split: { name: 'part', resources: { cpu: { shares: 5 }, memory: '1Mi' }, window: WANTED.window },
  bind: { slice: 'course' },
};
/** In an order in which each can be done. */
const ORDER = ['document', 'acquire', 'list', 'get', 'split', 'bind', 'release'];

describe('openapi.yaml of the local API', () => {
  let world: World;
  before(() => void (world = createWorld()));
  after(() => world.close());

  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, of]) => ({ path, method, ...of })),
  );
  const fill = (path: string): string => path.replace('{name}', 'lab');

  /** That the answer is one of those that the document has for the operation. */
  function conforms(told: Told, responses: Record<string, Response>): void {
    const { $ref, ...own } = responses[String(told.status)] ?? responses['default']!;
    const { content } = $ref ? document.components.responses[$ref.split('/').pop()!]! : own;
    if (!content) {
      assert.equal(told.text, '');
      return;
    }
    const json = content['application/json'];
    if (!json) return;
    const ref = json.schema['$ref'] as string;
    const validate = ajv.compile({ $ref: `api${ref}` });
    assert.ok(validate(told.body), `${told.text} ${JSON.stringify(validate.errors)}`);
    assert.equal(told.code !== undefined, ref.endsWith('/Refusal'), told.text);
  }

  it('is OpenAPI 3.1 with these operations', () => {
    assert.match(document.openapi, /^3\.1\./);
    assert.deepEqual(operations.map(({ operationId }) => operationId).toSorted(), ORDER.toSorted());
  });

  it('says which operations on rights it has not, and by which fields they are done instead', () => {
    const { description } = document.info;
    assert.match(description, /Not offered are renew, transfer \(and redeem\) and suspend/);
    const offered = new Set(['contact', 'from', 'nodeName', 'sliceName']);
    const { spec } = schemaOf(readCrd('resourcecapability.yaml')).properties! as { spec: { properties: object } };
    for (const field of Object.keys(spec.properties)) {
      if (!offered.has(field)) assert.ok(description.includes(`spec.${field}`), field);
    }
  });

  for (const id of ORDER) {
    it(`${id} answers as it says`, async () => {
      const { path, method, responses } = operations.find(({ operationId }) => operationId === id)!;
      const told = await world.ask('broker', method.toUpperCase(), fill(path), BODIES[id]);
      assert.ok(told.status < 300 && String(told.status) in responses, `${told.status} ${told.text}`);
      conforms(told, responses);
      if (id === 'document') assert.equal(told.text, OPENAPI_TEXT);
      const refused = await world.ask('plain', method.toUpperCase(), fill(path), BODIES[id]);
      assert.equal(refused.code, 'NotPrivileged');
      conforms(refused, responses);
    });
  }

  for (const [path, methods] of Object.entries(document.paths)) {
    it(`${path} knows no other method`, async () => {
      for (const method of METHODS.filter((one) => !(one in methods) && one !== 'head')) {
        const told = await world.ask('broker', method.toUpperCase(), fill(path));
        assert.deepEqual([told.status, told.code], [405, 'MethodNotAllowed'], method);
        conforms(told, Object.values(methods).find(({ responses }) => responses)!.responses);
      }
    });
  }

  it('says each code, with its status', () => {
    const { code } = document.components.schemas['Refusal']!['properties'] as Record<string, Json>;
    assert.deepEqual((code!['enum'] as string[]).toSorted(), Object.values(LocalCode).toSorted());
    // "403 NotPrivileged: ...; PrivilegeNotOffered: ... . 404 NotFound."
    const told = new Map<string, number>();
    let status = 0;
    for (const [word] of String(code!['description']).matchAll(/\b\d{3}\b|\b[A-Z][A-Za-z]+\b/g)) {
      if (/^\d/.test(word)) status = Number(word);
      else if (word in LocalCode) told.set(word, status);
    }
    assert.deepEqual(Object.fromEntries([...told].toSorted()), Object.fromEntries(Object.entries(STATUS).toSorted()));
  });

  it('has the operator’s refusals, and those of versions to come', async () => {
    const { responses } = operations.find(({ operationId }) => operationId === 'acquire')!;
    for (const [reason, status, code] of [
      ['TooMany', 403, 'TooMany'],
      ['NameTaken', 409, 'NameTaken'],
      ['SomethingNew', 502, 'Failed'],
    ] as const) {
      world.refuse = new LocalRefused(reason as 'TooMany', 'because');
      const told = await world.ask('broker', 'POST', '/v1/capabilities', { name: 'no' });
      assert.deepEqual([told.status, told.code], [status, code]);
      conforms(told, responses);
    }
    world.refuse = undefined;
  });

  it('asks for the resources that a ResourceCapability has', () => {
    const crd = schemaOf(readCrd('resourcecapability.yaml')).properties!.spec!.properties!;
    const { Rspec, Window } = document.components.schemas;
    assert.deepEqual(bare(resolve(Rspec!)), bare(crd.resources as unknown as Json));
    assert.deepEqual(bare(resolve(Window!)), bare(crd.window as unknown as Json));
  });

  /** With every reference replaced. */
  function resolve(schema: unknown): unknown {
    if (Array.isArray(schema)) return schema.map(resolve);
    if (typeof schema !== 'object' || schema === null) return schema;
    const { $ref, ...rest } = schema as Json & { $ref?: string };
    const target = $ref ? document.components.schemas[$ref.split('/').pop()!]! : {};
    return Object.fromEntries(Object.entries({ ...target, ...rest }).map(([key, value]) => [key, resolve(value)]));
  }

  /** What a schema demands, in one way of saying it. */
  function bare(schema: unknown, isProperties = false): unknown {
    if (Array.isArray(schema)) return schema;
    if (typeof schema !== 'object' || schema === null) return schema;
    const entries = Object.entries(schema as Json).filter(
      ([key]) => isProperties || (!/^(title|description|additionalProperties)$/.test(key) && !key.startsWith('x-')),
    );
    const kept = Object.fromEntries(entries.map(([key, value]) => [key, bare(value, key === 'properties')]));
    if (!isProperties && (schema as Json)['x-kubernetes-int-or-string']) kept['type'] = ['integer', 'string'];
    return kept;
  }
});
