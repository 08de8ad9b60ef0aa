/** One call to a local API, as a sliver makes it. */
import { request } from 'node:http';

export interface Told {
  status: number;
  text: string;
  /** The JSON in it; undefined where there is none. */
  body: unknown;
  /** Of a refusal. */
  code: string | undefined;
}

export function call(socketPath: string, method: string, path: string, body?: object | string): Promise<Told> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.once('error', reject);
      response.once('end', () => {
        const isJson = response.headers['content-type'] === 'application/json';
        const parsed = isJson ? (JSON.parse(text) as { code?: string }) : undefined;
        resolve({ status: response.statusCode!, text, body: parsed, code: parsed?.code });
      });
    });
    asked.once('error', reject);
    asked.end(typeof body === 'object' ? JSON.stringify(body) : body);
  });
}
