/** The product on a real cluster of two nodes, brought up once for all end-to-end tests of a run and taken away after it. */
import { after } from 'mocha';
import { type Product, startProduct } from './product.ts';

export const NODES = ['node1', 'node2'] as const;

let running: Promise<Product> | undefined;

/** The product of this run; the first caller starts it. */
export function sharedProduct(): Promise<Product> {
  return (running ??= startProduct({ name: 'e2e', nodes: NODES.length }));
}

// registered at the root of the run by whichever spec imports this first
after(async function () {
  this.timeout(120_000);
  // KEEP=1: the cluster stays for the next run, which then starts in seconds
  if (running && process.env.KEEP === undefined) await (await running).close();
  else if (running) await (await running).client.close();
});
