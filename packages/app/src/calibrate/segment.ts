/** Segment of load on an empty server, and what it tells: figures, batches and measured branches. */
import type { PipelineSpec } from '@equipoise/core/model';
import type { fitThreadCost, ServiceCurves, TimedBatch } from '@equipoise/core/plan';
import { type EndedRequest, figuresOf, type Timeline } from './served-figures.js';
import type { ServedRecord } from './served-plan.js';
import { replicaTimes } from './thread-turns.js';

export interface Segment {
  readonly record: ServedRecord;
  /** CPU time of the load generator. */
  readonly clientCpuMs: number;
  readonly arrivalRps: number;
  readonly requests: number;
  /** First requests, sent at twice the rate. */
  readonly rushing: number;
  readonly sloMs: number;
}

/** Maximum uncounted part, as a fraction of the arrival time. */
const MOST_UNCOUNTED = 0.75;

/** Arrivals relative to the first, ascending. */
export function arrivalsIn({ record }: Segment): readonly number[] {
  const atMs = record.ends.map(({ arrivedAtMs }) => arrivedAtMs).sort((a, b) => a - b);
  return atMs.map((each) => each - (atMs[0] as number));
}

const rushEndMs = (segment: Segment): number =>
  segment.rushing === 0 ? 0 : (arrivalsIn(segment)[segment.rushing - 1] ?? 0);

/** Throughput and drops count after the first quarter, or after a rush once its requests have left. */
export function countedSpan(segment: Segment): Pick<Timeline, 'countFromMs' | 'countToMs'> {
  const countToMs = arrivalsIn(segment).at(-1) ?? 0;
  const settledAtMs = segment.rushing === 0 ? countToMs / 4 : rushEndMs(segment) + segment.sloMs;
  return { countFromMs: Math.min(settledAtMs, MOST_UNCOUNTED * countToMs), countToMs };
}

export function servedTimeline(segment: Segment): Timeline {
  const { ends } = segment.record;
  const firstMs = Math.min(...ends.map(({ arrivedAtMs }) => arrivedAtMs));
  const relative = ends.map((end): EndedRequest => {
    const arrivedAtMs = end.arrivedAtMs - firstMs;
    const latencyMs = end.kind === 'completed' ? end.latencyMs : undefined;
    return { arrivedAtMs, endedAtMs: arrivedAtMs + end.latencyMs, latencyMs };
  });
  return { ends: relative, ...countedSpan(segment) };
}

export const completedRps = (segment: Segment): number => figuresOf([servedTimeline(segment)]).completedRps;

/** Completions ÷ arrivals of the counted span. */
export function completedFraction(segment: Segment): number {
  const { countFromMs, countToMs } = countedSpan(segment);
  const arrived = arrivalsIn(segment).filter((atMs) => atMs > countFromMs && atMs <= countToMs).length;
  return ((completedRps(segment) / 1000) * (countToMs - countFromMs)) / Math.max(1, arrived);
}

/**
 * Batches with their profiled times, without those of a rush, which loads the server's thread. If the work of this thread
 * is known, their times are those of the replicas.
 */
export function timedBatches(
  segment: Segment,
  curves: ServiceCurves,
  threads: ReturnType<typeof fitThreadCost>,
): readonly TimedBatch[] {
  const { record } = segment;
  const fromMs = Math.min(...record.ends.map(({ arrivedAtMs }) => arrivedAtMs)) + rushEndMs(segment);
  const times = threads.length === 0 ? undefined : replicaTimes(record, threads);
  return record.batches.flatMap((served): readonly TimedBatch[] => {
    const { cpuCores, ...batch } = served;
    const profiledMs = curves.curve(batch.stageId, batch.variantId, cpuCores)?.meanMs(batch.batchSize);
    if (profiledMs === undefined || batch.startedAtMs < fromMs) return [];
    return [{ ...batch, ms: times?.get(served) ?? batch.ms, profiledMs }];
  });
}

/** Pipeline with the fan-outs and branch probabilities of these segments. */
export function withMeasuredEdges(spec: PipelineSpec, segments: readonly Segment[]): PipelineSpec {
  const edges = spec.edges.map((edge, index) => {
    const sum = (of: 'taken' | 'offered') =>
      segments.reduce((total, { record }) => total + (record.edges[index]?.[of] ?? 0), 0);
    if (edge.fanOut !== undefined) {
      const items = segments.flatMap(({ record }) => record.fanOuts[edge.from] ?? []);
      return items.length === 0 ? edge : { ...edge, fanOut: fanOutOf(items) };
    }
    const offered = sum('offered');
    return edge.when === undefined || offered === 0
      ? edge
      : { ...edge, when: { ...edge.when, probability: sum('taken') / offered } };
  });
  return { ...spec, edges };
}

function fanOutOf(items: readonly number[]) {
  const distribution = Array.from({ length: Math.max(...new Set(items)) + 1 }, () => 0);
  for (const count of items) distribution[count] = (distribution[count] ?? 0) + 1 / items.length;
  return { expected: items.reduce((sum, count) => sum + count, 0) / items.length, distribution };
}
