/**
 * Text of metrics in the form of OpenMetrics 1.0, which Prometheus asks for. It can carry exemplars: the trace id of a
 * request on the histogram bucket that counted it. Prometheus' older text form has no place for them.
 */

export const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** `sample`: the sample that it belongs to, with its labels as the text has them. `value` is in the unit of the metric. */
export interface Exemplar {
  readonly sample: string;
  readonly traceId: string;
  readonly value: number;
  readonly atEpochMs: number;
}

export const acceptsOpenMetrics = (accept: string | undefined): boolean =>
  accept?.includes('application/openmetrics-text') ?? false;

/** Last line of a page. */
export const OPEN_METRICS_END = '# EOF\n';

/** Converts Prometheus' text form, in which each metric has a HELP line, then a TYPE line, then samples. */
export function openMetricsText(text: string, exemplars: readonly Exemplar[] = []): string {
  return converted(text, bySample(exemplars)) + OPEN_METRICS_END;
}

/** Converts each metric, without `OPEN_METRICS_END`. */
export function openMetricsByName(
  texts: ReadonlyMap<string, string>,
  exemplars: readonly Exemplar[] = [],
): ReadonlyMap<string, string> {
  const all = bySample(exemplars);
  return new Map([...texts].map(([name, text]) => [name, converted(text, all)]));
}

const bySample = (exemplars: readonly Exemplar[]): ReadonlyMap<string, Exemplar> =>
  new Map(exemplars.map((exemplar) => [exemplar.sample, exemplar]));

function converted(text: string, exemplars: ReadonlyMap<string, Exemplar>): string {
  const lines = text.split('\n').filter((line) => line !== '');
  const counters = new Set(lines.flatMap((line) => /^# TYPE (\S+)_total counter$/.exec(line)?.[1] ?? []));
  const open = lines.flatMap((line) => {
    if (line.startsWith('#')) return commentOf(line, counters);
    const exemplar = exemplars.get(line.slice(0, line.lastIndexOf(' ')));
    return exemplar === undefined ? line : `${line} ${exemplarText(exemplar)}`;
  });
  return open.map((line) => `${line}\n`).join('');
}

/** A counter has the suffix `_total` in its samples only. Other comments are not allowed. */
function commentOf(line: string, counters: ReadonlySet<string>): string | readonly string[] {
  const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
  if (kind === undefined) return [];
  const family = name.replace(/_total$/, '');
  if (kind === 'HELP') return `# HELP ${counters.has(family) ? family : name} ${rest.replaceAll('"', '\\"')}`;
  if (counters.has(family)) return `# TYPE ${family} counter`;
  return `# TYPE ${name} ${rest === 'counter' || rest === 'untyped' ? 'unknown' : rest}`;
}

const exemplarText = ({ traceId, value, atEpochMs }: Exemplar): string =>
  `# {trace_id="${traceId}"} ${value} ${(atEpochMs / 1000).toFixed(3)}`;
