/**
 * The pages of a node as a stranger sees them, in a real browser. DOCS_PICTURES=1 writes the pictures to docs/, else they are
 * in a temporary directory that goes with the run.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hostAddress, nodeAddress, nodeNumber } from '../cluster/config.ts';
import { Browser, type Seen } from './browser.ts';
import { readPicture } from './picture.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, sliceOf, sliversOf, whenReady } from './slices.ts';

const NAMESPACE = 'pages';
const NODE = NODES[0];
const AUDIT_PORT = 33_092;
const SENSOR_PORT = 33_093;
const OWNER = 'noc@lab.example.net';
/** What they send, and who answers for it. */
const SLICES = [
  { name: 'mapper', contact: 'mapper@example.edu', packets: 40, port: 33_434 },
  { name: 'resolver', contact: 'Alice, room 12, phone 555 0100', packets: 12, port: 9_953 },
];

describe('pages of a node, in a browser', () => {
  let browser: Browser;
  let product: Product | undefined;
  let origin: string;
  let stranger: string;
  const scratch = mkdtempSync(join(tmpdir(), 'pictures-'));
  const pictures =
    process.env.DOCS_PICTURES === undefined ? scratch : fileURLToPath(new URL('../../docs', import.meta.url));

  const publish = async (spec: object): Promise<void> => {
    await product!.kubectl('patch', 'slicenode', NODE, '--type=merge', '-p', JSON.stringify({ spec }));
  };

  before(async () => {
    browser = await Browser.start();
    product = await sharedProduct();
    stranger = hostAddress(product.cluster.index);
    origin = `http://${nodeAddress(product.cluster.index, nodeNumber(NODE))}`;
    await freshNamespace(product, NAMESPACE);
    const description = 'It belongs to the networking lab of Example University and takes part in measurements.';
    await publish({
      audit: { page: { port: AUDIT_PORT, contact: OWNER, description } },
      sensors: { page: { port: SENSOR_PORT } },
    });
    for (const { name, contact, packets, port } of SLICES) {
      const slice = sliceOf(product, NAMESPACE, name, { contact });
      await product.apply(slice);
      await whenReady(product, slice);
      for (const { pod } of await sliversOf(product, slice)) {
        const send = `for i in $(seq ${packets}); do echo x > /dev/udp/${stranger}/${port}; done`;
        await product.kubectl('exec', '-n', NAMESPACE, pod.metadata.name, '--', 'bash', '-c', send);
      }
    }
    const shows = async (url: string, text: string): Promise<boolean> => {
      const answer = await fetch(url, { headers: { accept: 'text/html' }, signal: AbortSignal.timeout(30_000) });
      return answer.ok && (await answer.text()).includes(text);
    };
    const all = [`${origin}:${AUDIT_PORT}/`, ...SLICES.map(({ name }) => `${NAMESPACE}/${name}`)] as const;
    await product.until(
      'the pages to be there, with all that was sent',
      async () => {
        const found = all.slice(1).map((text) => shows(all[0], text).catch(() => false));
        const sensors = shows(`${origin}:${SENSOR_PORT}/`, 'Sensors of').catch(() => false);
        return (await Promise.all([...found, sensors])).every(Boolean);
      },
      240_000,
    );
  });
  after(async () => {
    rmSync(scratch, { recursive: true });
    await browser?.close();
    if (!product) return;
    await publish({ audit: null, sensors: { page: null } });
    await dropNamespace(product, NAMESPACE);
  });

  /** Opens it, keeps the picture, and looks whether it is as it is meant to be. */
  async function look(url: string, name: string, width: number, height: number): Promise<Seen> {
    const seen = await browser.open(url, { width, height });
    writeFileSync(join(pictures, `${name}.png`), seen.picture);
    assert.equal(seen.status, 200, url);
    assertStyled(seen);
    assert.ok(seen.overhang <= 0, `${url} is ${seen.overhang} pixels wider than a window of ${width}`);
    const picture = readPicture(seen.picture);
    assert.deepEqual([picture.width, picture.height], [width, height]);
    assert.ok(picture.drawn > 0.02, `${url}: ${(picture.drawn * 100).toFixed(1)} % of the picture is drawn`);
    return seen;
  }

  it('show who sent what, on a screen and on a phone', async () => {
    for (const [name, width] of [
      ['audit-page', 960],
      ['audit-phone', 500],
    ] as const) {
      const { text } = await look(`${origin}:${AUDIT_PORT}/`, name, width, 800);
      for (const slice of SLICES) assert.ok(text.includes(slice.name) && text.includes(slice.contact), slice.name);
      assert.ok(text.includes(OWNER));
    }
  });

  it('show what was sent to an address', async () => {
    const { text } = await look(`${origin}:${AUDIT_PORT}/destination/${stranger}`, 'audit-destination', 1100, 760);
    for (const { name, port } of SLICES) {
      assert.ok(text.includes(`${NAMESPACE}/${name}`) && text.includes(`${stranger}:${port}`), name);
    }
  });

  it('show which sensors there are', async () => {
    const { text } = await look(`${origin}:${SENSOR_PORT}/`, 'sensors', 1000, 1500);
    for (const name of ['/load', '/bandwidth', '/topology']) assert.ok(text.includes(name), name);
  });

  it('would be seen to have no style where their policy forbade it', async () => {
    const server = createServer((_request, response) => {
      const policy = "default-src 'none'; style-src 'sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='";
      response.setHeader('content-security-policy', policy);
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><style>body{max-width:10rem}</style><p>bare');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const seen = await browser.open(`http://127.0.0.1:${port}/`, { width: 300, height: 200 });
    server.close();
    assert.throws(() => assertStyled(seen), /Refused|violates|Security Policy/i);
    assert.ok(readPicture(seen.picture).drawn < 0.02);
  });
});

function assertStyled({ complaints, styleRules, style }: Seen): void {
  // an icon is asked for by browsers of themselves; a header for pages behind HTTPS says nothing to one without
  assert.deepEqual(
    complaints.filter((text) => !/favicon|404|Cross-Origin-Opener-Policy header has been ignored/.test(text)),
    [],
  );
  assert.ok(styleRules > 5, `${styleRules} rules of style`);
  assert.match(style.maxWidth, /^\d+px$/);
  assert.match(style.font, /system-ui/);
}
