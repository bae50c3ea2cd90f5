/** A log of decisions that depend on a learned fan-out. */
import type { StepInput } from '@equipoise/core/control';
import {
  type DecisionRecord,
  type PipelineSpec,
  type RunningPlan,
  replicaId,
  type StageId,
  stageId,
  variantId,
} from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { PlanningSession, type PlanningSetup } from './planning-session.js';
import { LogReplay } from './replay-log.js';

const [a, b] = [stageId('a'), stageId('b')];
const stage = (id: StageId, meanMs: number): PipelineSpec['stages'][number] => ({
  ...{ id, kind: 'model', pins: {} },
  variants: [
    {
      ...{ id: variantId('v'), accuracy: { value: 0.8, metric: 'f1' }, cpuCores: [1], memoryBytes: 0, gpus: 0 },
      ...{ profile: [{ cpuCores: 1, batchSize: 1, meanMs, p99Ms: 1.2 * meanMs }], parameters: {} },
    },
  ],
  bounds: { minReplicas: 1, maxReplicas: 12, maxBatchWaitMs: 0 },
});
const spec: PipelineSpec = {
  ...{ name: 'edges', baseDir: '.', slo: { latencyMs: 300, percentile: 99 }, budget: { cpuCores: 16 } },
  prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
  objective: { kind: 'min-cost', accuracyFloor: 0.1 },
  sources: [{ name: 'input', to: [a], tensors: [] }],
  stages: [stage(a, 5), stage(b, 10)],
  edges: [{ from: a, to: b, fanOut: { expected: 3 } }],
  outputs: [{ from: b }],
  control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 1000, minDwellMs: 20_000 },
  admission: { maxQueueLength: 100 },
};
const setup: PlanningSetup = {
  ...{ spec, profiles: [], hostCores: Number.POSITIVE_INFINITY, seed: 1 },
  workStageRequests: 2000,
};

const RATE_RPS = 20;

/** 90 s in which each request has six items; the file says three. */
function played(): readonly DecisionRecord[] {
  const session = new PlanningSession(setup);
  const records: DecisionRecord[] = [];
  let runningPlan: RunningPlan = { stages: {} };
  for (let second = 1; second <= 90; second++) {
    const seen = {
      ...{ atMs: 1000 * second, stages: {}, runningPlan, staleSources: [] },
      load: { arrivalsPerSecond: new Array<number>(second).fill(RATE_RPS) },
    };
    const edges = [{ offered: 0, taken: 0, fanOuts: RATE_RPS, items: 6 * RATE_RPS }];
    const observation = { ...seen, edges };
    const { decision, trigger, input } = session.answer({
      ...({ kind: 'tick', observation, executes: true, changedByHand: false } as const),
    });
    if (decision === undefined || input === undefined) continue;
    const record = { atEpochMs: 1000 * second, observation: seen, decision, input, setupDigest: 'setup' };
    records.push({ id: records.length + 1, ...record, ...(trigger && { trigger }) });
    if (decision.kind === 'apply')
      runningPlan = {
        stages: Object.fromEntries(
          Object.entries(decision.plan.stages).map(([id, [part]]) => [
            id,
            {
              ...{ maxBatchSize: part?.maxBatchSize ?? 1, maxBatchWaitMs: 0 },
              replicas: Array.from({ length: part?.replicas ?? 0 }, (_, index) => ({
                ...{ replicaId: replicaId(`${id}-${index}`), variantId: variantId('v'), status: 'ready' as const },
                resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
              })),
            },
          ]),
        ),
      };
  }
  return records;
}

it('comes to the same decisions, those that rest on what was learned too', { timeout: 60_000 }, () => {
  const records = JSON.parse(JSON.stringify(played())) as readonly DecisionRecord[];
  const learned = records.filter(({ input }) => (input as StepInput).edges !== undefined);
  expect(learned.length).toBeGreaterThan(3);
  expect(learned.some(({ decision }) => decision?.kind === 'apply')).toBe(true);
  expect(learned.every(({ decision }) => (decision?.evidence.learnedEdges?.[0]?.value ?? 0) > 5)).toBe(true);
  const replay = new LogReplay(new Map([['setup', setup]]));
  expect(records.map((record) => replay.verdictOn(record))).toEqual(records.map(() => ({ kind: 'same' })));
  const [first] = learned;
  const value = replay.problemOf(first as DecisionRecord)?.spec.edges[0]?.fanOut?.expected;
  expect(value).toBe(first?.decision?.evidence.learnedEdges?.[0]?.value);
});
