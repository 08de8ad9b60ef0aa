/** Prometheus's text format, for families of which one scrape makes thousands of samples: written straight from what was read. */

/** A label set as text, braces included; '' where there are none. Made once for all samples that share it. */
export type Labels = string;

export interface Family {
  /** Letters, digits, underscores. */
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  samples: readonly (readonly [Labels, number])[];
}

/** `{a="1",b="2"}`. Values may hold any text. */
export function labels(of: Readonly<Record<string, string>>): Labels {
  const parts = Object.entries(of).map(([name, value]) => `${name}="${escape(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

/** The same with more of them. */
export function withLabels(base: Labels, more: Readonly<Record<string, string>>): Labels {
  const added = labels(more);
  if (base === '' || added === '') return base || added;
  return `${base.slice(0, -1)},${added.slice(1)}`;
}

/** Families without samples are left out. */
export function exposition(families: Iterable<Family>): string {
  const lines: string[] = [];
  for (const { name, help, type, samples } of families) {
    if (samples.length === 0) continue;
    lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`);
    for (const [set, value] of samples) lines.push(`${name}${set} ${format(value)}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function escape(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value;
}

function format(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
