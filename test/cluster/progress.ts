/** Lines that say what takes how long, so that nobody wonders whether it still runs. */

const HEARTBEAT_MS = 15_000;

const begun = performance.now();
const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);

/** One line: seconds since the program's start, and what happened. */
export function say(text: string): void {
  console.error(`${seconds(begun).padStart(6)} s  ${text}`);
}

/** Runs a step that may take long: says so now and then, and when it is done. */
export async function step<T>(what: string, action: () => Promise<T>): Promise<T> {
  const since = performance.now();
  const heartbeat = setInterval(() => say(`${what}: still at it after ${seconds(since)} s`), HEARTBEAT_MS);
  try {
    const result = await action();
    say(`${what} (${seconds(since)} s)`);
    return result;
  } catch (error) {
    say(`${what}: FAILED after ${seconds(since)} s`);
    throw error;
  } finally {
    clearInterval(heartbeat);
  }
}

/** Asks every `everyMs` until the answer is yes; throws with `describe()` when the time is over. */
export async function until(
  what: string,
  timeoutMs: number,
  question: () => Promise<boolean> | boolean,
  describe: () => string = () => '',
  everyMs = 100,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await question())) {
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${timeoutMs / 1000} s${describe() === '' ? '' : `\n${describe()}`}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
