/** What a node answered, read as what anybody might have sent: a node speaks for itself and in the contract's words. */
import type { FlowAnswer, FlowRow, SliceSum, SumAnswer } from '../../crds/flows.ts';

const TEXTS = ['namespace', 'slice', 'capability', 'contact', 'first', 'last', 'source', 'destination'] as const;
const NUMBERS = ['protocol', 'sourcePort', 'destinationPort', 'tcpFlags', 'packets', 'bytes'] as const;
const KINDS: readonly string[] = ['Flow', 'Overflow', 'Unattributed'];
/** The longest is a contact, of 254 characters of up to 4 bytes. */
const MAX_TEXT = 1_024;
const MAX_NOTES = 10;
const MAX_SUMS = 10_000;

/** Throws where the text is no answer. Fields that the contract does not have are left out. */
export function parseAnswer(
  text: string,
  maxRows: number,
): Pick<FlowAnswer, 'flows' | 'truncated' | 'since' | 'notes'> {
  const value = JSON.parse(text) as Partial<Record<keyof FlowAnswer, unknown>> | null;
  if (typeof value !== 'object' || value === null || !Array.isArray(value.flows)) throw new Error('it is no answer');
  if (value.flows.length > maxRows) throw new Error(`it has ${value.flows.length} rows, not the ${maxRows} asked for`);
  const { truncated, since, notes } = value;
  return {
    flows: value.flows.map(parseRow),
    ...((truncated === 'Rows' || truncated === 'Time') && { truncated }),
    ...(isText(since) && { since }),
    notes: Array.isArray(notes) ? notes.filter(isText).slice(0, MAX_NOTES) : [],
  };
}

/** Throws where the text is no such answer. */
export function parseSums(text: string): Pick<SumAnswer, 'sums' | 'truncated'> {
  const value = JSON.parse(text) as Partial<Record<keyof SumAnswer, unknown>> | null;
  if (typeof value !== 'object' || value === null || !Array.isArray(value.sums)) throw new Error('it is no answer');
  if (value.sums.length > MAX_SUMS) throw new Error(`it has ${value.sums.length} rows, more than ${MAX_SUMS}`);
  return { sums: value.sums.map(parseSum), ...(value.truncated !== undefined && { truncated: 'Rows' as const }) };
}

function parseSum(value: unknown): SliceSum {
  const { since, namespace, slice, packets, bytes } = (value ?? {}) as Record<string, unknown>;
  if (!isText(since) || !isText(namespace) || !isText(slice) || !isCount(packets) || !isCount(bytes)) {
    throw new Error('a row of it makes no sense');
  }
  return { since, namespace, slice, packets, bytes };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function parseRow(value: unknown): FlowRow {
  const row = (value ?? {}) as Record<string, unknown>;
  const isRow =
    typeof row.kind === 'string' &&
    KINDS.includes(row.kind) &&
    TEXTS.every((name) => isText(row[name])) &&
    NUMBERS.every((name) => isCount(row[name]));
  if (!isRow) throw new Error('a row of it makes no sense');
  return Object.fromEntries(['kind', ...TEXTS, ...NUMBERS].map((name) => [name, row[name]])) as unknown as FlowRow;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}
