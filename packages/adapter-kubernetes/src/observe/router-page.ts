import type { ArrivalEnvelope, Burstiness } from '@equipoise/core/model';
import { labelValue } from '../cluster/object-names.js';

/** Page of a router; counters count from the start of its process. */
export interface RouterPage {
  readonly arrivedTotal: number;
  readonly withinSloTotal: number;
  readonly endedTotal: number;
  readonly passedOnTotal: number;
  /** Missing for an engine, whose series do not tell. */
  readonly outcomes?: RequestOutcomes;
  /** Latency ranges; each ends at its bound (s), the last at Infinity. */
  readonly latencies: readonly { readonly upToS: number; readonly count: number }[];
  readonly stages: Readonly<Record<string, { readonly queueLength: number; readonly droppedTotal: number }>>;
  readonly latest: ArrivalEnvelope;
  /** Batches of each variant. */
  readonly batches: readonly VariantBatches[];
  /** Missing after too few arrivals. */
  readonly burstiness?: Burstiness;
  /** Arrivals of the last whole seconds; missing on pages of older routers and on merged pages. */
  readonly seconds?: ArrivedSeconds;
}

/** `last`: number of the last of these seconds since the start of the router; `sinceMs`: time since its end. */
export interface ArrivedSeconds {
  readonly last: number;
  readonly sinceMs: number;
  readonly counts: readonly number[];
}

/** Requests that ended, by outcome; drops by reason. */
export interface RequestOutcomes {
  readonly completed: number;
  readonly failed: number;
  readonly dropped: Readonly<Record<string, number>>;
}

/** Batches that replicas of a variant answered: their number, items and total service time. */
export interface VariantBatches {
  readonly stage: string;
  readonly variant: string;
  readonly count: number;
  readonly items: number;
  readonly serviceS: number;
}

const METRICS = {
  arrived: 'equipoise_arrivals_total',
  latest: 'equipoise_arrivals_latest',
  dispersion: 'equipoise_arrival_dispersion',
  ended: 'equipoise_requests_total',
  passedOn: 'equipoise_shared_requests_total',
  withinSlo: 'equipoise_requests_within_slo_total',
  latency: 'equipoise_request_duration_seconds_bucket',
  queue: 'equipoise_stage_queue_length',
  dropped: 'equipoise_stage_dropped_total',
  batches: 'equipoise_batch_service_seconds_count',
  serviceTime: 'equipoise_batch_service_seconds_sum',
  batchItems: 'equipoise_batch_size_sum',
} as const;

const WANTED: ReadonlySet<string> = new Set(Object.values(METRICS));

export const pageMetrics: readonly string[] = [
  ...new Set(Object.values(METRICS).map((name) => name.replace(/_(bucket|count|sum)$/, ''))),
];
const LONG_WINDOW_S = 10;

/**
 * Parses a page. Undefined for the page of another pipeline (addresses are reused), or before the router has started.
 * `pipeline` is the value of the pod label.
 */
export function readRouterPage(text: string, pipeline: string): RouterPage | undefined {
  const samples = metricSamples(text, WANTED);
  const of = (name: string) => samples.filter((sample) => sample.name === name);
  const [arrived] = of(METRICS.arrived);
  if (arrived === undefined || labelValue(arrived.labels['pipeline'] ?? '') !== pipeline) return undefined;
  const burstiness = burstinessOf(of(METRICS.dispersion));
  const seconds = secondsIn(text);
  return {
    arrivedTotal: arrived.value,
    withinSloTotal: sum(of(METRICS.withinSlo)),
    endedTotal: sum(of(METRICS.ended)),
    passedOnTotal: sum(of(METRICS.passedOn)),
    outcomes: outcomesOf(of(METRICS.ended)),
    latencies: rangesOf(of(METRICS.latency)),
    stages: stagesOf(of(METRICS.queue), of(METRICS.dropped)),
    batches: batchesOf(of(METRICS.batches), of(METRICS.serviceTime), of(METRICS.batchItems)),
    latest: of(METRICS.latest).map(({ labels, value }) => ({ windowS: secondsOf(labels), arrivals: value })),
    ...(burstiness && { burstiness }),
    ...(seconds && { seconds }),
  };
}

const SECONDS = '\n# arrivals ';

/** The comment `# arrivals LAST SINCE_MS COUNT…`. */
function secondsIn(text: string): ArrivedSeconds | undefined {
  const at = text.lastIndexOf(SECONDS);
  if (at < 0) return undefined;
  const start = at + SECONDS.length;
  const end = text.indexOf('\n', start);
  const numbers = text
    .slice(start, end < 0 ? undefined : end)
    .split(' ')
    .map(Number);
  const [last = Number.NaN, sinceMs = Number.NaN, ...counts] = numbers;
  if (!numbers.every(Number.isFinite) || !Number.isInteger(last) || Number.isNaN(sinceMs)) return undefined;
  return { last, sinceMs, counts };
}

const sum = (samples: readonly MetricSample[]): number => samples.reduce((total, { value }) => total + value, 0);

function outcomesOf(ended: readonly MetricSample[]): RequestOutcomes {
  const of = (outcome: string) => ended.filter(({ labels }) => labels['outcome'] === outcome);
  const dropped = of('dropped').map(({ labels: { reason = '' }, value }) => [reason, value]);
  return { completed: sum(of('completed')), failed: sum(of('failed')), dropped: Object.fromEntries(dropped) };
}

const secondsOf = (labels: MetricSample['labels']): number => Number(labels['window_seconds']);

/** Prometheus buckets are cumulative. */
function rangesOf(buckets: readonly MetricSample[]): RouterPage['latencies'] {
  const upTo = buckets
    .map(({ labels: { le = '' }, value }) => ({ upToS: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value }))
    .sort((a, b) => a.upToS - b.upToS);
  return upTo.map(({ upToS, value }, index) => ({ upToS, count: value - (upTo[index - 1]?.value ?? 0) }));
}

function stagesOf(queues: readonly MetricSample[], dropped: readonly MetricSample[]): RouterPage['stages'] {
  return Object.fromEntries(
    queues.map(({ labels: { stage = '' }, value }) => [
      stage,
      { queueLength: value, droppedTotal: sum(dropped.filter(({ labels }) => labels['stage'] === stage)) },
    ]),
  );
}

function batchesOf(
  counts: readonly MetricSample[],
  times: readonly MetricSample[],
  items: readonly MetricSample[],
): RouterPage['batches'] {
  return counts.map(({ labels: { stage = '', variant = '' }, value }) => {
    const sumOf = (samples: readonly MetricSample[]): number =>
      samples.find(({ labels }) => labels['stage'] === stage && labels['variant'] === variant)?.value ?? 0;
    return { stage, variant, count: value, items: sumOf(items), serviceS: sumOf(times) };
  });
}

function burstinessOf(samples: readonly MetricSample[]): Burstiness | undefined {
  const long = samples.find(({ labels }) => secondsOf(labels) === LONG_WINDOW_S);
  const short = samples.find(({ labels }) => secondsOf(labels) < LONG_WINDOW_S);
  if (long === undefined || short === undefined) return undefined;
  return { sloMs: 1000 * secondsOf(short.labels), dispersionAtSlo: short.value, dispersionAt10s: long.value };
}

export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Samples of the named metrics. Searches for names, because few lines of a page are used. */
export function metricSamples(text: string, names: ReadonlySet<string>): readonly MetricSample[] {
  const page = `\n${text}`;
  const samples: MetricSample[] = [];
  for (const name of names) {
    const start = `\n${name}`;
    for (let at = page.indexOf(start); at >= 0; at = page.indexOf(start, at + 1)) {
      const end = page.indexOf('\n', at + 1);
      const [, found, labels = '', value = ''] = LINE.exec(page.slice(at + 1, end < 0 ? undefined : end)) ?? [];
      if (found === name) samples.push({ name, labels: labelsOf(labels), value: numberOf(value) });
    }
  }
  return samples;
}

function labelsOf(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(LABEL))
    labels[name] = value.includes('\\') ? value.replaceAll(/\\(.)/g, unescapeCharacter) : value;
  return labels;
}

const unescapeCharacter = (_: string, character: string): string => (character === 'n' ? '\n' : character);

const numberOf = (text: string): number => (/^\+?Inf/i.test(text) ? Number.POSITIVE_INFINITY : Number(text));
