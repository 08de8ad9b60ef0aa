/** Expressions of admission policies, tried without an API server that has them. */
import { runInNewContext } from 'node:vm';

/** What CEL makes of it, where it reads nearly as our own language does. */
export function evaluate(expression: string, context: Record<string, unknown>): unknown {
  const script = expression
    .replace(/has\(([\w.]+)\)/g, '($1 !== undefined)')
    .replace(/([\w.]+) in (\[[^\]]*\])/g, '$2.includes($1)')
    .replace(/size\(([\w.]+)\)/g, '$1.length');
  return runInNewContext(script, context);
}
