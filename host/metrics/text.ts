// Metrics in Prometheus's text exposition format, version 0.0.4.

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Label names to values. */
export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** All samples of one name. */
export interface MetricFamily {
  /** With the unit, and `_total` for a counter: https://prometheus.io/docs/practices/naming/. */
  readonly name: string;
  /** One sentence. */
  readonly help: string;
  /** A counter only grows, until the process ends. */
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly Sample[];
}

/** What a scrape is answered with. Names must be valid, and each family's name its own. */
export function renderMetrics(families: Iterable<MetricFamily>): string {
  let text = '';
  for (const { name, help, type, samples } of families) {
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    for (const { labels, value } of samples) text += `${name}${labelSet(labels)} ${numberText(value)}\n`;
  }
  return text;
}

function labelSet(labels: Labels = {}): string {
  const all = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return all.length === 0 ? '' : `{${all.join(',')}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
