/** Debian's chromium without a window, spoken to by its DevTools protocol over two pipes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { ensurePackages } from '../cluster/packages.ts';

/** What somebody sees who opens a page. */
export interface Seen {
  status: number;
  /** A PNG as large as the window. */
  picture: Buffer;
  /** What a visitor reads. */
  text: string;
  /** Of the page's own sheets, as the browser took them: none where the page's policy forbids them. */
  styleRules: number;
  /** Of the body, as computed. */
  style: { maxWidth: string; font: string };
  /** What the page is wider than the window, in pixels. */
  overhang: number;
  /** What the browser complains of, such as a violation of the page's policy. */
  complaints: string[];
}

interface Message {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

const PATIENCE_MS = 60_000;

/** Evaluated in the page; DevTools may do that whatever the page's policy is. */
const LOOK = `JSON.stringify({
  text: document.body.innerText,
  styleRules: [...document.styleSheets].reduce((sum, sheet) => sum + sheet.cssRules.length, 0),
  style: { maxWidth: getComputedStyle(document.body).maxWidth, font: getComputedStyle(document.body).fontFamily },
  overhang: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})`;

export class Browser {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  #last = 0;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    let rest = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\0');
      rest = parts.pop()!;
      for (const part of parts) this.#take(JSON.parse(part) as Message);
    });
  }

  static async start(): Promise<Browser> {
    await ensurePackages(['browser']);
    const profile = mkdtempSync(join(tmpdir(), 'browser-'));
    // no sandbox: root has none, and what it opens is our own
    const argv = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars'];
    const quiet = ['--disable-background-networking', '--no-first-run', '--no-proxy-server'];
    const options = [...argv, ...quiet, `--user-data-dir=${profile}`, '--remote-debugging-pipe'];
    const child = spawn('chromium', options, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    await once(child, 'spawn');
    return new Browser(child, profile);
  }

  /** Opens a page in a window of this size, in pixels, and looks at it once it is there. */
  async open(url: string, { width, height }: { width: number; height: number }): Promise<Seen> {
    const { targetId } = await this.#ask('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.#ask('Target.attachToTarget', { targetId, flatten: true });
    const ask = (method: string, params: object = {}) => this.#ask(method, params, sessionId as string);
    const complaints: string[] = [];
    let status = 0;
    const isLoaded = Promise.withResolvers<void>();
    const hear = (message: Message): void => {
      if (message.sessionId !== sessionId) return;
      const { entry, response, type } = (message.params ?? {}) as {
        entry?: { text: string; level: string };
        response?: { status: number };
        type?: string;
      };
      if (message.method === 'Log.entryAdded' && entry?.level !== 'info') complaints.push(entry!.text);
      if (message.method === 'Network.responseReceived' && type === 'Document') status = response!.status;
      if (message.method === 'Page.loadEventFired') isLoaded.resolve();
    };
    this.#listeners.add(hear);
    try {
      for (const domain of ['Page', 'Log', 'Network', 'Runtime']) await ask(`${domain}.enable`);
      await ask('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
      const { errorText } = await ask('Page.navigate', { url });
      if (errorText !== undefined) throw new Error(`${url}: ${JSON.stringify(errorText)}`);
      await this.#within(isLoaded.promise, `${url} to be loaded`);
      const { result } = await ask('Runtime.evaluate', { expression: LOOK });
      const seen = JSON.parse((result as { value: string }).value) as Seen;
      const { data } = await ask('Page.captureScreenshot', { format: 'png' });
      return { ...seen, status, picture: Buffer.from(data as string, 'base64'), complaints };
    } finally {
      this.#listeners.delete(hear);
      await this.#ask('Target.closeTarget', { targetId });
    }
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await ended;
    }
    // its helpers may write for a moment more
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }

  async #ask(method: string, params: object, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    const message = { id, method, params, ...(sessionId && { sessionId }) };
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    const { result, error } = await this.#within(answer, `the browser to answer ${method}`);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  #take(message: Message): void {
    if (message.id === undefined) for (const hear of this.#listeners) hear(message);
    else this.#waiting.get(message.id)?.(message);
    if (message.id !== undefined) this.#waiting.delete(message.id);
  }

  async #within<T>(work: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS / 1000} s in vain for ${what}`)), PATIENCE_MS);
    });
    return await Promise.race([work, late]).finally(() => clearTimeout(timer));
  }
}
