/** The product on a real cluster of two nodes, brought up once for all end-to-end tests of a run and taken away after it. */
import { after, before } from 'mocha';
import { type Product, startProduct } from './product.ts';

export const NODES = ['node1', 'node2'] as const;

let running: Promise<Product> | undefined;

/** The product of this run; the first caller starts it. */
export function sharedProduct(): Promise<Product> {
  return (running ??= startProduct({ name: 'e2e', nodes: NODES.length }));
}

// Registered at the root of the run by whichever spec imports this first. Where the product does not come up, that is the one
// failure of the run, and not one of each spec.
before(async () => {
  await sharedProduct();
});

after(async function () {
  this.timeout(300_000);
  // KEEP=1: the cluster stays for the next run, which then starts in seconds
  const product = await running?.catch(() => undefined);
  await (process.env.KEEP === undefined ? product?.close() : product?.client.close());
});
