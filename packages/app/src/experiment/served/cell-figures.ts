/** Figures of a served cell, in the terms of the simulator. Latencies count from the scheduled instants at the client. */
import type { PipelineSpec } from '@equipoise/core/model';
import type { SimulationReport } from '@equipoise/core/simulate';
import type { RunFigures } from '../../compose/simulated-run.js';
import type { ServedExtras } from '../experiment-cell.js';
import type { SentRequest } from './load-child.js';
import type { PlanTimeline } from './plan-timeline.js';

/** Request with the accuracy of the plan that ran when it ended. */
export interface CellRequest extends SentRequest {
  readonly accuracy: number;
}

export interface ServedRun {
  readonly spec: PipelineSpec;
  readonly startedAtEpochMs: number;
  readonly requests: readonly CellRequest[];
  readonly timeline: PlanTimeline;
  readonly excludeFirstS: number;
  readonly durationS: number;
  readonly decisions: number;
}

export function servedFigures(run: ServedRun): RunFigures & ServedExtras {
  const { spec, timeline, startedAtEpochMs, excludeFirstS, durationS, decisions } = run;
  const fromMs = excludeFirstS * 1000;
  const counted = run.requests.filter(({ scheduledAtMs }) => scheduledAtMs >= fromMs);
  const completed = counted.filter(({ outcome }) => outcome === 'completed');
  const within = completed.filter(({ latencyMs }) => latencyMs <= spec.slo.latencyMs);
  const endedMs = counted.reduce((last, { scheduledAtMs, latencyMs }) => Math.max(last, scheduledAtMs + latencyMs), 0);
  const toMs = Math.max(endedMs, durationS * 1000);
  const { cpuCores, costPerHour } = timeline.means(startedAtEpochMs + fromMs, startedAtEpochMs + toMs);
  const failed = counted.filter(({ outcome }) => outcome === 'failed').length;
  const accuracies = (requests: readonly CellRequest[]) => requests.reduce((sum, { accuracy }) => sum + accuracy, 0);
  return {
    requests: counted.length,
    completed: completed.length,
    dropped: droppedOf(counted),
    failed,
    latencyMs: latenciesOf(completed.map(({ latencyMs }) => latencyMs)),
    sloAttainmentFraction: counted.length === 0 ? 1 : within.length / counted.length,
    goodputRps: (1000 * within.length) / Math.max(1, toMs - fromMs),
    pasMean: accuracies(completed) / Math.max(1, completed.length),
    pasGoodput: accuracies(within) / Math.max(1, counted.length),
    cpuCoresMean: cpuCores,
    costPerHourMean: costPerHour,
    stages: {},
    decisions,
    startDelayP99Ms: quantile(
      sorted(counted.map(({ startedAtMs, scheduledAtMs }) => startedAtMs - scheduledAtMs)),
      0.99,
    ),
  };
}

function droppedOf(requests: readonly CellRequest[]): SimulationReport['dropped'] {
  const byReason = new Map<string, number>();
  for (const { outcome } of requests) {
    if (outcome === 'completed' || outcome === 'failed') continue;
    byReason.set(outcome, (byReason.get(outcome) ?? 0) + 1);
  }
  return Object.fromEntries([...byReason].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const sorted = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);

/** Nearest rank; 0 without values, as in a simulation. */
export const quantile = (ascending: readonly number[], fraction: number): number =>
  ascending[Math.max(0, Math.ceil(fraction * ascending.length) - 1)] ?? 0;

function latenciesOf(latencies: readonly number[]): SimulationReport['latencyMs'] {
  const all = sorted(latencies);
  return {
    mean: all.reduce((sum, each) => sum + each, 0) / Math.max(1, all.length),
    p50: quantile(all, 0.5),
    p95: quantile(all, 0.95),
    p99: quantile(all, 0.99),
    p999: quantile(all, 0.999),
    max: all.at(-1) ?? 0,
  };
}
