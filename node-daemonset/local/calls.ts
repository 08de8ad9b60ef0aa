/** What a sliver calls, read from one HTTP request by what openapi.yaml says of it. */
import { LOCAL_NAME, OWN_RIGHT } from '../../crds/localrequest.ts';
import type { Rspec, Window } from '../../crds/types.ts';
import { validateBody } from './openapi.ts';
import { Refusal } from './refusal.ts';

/** The body of acquire and of split. */
export interface Wanted {
  name: string;
  resources?: Rspec;
  window?: Window;
  contact?: string;
  slice?: string;
}

export type Call =
  | { operation: 'Document' }
  | { operation: 'List' }
  | { operation: 'Get'; name: string }
  | { operation: 'Acquire'; wanted: Wanted }
  | { operation: 'Split'; name: string; wanted: Wanted }
  | { operation: 'Bind'; name: string; slice: string }
  | { operation: 'Release'; name: string };

export type Operation = Call['operation'];

/** A path's methods, and what they do; {name} is a right. */
const ROUTES: readonly [pattern: RegExp, path: string, methods: Readonly<Record<string, Operation>>][] = [
  [/^\/openapi\.yaml$/, '/openapi.yaml', { GET: 'Document' }],
  [/^\/v1\/capabilities$/, '/v1/capabilities', { GET: 'List', POST: 'Acquire' }],
  [/^\/v1\/capabilities\/([^/]*)$/, '/v1/capabilities/{name}', { GET: 'Get', DELETE: 'Release' }],
  [/^\/v1\/capabilities\/([^/]*)\/split$/, '/v1/capabilities/{name}/split', { POST: 'Split' }],
  [/^\/v1\/capabilities\/([^/]*)\/bind$/, '/v1/capabilities/{name}/bind', { POST: 'Bind' }],
];

export interface Route {
  operation: Operation;
  /** As in openapi.yaml. */
  path: string;
  /** The right in the path; '' where there is none. */
  name: string;
  hasBody: boolean;
}

/** Names of rcaps, and those that slivers give. */
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Before the body is read. Throws Refusal. */
export function routeOf(method: string, url: string): Route {
  for (const [pattern, path, methods] of ROUTES) {
    const match = pattern.exec(url);
    if (!match) continue;
    const operation = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (!operation) throw new Refusal('MethodNotAllowed', `this path knows ${Object.keys(methods).join(', ')}`);
    const name = match[1] ?? '';
    if (match[1] !== undefined && !NAME.test(name))
      throw new Refusal('NotFound', 'the path names what can be no right');
    return { operation, path, name, hasBody: method === 'POST' };
  }
  throw new Refusal('NotFound', 'there is no such path: see /openapi.yaml');
}

/** The call with its body. Throws Refusal. */
export function callOf({ operation, path, name }: Route, body: string): Call {
  switch (operation) {
    case 'Document':
    case 'List':
      return { operation };
    case 'Get':
    case 'Release':
      return { operation, name };
    case 'Acquire':
      return { operation, wanted: wantedIn(path, body) };
    case 'Split':
      return { operation, name, wanted: wantedIn(path, body) };
    case 'Bind':
    default:
      return { operation, name, slice: (parse(path, body) as { slice: string }).slice };
  }
}

function wantedIn(path: string, body: string): Wanted {
  const wanted = parse(path, body) as Wanted;
  if (!LOCAL_NAME.test(wanted.name) || wanted.name === OWN_RIGHT) {
    throw new Refusal('Invalid', `name must not be ${OWN_RIGHT}, which is the sliver's own right`);
  }
  return wanted;
}

function parse(path: string, body: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new Refusal('Invalid', 'the body is not JSON');
  }
  const wrong = validateBody(path, value);
  if (wrong !== undefined) throw new Refusal('Invalid', wrong);
  return value;
}
