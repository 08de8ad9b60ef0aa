/** CSV as RFC 4180 has it: CRLF after each record, quotes where they are needed, doubled inside. */

/**
 * One record. A text that a spreadsheet would take for a formula gets an apostrophe in front: what is shown here was
 * written by others, and a table opens in programs that compute.
 */
export function csvRecord(cells: readonly (string | number)[]): string {
  return `${cells.map(cell).join(',')}\r\n`;
}

function cell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
