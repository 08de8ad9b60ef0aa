/** The address of a sensor, as nodes and the operator have it: `/<sensor>/<argument>...`, each part percent-encoded. */

export type Form = 'csv' | 'json';

export interface SensorPath {
  /** The sensor's name and its arguments; empty: the list of all. */
  parts: string[];
  form: Form;
}

/** What the path's ending asks for, else the Accept header; undefined where the path is no such. */
export function parseSensorPath(path: string, accept: string): SensorPath | undefined {
  let parts: string[];
  try {
    parts = path.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return undefined;
  }
  // `/load/` is `/load`
  if (parts.at(-1) === '') parts.pop();
  if (parts.some((part) => part === '' || /\p{Cc}/u.test(part))) return undefined;
  const last = parts.at(-1) ?? '';
  const ending = /\.(csv|json)$/.exec(last)?.[1] as Form | undefined;
  if (ending) parts[parts.length - 1] = last.slice(0, -ending.length - 1);
  if (parts.at(-1) === '') parts.pop();
  return { parts, form: ending ?? (/\bapplication\/(x-nd)?json\b/.test(accept) ? 'json' : 'csv') };
}

/** With an ending of its own, so that one in the last argument is not taken for it. */
export function formatSensorPath(parts: readonly string[], form: Form): string {
  return parts.length === 0 ? `/.${form}` : `/${parts.map(encodeURIComponent).join('/')}.${form}`;
}
