/**
 * Parts of PromQL that all queries share. A series whose newest sample is older than `staleAfterS` contributes nothing.
 * Otherwise the last values of a pod that is gone would count until the look-back of Prometheus (5 min) ends.
 */
import type { SeriesSource, WatchedPipeline } from './watched-pipeline.js';

/** Names carry their unit. Rates are per second, fractions from 0 to 1. */
export type FigureName =
  | 'arrivalRps'
  | 'failureRps'
  | 'latencyMs'
  | 'meanLatencyMs'
  | 'meanBatchSize'
  | 'queueLength'
  | 'cpuCores'
  | 'throttledFraction'
  | 'memoryBytes'
  | 'networkMs';

/** Subject of a figure, which the labels of its results name. */
export type Subject = 'pipeline' | 'stage' | 'workload' | 'model' | 'edge';

export interface QueryTimes {
  /** Window of rates. */
  readonly windowS: number;
  /** Age from which a series is stale. */
  readonly staleAfterS: number;
  /** Percentile of latencies, such as 99. */
  readonly percentile: number;
}

/** Which series a query reads, and how it groups them. */
export interface Scope {
  /** Label matchers without braces. */
  readonly selector: string;
  readonly by: readonly string[];
  readonly times: QueryTimes;
  /** Adds the label `workload` to a vector whose labels name pods or longer names. */
  readonly withWorkload: (vector: string) => string;
}

export interface SeriesQuery {
  /** Such as `istio workload arrivalRps`. */
  readonly id: string;
  readonly source: SeriesSource;
  readonly figure: FigureName;
  readonly subject: Subject;
  /** Metric whose samples show the age of the figure. */
  readonly metric: string;
  /** A subject whose series live has the value 0 if the query has no result for it. */
  readonly isZeroIfAbsent?: boolean;
  scope(pipeline: WatchedPipeline, times: QueryTimes): Scope;
  expression(scope: Scope): string;
}

/** Vector without series whose newest sample of `metric` is stale. */
function alive(vector: string, metric: string, { selector, times, withWorkload }: Scope): string {
  return withWorkload(`(${vector} and time() - timestamp(${metric}{${selector}}) <= ${times.staleAfterS})`);
}

/** Increase per second of each live counter. */
const liveRate = (metric: string, scope: Scope): string =>
  alive(`rate(${metric}{${scope.selector}}[${scope.times.windowS}s])`, metric, scope);

/** Value of each live gauge. */
export const liveGauge = (metric: string, scope: Scope): string => alive(`${metric}{${scope.selector}}`, metric, scope);

export const sumBy = ({ by }: Pick<Scope, 'by'>, vector: string): string => `sum by (${by.join(', ')}) (${vector})`;

export const rateOf = (metric: string, scope: Scope): string => sumBy(scope, liveRate(metric, scope));

/** Latency at the percentile, from a classic histogram. */
export function quantileOf(histogram: string, scope: Scope): string {
  const buckets = sumBy({ by: [...scope.by, 'le'] }, liveRate(`${histogram}_bucket`, scope));
  return `histogram_quantile(${scope.times.percentile / 100}, ${buckets})`;
}

export const quotientOf = (above: string, below: string, scope: Scope): string =>
  `${rateOf(above, scope)} / ${rateOf(below, scope)}`;

/** Mean of a histogram or summary, from its sum and count. */
export const meanOf = (metric: string, scope: Scope): string => quotientOf(`${metric}_sum`, `${metric}_count`, scope);

/** Age in seconds of the newest sample for each subject, within the look-back of Prometheus. */
export const ageExpression = ({ metric }: SeriesQuery, { selector, by, withWorkload }: Scope): string =>
  `time() - max by (${by.join(', ')}) (${withWorkload(`timestamp(${metric}{${selector}})`)})`;

/** The same over the last hour, for series that have ended. */
export const lastSeenExpression = ({ metric }: SeriesQuery, { selector, by, withWorkload }: Scope): string =>
  `time() - max by (${by.join(', ')}) (${withWorkload(`max_over_time(timestamp(${metric}{${selector}})[1h:30s])`)})`;
