/** What can go wrong on the way to the API server, told apart by what the caller has to do about it. */
import { cut } from '../crds/text.ts';

/** As `metav1.Status`, the body of a refusal. */
interface StatusBody {
  reason?: string;
  message?: string;
  code?: number;
  details?: { retryAfterSeconds?: number };
}

/** The API server answered, and the answer is no. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status, for example 409. */
  readonly status: number;
  /** For example `Conflict`, `AlreadyExists`, `NotFound`, `Expired`; '' where the server gave none. */
  readonly reason: string;
  /** What the server asks to wait; undefined where it asks nothing. */
  readonly retryAfterMs: number | undefined;

  constructor(what: string, status: number, body: string, retryAfter?: string | null) {
    const parsed = parseStatus(body);
    const text = parsed.message ?? body;
    super(`${what}: ${status} ${parsed.reason ?? ''}: ${cut(text, 500)}`);
    // an edit that names another uid is invalid to some servers, for the uid is immutable; to the caller it is a conflict
    const namesakes = status === 422 && text.includes('metadata.uid: Invalid value');
    this.status = namesakes ? 409 : status;
    this.reason = namesakes ? 'Conflict' : (parsed.reason ?? '');
    const seconds = Number(retryAfter ?? parsed.details?.retryAfterSeconds ?? Number.NaN);
    this.retryAfterMs = Number.isFinite(seconds) ? Math.min(seconds, 60) * 1000 : undefined;
  }
}

/** The answer is more than is read at a time; a list can be asked for in smaller pages. */
export class TooLargeError extends Error {
  override readonly name = 'TooLargeError';
}

/** This process may not write any more: it is not, or no longer, the leader. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

/** Trying again cannot help until something else changes: counted and reported, not retried. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export function isStatus(error: unknown, ...statuses: number[]): error is ApiError {
  return error instanceof ApiError && statuses.includes(error.status);
}

/** The name already exists: somebody else's object, or ours after an answer that was lost. */
export function isAlreadyExists(error: unknown): boolean {
  return isStatus(error, 409) && error.reason === 'AlreadyExists';
}

/** The uid asked for is not the object's; other conflicts are worth another try. Both wordings occur in one server. */
export function isOtherObject(error: unknown): boolean {
  return isStatus(error, 409) && /UID in (the )?precondition/.test(error.message);
}

/** The resource version is too old to go on from: list again. */
export function isGone(error: unknown): boolean {
  return isStatus(error, 410) || (error instanceof ApiError && error.reason === 'Expired');
}

function parseStatus(body: string): StatusBody {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
