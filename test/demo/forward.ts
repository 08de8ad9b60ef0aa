/** A pod's port on loopback, by `kubectl port-forward`. */
import { spawn } from 'node:child_process';

export interface Forward {
  /** On 127.0.0.1. */
  port: number;
  close(): void;
}

const DEADLINE_MS = 60_000;

/** Resolves when connections are taken; rejects with what kubectl said where it ends before. */
export function forward(kubectl: readonly string[], namespace: string, pod: string, port: number): Promise<Forward> {
  const argv = [...kubectl, 'port-forward', '-n', namespace, `pod/${pod}`, `:${port}`];
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const close = () => void child.kill();
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why: string) => {
      close();
      reject(new Error(`port ${port} of ${namespace}/${pod} could not be forwarded: ${why} ${said}`));
    };
    const deadline = setTimeout(() => fail('it took too long.'), DEADLINE_MS);
    const hear = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-4096);
      const found = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (!found) return;
      clearTimeout(deadline);
      resolve({ port: Number(found), close });
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', (error) => fail(error.message));
    child.on('exit', (code) => fail(`kubectl ended with ${code}.`));
  });
}
