/** One line of JSON an event: a constant message in the past tense, everything that varies in fields. */
import { pino, type Logger } from 'pino';

export type Log = Logger;

export function createLog(name: string, level = 'info'): Log {
  return pino({
    name,
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}

/** For tests and programs that print something else. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
