/**
 * The batch policy of every stage under a plan: its batching, the expected service time by batch size, and the least time that a
 * request needs behind the stage, from which early drops are decided: the longest path of single-item mean service times over the edges
 * that are certain to be taken; of branches that lead into an early join at least the shortest.
 */
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import type { BatchPolicy } from '../serve/batch-policy.js';
import { type ServingEdge, servingGraph } from '../serve/serving-graph.js';

/** Policies by stage index, in the order of `spec.stages`; stages that the plan or the profiles lack expect nothing. */
export function batchPolicies(
  spec: PipelineSpec,
  plan: Pick<Plan, 'stages'>,
  curves: ServiceCurves,
): readonly BatchPolicy[] {
  const graph = servingGraph(spec);
  const serviceMs = graph.stages.map(({ id }) => expectedServiceMs(plan, curves, id));
  const remainingMs = graph.stages.map(() => 0);
  const leastMs = ({ to }: ServingEdge): number => (serviceMs[to]?.[1] ?? 0) + (remainingMs[to] ?? 0);
  const canSpare = ({ to }: ServingEdge): boolean => (graph.stages[to]?.sparedBy.length ?? 0) > 0;
  for (const index of graph.topologicalOrder.toReversed()) {
    const certain = graph.stages[index]?.outEdges.filter(({ condition }) => condition === undefined) ?? [];
    const spared = certain.filter(canSpare).map(leastMs);
    const needed = certain.filter((edge) => !canSpare(edge)).map(leastMs);
    remainingMs[index] = Math.max(0, ...needed, spared.length > 0 ? Math.min(...spared) : 0);
  }
  return graph.stages.map(({ id, index }) => ({
    maxBatchSize: plan.stages[id]?.[0]?.maxBatchSize ?? 1,
    maxBatchWaitMs: plan.stages[id]?.[0]?.maxBatchWaitMs ?? 0,
    expectedServiceMs: serviceMs[index] ?? [],
    remainingMs: remainingMs[index] ?? 0,
  }));
}

function expectedServiceMs(
  plan: Pick<Plan, 'stages'>,
  curves: ServiceCurves,
  id: keyof Plan['stages'],
): readonly number[] {
  const stagePlan = plan.stages[id]?.[0];
  const curve = stagePlan && curves.curve(id, stagePlan.variantId, stagePlan.resources.cpuCores);
  if (stagePlan === undefined || curve === undefined) return [];
  return Array.from({ length: stagePlan.maxBatchSize + 1 }, (_, size) => (size === 0 ? 0 : curve.meanMs(size)));
}
