/** What a node answered, read as what anybody might have sent: a node speaks for itself and in the contract's words. */
import type { FlowAnswer, FlowRow } from '../../crds/flows.ts';

const TEXTS = ['namespace', 'slice', 'capability', 'contact', 'first', 'last', 'source', 'destination'] as const;
const NUMBERS = ['protocol', 'sourcePort', 'destinationPort', 'tcpFlags', 'packets', 'bytes'] as const;
const KINDS: readonly string[] = ['Flow', 'Overflow', 'Unattributed'];
/** The longest is a contact, of 254 characters of up to 4 bytes. */
const MAX_TEXT = 1_024;
const MAX_NOTES = 10;

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

function parseRow(value: unknown): FlowRow {
  const row = (value ?? {}) as Record<string, unknown>;
  const isRow =
    typeof row.kind === 'string' &&
    KINDS.includes(row.kind) &&
    TEXTS.every((name) => isText(row[name])) &&
    NUMBERS.every((name) => typeof row[name] === 'number' && Number.isFinite(row[name]) && row[name] >= 0);
  if (!isRow) throw new Error('a row of it makes no sense');
  return Object.fromEntries(['kind', ...TEXTS, ...NUMBERS].map((name) => [name, row[name]])) as unknown as FlowRow;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}
