/** A served pipeline, simulated tick by tick through the planning session, with its log. */
import {
  type BatchTimes,
  type DecisionRecord,
  type Observation,
  type PipelineSpec,
  type RunningPlan,
  replicaId,
  SeededRng,
  type StagePlan,
  stageId,
  variantId,
} from '@equipoise/core/model';
import { poissonArrivals } from '@equipoise/core/simulate';
import { PlanningSession, type PlanningSetup } from './planning-session.js';
import type { RecordedLog } from './replay-log.js';

const a = stageId('a');

const variant = (id: string, accuracy: number, meanMs: number) => ({
  ...{ id: variantId(id), accuracy: { value: accuracy, metric: 'f1' }, cpuCores: [1], memoryBytes: 0, gpus: 0 },
  profile: [{ cpuCores: 1, batchSize: 1, meanMs, p99Ms: 1.2 * meanMs }],
  parameters: {},
});

const spec: PipelineSpec = {
  name: 'played',
  baseDir: '.',
  slo: { latencyMs: 300, percentile: 99 },
  budget: { cpuCores: 6 },
  prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
  objective: { kind: 'max-accuracy' },
  sources: [{ name: 'input', to: [a], tensors: [] }],
  stages: [
    {
      ...{ id: a, kind: 'model', pins: {} },
      variants: [variant('small', 0.6, 8), variant('large', 0.8, 40)],
      bounds: { minReplicas: 1, maxReplicas: 6, maxBatchWaitMs: 0 },
    },
  ],
  edges: [],
  outputs: [{ from: a }],
  control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 1000, minDwellMs: 20_000 },
  admission: { maxQueueLength: 100 },
};

export const playedSetup: PlanningSetup = {
  ...{ spec, profiles: [], hostCores: Number.POSITIVE_INFINITY, seed: 1 },
  workStageRequests: 2000,
};

const SECONDS = 130;
/** Seconds after which drops count against a change. */
const SETTLED_S = 4;

/** Requests per second: calm, a sudden fivefold burst, calm again. */
const rateAt = (second: number): number => (second >= 25 && second < 40 ? 60 : 12);

const pinsAt = (second: number) => (second > 115 ? { [a]: { variantId: variantId('small') } } : {});

/**
 * The log of 130 s: a burst, batches that take 1.6 times as long as profiled, drops after each change that follows the
 * burst, and a pin at the end.
 */
export function playedLog(): RecordedLog {
  const session = new PlanningSession(playedSetup);
  const rng = new SeededRng(5);
  const records: DecisionRecord[] = [];
  const counts: number[] = [];
  let running: RunningPlan = { stages: {} };
  let droppedTotal = 0;
  const dropsAt: number[] = [];
  for (let second = 1; second <= SECONDS; second++) {
    counts.push(arrivalsOf(rateAt(second), rng));
    droppedTotal += dropsAt[second] ?? 0;
    const observation: Observation = {
      atMs: 1000 * second,
      load: { arrivalsPerSecond: counts.slice(-600) },
      stages: { [a]: { queueLength: 0, droppedTotal } },
      runningPlan: running,
      batches: batchesOf(running, rng),
      staleSources: second === 20 ? ['load'] : [],
    };
    const task = { kind: 'tick', observation, executes: true, changedByHand: false } as const;
    const { decision, trigger, input } = session.answer({ ...task, pins: pinsAt(second) });
    session.control.train();
    if (decision === undefined || input === undefined) continue;
    const { batches: _, ...seen } = observation;
    const record = { atEpochMs: 1000 * second, observation: seen, decision, input, setupDigest: 'setup' };
    records.push({ id: records.length + 1, ...record, ...(trigger && { trigger }) });
    if (decision.kind === 'apply') running = afterAll(decision.plan.stages[a] ?? []);
    if (decision.kind === 'apply' && second > 40) dropsAt[second + SETTLED_S] = 60;
  }
  return {
    setups: new Map([['setup', playedSetup]]),
    decisions: records.map((record) => ({ pipelineName: spec.name, record })),
  };
}

function arrivalsOf(rps: number, rng: SeededRng): number {
  const arrivals = poissonArrivals(rps, 1000, rng);
  let count = 0;
  while (arrivals.nextAtMs() !== undefined) count += 1;
  return count;
}

function batchesOf({ stages }: RunningPlan, rng: SeededRng): readonly BatchTimes[] {
  const [replica] = stages[a]?.replicas ?? [];
  if (replica === undefined) return [];
  const profiledMs = replica.variantId === 'small' ? 8 : 40;
  const serviceMs = Array.from({ length: 10 }, () => profiledMs * (1.55 + 0.1 * rng.next()));
  return [{ stageId: a, variantId: replica.variantId, cpuCores: 1, batchSize: 1, serviceMs }];
}

function afterAll(parts: readonly StagePlan[]): RunningPlan {
  const [part] = parts;
  if (part === undefined) return { stages: {} };
  const { variantId: id, resources, maxBatchSize, maxBatchWaitMs } = part;
  const replicas = Array.from({ length: part.replicas }, (_, index) => ({
    ...{ replicaId: replicaId(`${id}-${index}`), variantId: id, resources, status: 'ready' as const },
  }));
  return { stages: { [a]: { replicas, maxBatchSize, maxBatchWaitMs } } };
}
