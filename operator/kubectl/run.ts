/** kubectl itself does the talking: with its own configuration, credentials and plugins for them. */
import { spawn } from 'node:child_process';

/** Of one answer: a cluster's rcaps can be many. */
const MAX_OUTPUT = 512 * 1024 * 1024;

export class KubectlError extends Error {
  override readonly name = 'KubectlError';
}

export interface Kubectl {
  /** Its output. Rejects with KubectlError in kubectl's own words. */
  read(...argv: string[]): Promise<string>;
  /** On our terminal; resolves with its status. */
  show(...argv: string[]): Promise<number>;
}

export function createKubectl(flags: readonly string[], program = 'kubectl'): Kubectl {
  return {
    read(...argv) {
      const child = spawn(program, [...flags, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
      const out: Buffer[] = [];
      let [size, errors] = [0, ''];
      child.stdout.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_OUTPUT) child.kill();
        else out.push(chunk);
      });
      child.stderr.on('data', (chunk: Buffer) => (errors = `${errors}${chunk.toString()}`.slice(-4_096)));
      return new Promise((resolve, reject) => {
        child.on('error', (error) => reject(new KubectlError(`${program} can't be started: ${error.message}`)));
        child.on('close', (code) => {
          if (code === 0) resolve(Buffer.concat(out).toString());
          else reject(new KubectlError(errors.trim() || `kubectl ${argv.join(' ')} ended with status ${code}`));
        });
      });
    },
    show(...argv) {
      const child = spawn(program, [...flags, ...argv], { stdio: 'inherit' });
      return new Promise((resolve, reject) => {
        child.on('error', (error) => reject(new KubectlError(`${program} can't be started: ${error.message}`)));
        child.on('close', (code) => resolve(code ?? 1));
      });
    },
  };
}
