/**
 * Simulates many different plans one after another, as the thread of a sweep does: `sweep-run.ts PLANS RPS SECONDS`.
 * Prints one line of JSON. Nothing is warmed up: start and compilation count.
 */
import { type PipelineSpec, type Plan, type Rng, SeededRng, type StagePlan } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { poissonArrivals, simulatePlan, simulationReport } from '@equipoise/core/simulate';
import { chainSpec, planOf } from '../../packages/core/src/model/spec-builders.test-support.js';

/** CPU time of the whole process. */
export interface SweptPlans {
  readonly plans: number;
  readonly arrivalRps: number;
  readonly durationS: number;
  readonly items: number;
  readonly cpuMs: number;
  readonly completedFraction: number;
}

const BATCHES = [1, 2, 4, 8];
/** Service times of one item, by variant. */
const VARIANTS_MS = { small: 8, medium: 25, large: 45 };

const servedMs = (oneMs: number, batchSize: number): number => oneMs * (0.5 + 0.5 * batchSize);

function sweptSpec(): PipelineSpec {
  const chain = chainSpec({ a: [], b: [], c: [] });
  const stages = chain.stages.map((stage) => ({
    ...stage,
    variants: Object.entries(VARIANTS_MS).map(([name, oneMs]) => ({
      id: name as StagePlan['variantId'],
      accuracy: { value: 0.9, metric: 'accuracy' },
      cpuCores: [1],
      memoryBytes: 0,
      gpus: 0,
      parameters: {},
      profile: BATCHES.map((batchSize) => ({
        cpuCores: 1,
        batchSize,
        meanMs: servedMs(oneMs, batchSize),
        p99Ms: 1.5 * servedMs(oneMs, batchSize),
      })),
    })),
  }));
  return { ...chain, stages, slo: { latencyMs: 300, percentile: 99 } };
}

/** Random variants, batch sizes and waits; the capacity suffices, sometimes with spare replicas. */
function randomPlan(spec: PipelineSpec, arrivalRps: number, rng: Rng): Plan {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(rng.next() * values.length)] as T;
  const stages = Object.entries(planOf(spec, { maxBatchSize: 1, replicas: 1 }).stages).map(([id, parts]) => {
    const [variantId, oneMs] = pick(Object.entries(VARIANTS_MS));
    const maxBatchSize = pick(BATCHES);
    const one = (1000 * maxBatchSize) / servedMs(oneMs, maxBatchSize);
    const replicas = Math.max(1, Math.ceil(arrivalRps / one)) + pick([0, 0, 1, 2]);
    const maxBatchWaitMs = pick([0, 0, 10]);
    return [id, parts.map((part) => ({ ...part, variantId, maxBatchSize, maxBatchWaitMs, replicas }))];
  });
  const predicted = { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 };
  return { stages: Object.fromEntries(stages) as Plan['stages'], predicted };
}

function simulateAll(plans: number, arrivalRps: number, durationS: number): SweptPlans {
  const spec = sweptSpec();
  const curves = requireCurves(spec, []);
  const choices = new SeededRng(7);
  let [items, requests, completed] = [0, 0, 0];
  for (let index = 0; index < plans; index++) {
    const rng = new SeededRng(1);
    const run = simulatePlan({
      ...{ spec, curves, rng, hostCores: Number.POSITIVE_INFINITY, drops: true },
      plan: randomPlan(spec, arrivalRps, choices),
      arrivals: poissonArrivals(arrivalRps, durationS * 1000, rng.fork('arrivals')),
      accuracyOf: () => 0.7,
    });
    const report = simulationReport(spec, run);
    requests += report.requests;
    completed += report.completed;
    items += run.tally.stages.reduce((sum, stage) => sum + stage.items, 0);
  }
  const { user, system } = process.cpuUsage();
  const cpuMs = (user + system) / 1000;
  return { plans, arrivalRps, durationS, items, cpuMs, completedFraction: completed / requests };
}

const [plans = 0, arrivalRps = 0, durationS = 0] = process.argv.slice(2).map(Number);
process.stdout.write(`${JSON.stringify(simulateAll(plans, arrivalRps, durationS))}\n`);
