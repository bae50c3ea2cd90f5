/** Budgeted resources as vectors in a fixed order. */
import type { PipelineSpec, Prices, Resources } from '../../model/pipeline-spec.js';

export const resourceKinds = ['cpuCores', 'memoryBytes', 'gpus', 'costPerHour'] as const;

/** Amounts in the order of `resourceKinds`. */
export type ResourceUse = readonly [cpuCores: number, memoryBytes: number, gpus: number, costPerHour: number];

const BYTES_PER_GIB = 2 ** 30;
/** Tolerance for rounding, as 0.1 + 0.2 exceeds 0.3. */
const ROUNDING = 1e-9;

export function replicaCostPerHour(resources: Resources, prices: Prices): number {
  return (
    resources.cpuCores * prices.cpuCorePerHour +
    (resources.memoryBytes / BYTES_PER_GIB) * prices.memoryGibPerHour +
    resources.gpus * prices.gpuPerHour
  );
}

export function useOf(resources: Resources, replicas: number, prices: Prices): ResourceUse {
  return [
    resources.cpuCores * replicas,
    resources.memoryBytes * replicas,
    resources.gpus * replicas,
    replicaCostPerHour(resources, prices) * replicas,
  ];
}

/** Budget, capped at the total of all machines; Infinity if unlimited. */
export function limitsOf({ budget, nodes }: Pick<PipelineSpec, 'budget' | 'nodes'>): ResourceUse {
  const all = (kind: keyof Resources): number =>
    nodes?.reduce((sum, node) => sum + node.count * node[kind], 0) ?? Number.POSITIVE_INFINITY;
  const bounded = (kind: keyof Resources): number => Math.min(budget[kind] ?? Number.POSITIVE_INFINITY, all(kind));
  return [bounded('cpuCores'), bounded('memoryBytes'), bounded('gpus'), budget.costPerHour ?? Number.POSITIVE_INFINITY];
}

export const withRounding = (limit: number): number => limit + ROUNDING * Math.max(1, limit);

/** True if `amount` is within `limit`, apart from rounding. */
export const isWithin = (amount: number, limit: number): boolean => amount <= withRounding(limit);

/** Sums to twelve digits, so that no rounding shows: 0.1 + 0.2 is 0.3. */
export function totalUse(uses: Iterable<ResourceUse>): ResourceUse {
  let [cpuCores, memoryBytes, gpus, costPerHour] = [0, 0, 0, 0];
  for (const use of uses) {
    cpuCores += use[0];
    memoryBytes += use[1];
    gpus += use[2];
    costPerHour += use[3];
  }
  return [rounded(cpuCores), memoryBytes, gpus, rounded(costPerHour)];
}

const rounded = (sum: number): number => Number(sum.toPrecision(12));
