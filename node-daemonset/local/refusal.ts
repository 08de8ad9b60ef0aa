/** Why a sliver's request is not answered as it wished, and the HTTP status of each reason. */
import { LocalReason } from '../../crds/localrequest.ts';

export const LocalCode = {
  ...LocalReason,
  /** The socket is another sliver's. */
  NotYours: 'NotYours',
  MethodNotAllowed: 'MethodNotAllowed',
  TooLarge: 'TooLarge',
  TooManyRequests: 'TooManyRequests',
  Failed: 'Failed',
  Busy: 'Busy',
  TimedOut: 'TimedOut',
} as const;
export type LocalCode = (typeof LocalCode)[keyof typeof LocalCode];

export const STATUS: Readonly<Record<LocalCode, number>> = {
  Invalid: 400,
  NotPrivileged: 403,
  PrivilegeNotOffered: 403,
  NotAllowed: 403,
  TooMany: 403,
  NotYours: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NameTaken: 409,
  AlreadyBound: 409,
  TooLarge: 413,
  TooManyRequests: 429,
  Failed: 502,
  Busy: 503,
  TimedOut: 504,
};

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: LocalCode;

  constructor(code: LocalCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Another version of the operator may know other reasons. */
export function codeOf(reason: string): LocalCode {
  return reason in LocalCode ? (reason as LocalCode) : 'Failed';
}
