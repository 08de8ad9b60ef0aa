/** Columns as wide as their longest cell. Pure. */

export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => clean(row[i]).length)));
  const line = (row: readonly string[]): string => row.map((cell, i) => clean(cell).padEnd(widths[i]!)).join('   ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}

/** What others wrote must not move the cursor. */
export function clean(text: string | undefined): string {
  return (text ?? '').replace(/\p{Cc}+/gu, ' ');
}

/** The same of a text with lines. */
export function cleanLines(text: string): string {
  return text.split(/\r?\n/).map(clean).join('\n');
}
