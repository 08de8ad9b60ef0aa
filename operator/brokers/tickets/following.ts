/** The settings as they are in their file: read again and again, and those that were read last hold for as long as it can't be. */
import { readFile } from 'node:fs/promises';
import type { Log } from '../../../kube/log.ts';
import { formatSeconds } from './claim.ts';
import { Refusal } from './refusal.ts';
import { readSettings, type Settings } from './settings.ts';
import { cut } from '../../../crds/text.ts';

/** What everybody is told of the settings; times RFC 3339. */
export interface SettingsState {
  /** When those that hold were read last. */
  readAt: string;
  /** Why the file can't be read now, and since when. */
  problem?: string;
  since?: string;
}

export interface Following {
  settings(): Settings;
  state(): SettingsState;
  /** Looks at the file again; never rejects. */
  look(): Promise<void>;
}

/** Of a problem, in characters. */
const MAX_PROBLEM = 300;

/** `now` in ms since the epoch. Rejects where the file can't be read now: there is nothing that could hold in its place. */
export async function followSettings(file: string, log: Log, now: () => number): Promise<Following> {
  const read = async () => ({ settings: readSettings(await readFile(file, 'utf8')), readAt: formatSeconds(now()) });
  let held = await read();
  let trouble: { problem: string; since: string } | undefined;
  return {
    settings: () => held.settings,
    state: () => ({ readAt: held.readAt, ...trouble }),
    async look() {
      try {
        held = await read();
        if (trouble) log.info({ file, was: trouble }, 'the settings can be read again');
        trouble = undefined;
      } catch (error) {
        const problem = inWords(error);
        trouble = { problem, since: trouble?.since ?? formatSeconds(now()) };
        const { readAt } = held;
        log.error({ err: error, file, since: trouble.since }, `the settings can't be read: those of ${readAt} hold`);
      }
    },
  };
}

/** Everybody may read it, so it has no line of the file in it: YAML's own words quote one below the first. */
function inWords(error: unknown): string {
  if (!(error instanceof Refusal))
    return `the file can't be read: ${(error as NodeJS.ErrnoException).code ?? 'failed'}`;
  return cut(error.message.split('\n')[0]!, MAX_PROBLEM);
}
