/**
 * Time that an engine adds to a request when it walks the graph: a hop into each stage of the longest path, and one back.
 * The times are stated constants until they are measured: a stage with a `networkMs` has no hop. Seldon Core 2 passes
 * tensors through Kafka topics.
 */
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { longestPath } from './graph-tree.js';
import { type GraphEngine, graphEngineOf, type RenderTarget } from './targets.js';

/** Network time of a hop in ms. */
const HOP_MS: Readonly<Record<GraphEngine, number>> = { kserve: 2, 'seldon-v1': 2, 'seldon-v2': 10 };

export function engineEstimate(target: RenderTarget): {
  readonly overheadMs: (spec: PipelineSpec) => number;
  readonly planningSpec: (spec: PipelineSpec) => PipelineSpec;
} {
  const engine = graphEngineOf(target);
  const overheadMs = (spec: PipelineSpec): number => {
    if (engine === undefined) return 0;
    const hopMs = HOP_MS[engine];
    return hopMs + longestPath(spec, ({ networkMs }) => (networkMs === undefined ? hopMs : 0));
  };
  const planningSpec = (spec: PipelineSpec): PipelineSpec => {
    const spentMs = overheadMs(spec);
    if (spentMs === 0) return spec;
    const latencyMs = spec.slo.latencyMs - spentMs;
    if (latencyMs > 0) return { ...spec, slo: { ...spec.slo, latencyMs } };
    throw new AppError(
      'INFEASIBLE',
      `${target} adds ${spentMs} ms to each request, which is the whole SLO of ${spec.slo.latencyMs} ms. Raise spec.slo.latencyMs.`,
      { details: { target, overheadMs: spentMs } },
    );
  };
  return { overheadMs, planningSpec };
}
