/** What a condition of a slice says, and words that several of them have. */
import type { Condition } from '../../../crds/conditions.ts';
import type { Observed } from './observe.ts';

/** Verdict of one condition; the reason is one of SliceReason. */
export interface Verdict {
  status: Condition['status'];
  reason: string;
  message: string;
}

export function no(reason: string, message: string): Verdict {
  return { status: 'False', reason, message };
}

export function yes(reason: string, message: string): Verdict {
  return { status: 'True', reason, message };
}

export function sayLost({ node, lost }: Observed): string {
  return `${node} ${lost}; its sliver keeps its right`;
}
