/** openapi.yaml, by which requests are judged: what is documented and what is done can't differ. */
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';

interface Body {
  content: { 'application/json': { schema: { $ref: string } } };
}

interface OpenApi {
  paths: Record<string, { post?: { requestBody: Body | { $ref: string } } }>;
  components: { requestBodies: Record<string, Body> };
}

/** As it is answered to slivers. */
export const OPENAPI_TEXT = readFileSync(new URL('openapi.yaml', import.meta.url), 'utf8');

const DOCUMENT = parse(OPENAPI_TEXT) as OpenApi;
const ID = 'openapi';
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const MAX_WRONG = 3;

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addFormat('date-time', (text: string) => DATE_TIME.test(text) && Number.isFinite(Date.parse(text)));
ajv.addFormat('uuid', true);
ajv.addSchema(DOCUMENT, ID);
const compiled = new Map<string, ValidateFunction>();

/** What is wrong with the body of a POST to a path as openapi.yaml has it; undefined where nothing is. */
export function validateBody(path: string, value: unknown): string | undefined {
  let validate = compiled.get(path);
  if (!validate) compiled.set(path, (validate = ajv.compile({ $ref: ID + schemaOf(path) })));
  if (validate(value)) return undefined;
  const wrong = (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const extra = (params as { additionalProperty?: unknown }).additionalProperty;
    // never what somebody wrote without a bound
    const which = typeof extra === 'string' ? `: ${JSON.stringify(extra.slice(0, 40))}` : '';
    return `${instancePath.slice(1).replaceAll('/', '.') || 'the body'} ${message}${which}`;
  });
  return wrong.slice(0, MAX_WRONG).join('; ');
}

/** Every body is one of the document's own schemas. */
function schemaOf(path: string): string {
  const given = DOCUMENT.paths[path]!.post!.requestBody;
  const body = '$ref' in given ? DOCUMENT.components.requestBodies[given.$ref.split('/').pop()!]! : given;
  return body.content['application/json'].schema.$ref;
}
