/** Endpoints about the graph of a pipeline: its stages and edges as the file describes them, and their counts. */
import type { EdgeSpec, PipelineSpec, StageSpec } from '@equipoise/core/model';
import { ok } from '../net/answer.js';
import { type AdminEndpoint, pipelineOf } from './admin-endpoints.js';

/** Latencies of the last seconds. */
const LATENCY_SECONDS = 10;

export const graph: AdminEndpoint<unknown> = (call) => ok(graphFacts(pipelineOf(call).spec));

export const counts: AdminEndpoint<unknown> = (call) => {
  const { spec, runner } = pipelineOf(call);
  const { statistics, nowMs } = runner;
  const latencies = statistics.recentLatencies(nowMs, LATENCY_SECONDS);
  const { arrived, completed, withinSlo, failed, dropped } = statistics.total;
  const latencyMs = latencies.count > 0 && {
    latencyMs: { p50: latencies.quantileMs(0.5), atPercentile: latencies.quantileMs(spec.slo.percentile / 100) },
  };
  const stages = Object.entries(runner.stageCounts()).map(([id, { byBatchSize: _, troubles: __, ...counted }]) => [
    id,
    counted,
  ]);
  return ok({
    atEpochMs: Date.now(),
    inFlight: runner.inFlight,
    requests: { arrived, completed, withinSlo, failed, dropped },
    ...latencyMs,
    stages: Object.fromEntries(stages),
    edges: runner.edgeCounts().map(({ byVariant: _, ...tally }) => tally),
  });
};

/** The graph as the pipeline file describes it. */
export function graphFacts(spec: PipelineSpec): object {
  const { stages, combines = [], edges, sources, outputs, slo, budget, objective, control } = spec;
  return {
    ...{ slo, budget, objective, intervalMs: control.intervalMs },
    sources: sources.map(({ name, to }) => ({ name, to })),
    stages: stages.map(stageFacts),
    combines: combines.map(({ id, method }) => ({ stageId: id, method })),
    edges: edges.map(edgeFacts),
    outputs: outputs.map(({ from, unless }) => ({ from, unless })),
  };
}

const stageFacts = ({ id, kind, optional, variants, bounds, pins }: StageSpec) => ({
  ...{ stageId: id, kind, optional, pins },
  variants: variants.map(({ id: variantId, accuracy, cpuCores }) => ({ variantId, accuracy, cpuCores })),
  bounds,
});

const edgeFacts = ({ from, to, fanOut, join, when }: EdgeSpec) => ({
  ...{ from, to, fanOut: fanOut?.expected, join },
  when: when && { condition: when.condition, probability: when.probability },
});
