/** Incidents for the development of the diagnosis. Those that judge it are in `benchmarks/incidents`. */
import { stageId, variantId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec, StageSpec } from '../model/pipeline-spec.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import type { Incident } from './simulated-incident.test-support.js';

const points = (oneMs: number, fourMs: number) => [
  { cpuCores: 1, batchSize: 1, meanMs: oneMs, p99Ms: 1.4 * oneMs },
  { cpuCores: 1, batchSize: 4, meanMs: fourMs, p99Ms: 1.4 * fourMs },
];

const variant = (name: string, accuracy: number, profile: ReturnType<typeof points>) => ({
  ...{ id: variantId(name), accuracy: { value: accuracy, metric: 'f1' }, cpuCores: [1], memoryBytes: 0, gpus: 0 },
  ...{ profile, parameters: {}, loadMs: 6000 },
});

const stage = (name: string, variants: StageSpec['variants']): StageSpec => ({
  ...{ id: stageId(name), kind: 'model', variants, pins: {} },
  bounds: { minReplicas: 1, maxReplicas: 16, maxBatchWaitMs: 0, batchSizes: [1, 2, 4] },
});

function specOf(stages: readonly StageSpec[], edges: readonly EdgeSpec[], cpuCores: number): PipelineSpec {
  const last = stages.filter(({ id }) => !edges.some(({ from }) => from === id));
  return {
    ...chainSpec({ placeholder: [] }),
    ...{ name: 'developed', stages, edges, budget: { cpuCores } },
    sources: [{ name: 'input', to: [stages[0]?.id ?? stageId('none')], tensors: [] }],
    outputs: last.map(({ id }) => ({ from: id })),
    control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 500, minDwellMs: 20_000, canary: false },
    admission: { maxQueueLength: 500 },
  };
}

/** Find, then three looks each, then a vote. */
const looks = specOf(
  [
    stage('find', [variant('quick', 0.6, points(12, 30)), variant('deep', 0.8, points(40, 120))]),
    stage('look', [variant('small', 0.7, points(9, 26)), variant('big', 0.85, points(25, 80))]),
    stage('vote', [variant('only', 0.95, points(5, 12))]),
  ],
  [
    { from: stageId('find'), to: stageId('look'), fanOut: { expected: 2 } },
    { from: stageId('look'), to: stageId('vote'), join: 'all' },
  ],
  24,
);

/** A cascade: a third of the texts needs the expensive stage. */
const cascade = specOf(
  [
    stage('sort', [variant('tiny', 0.7, points(8, 20))]),
    stage('read', [variant('base', 0.8, points(45, 150)), variant('large', 0.9, points(90, 320))]),
  ],
  [
    {
      ...{ from: stageId('sort'), to: stageId('read') },
      when: { condition: { text: 'x', reads: [], holds: () => true } as never, probability: 0.3 },
    },
  ],
  16,
);

/** The same cascade with a long SLO: its queues grow for long before they do harm. */
const patient: PipelineSpec = { ...cascade, slo: { latencyMs: 4000, percentile: 99 } };

export const developmentPipelines: Readonly<Record<string, PipelineSpec>> = { looks, cascade, patient };

const steady = (arrivalRps: number, durationS = 120) => ({ kind: 'poisson', arrivalRps, durationS }) as const;

export const developmentIncidents: readonly Incident[] = [
  {
    ...{ name: 'a sudden step', pipeline: 'looks', seed: 11, injections: [] },
    load: { kind: 'step', fromRps: 25, toRps: 110, atS: 70, durationS: 120 },
    expect: { cause: 'overload' },
  },
  {
    ...{ name: 'a step beyond the budget', pipeline: 'cascade', seed: 12, injections: [] },
    load: { kind: 'step', fromRps: 40, toRps: 400, atS: 60, durationS: 120 },
    expect: { cause: 'overload' },
  },
  {
    ...{
      name: 'a load beyond the plan from the start whose queues grow slowly',
      pipeline: 'patient',
      seed: 26,
      injections: [],
    },
    ...{ planForRps: 4, mode: 'off' },
    load: steady(42, 240),
    expect: { cause: 'overload' },
  },
  {
    ...{ name: 'a slow look', pipeline: 'looks', seed: 13, load: steady(60) },
    injections: [{ kind: 'slow-replica', stage: 'look', replica: 2, factor: 6, fromS: 50 }],
    expect: { cause: 'slow-replica', stages: ['look'] },
  },
  {
    ...{ name: 'a reader twice as slow', pipeline: 'cascade', seed: 14, load: steady(50) },
    injections: [{ kind: 'slow-replica', stage: 'read', replica: 1, factor: 2.5, fromS: 60 }],
    expect: { cause: 'slow-replica', stages: ['read'] },
  },
  {
    ...{ name: 'looks take longer than profiled', pipeline: 'looks', seed: 15, load: steady(70) },
    injections: [{ kind: 'service-times', stage: 'look', factor: 2.2, fromS: 60 }],
    expect: { cause: 'wrong-profile', stages: ['look'] },
  },
  {
    ...{ name: 'a profile that was wrong from the start', pipeline: 'cascade', seed: 16, load: steady(60) },
    injections: [{ kind: 'service-times', stage: 'read', factor: 2.5 }],
    expect: { cause: 'wrong-profile', stages: ['read'] },
  },
  {
    ...{ name: 'a variant that fails', pipeline: 'looks', seed: 17, load: steady(40) },
    injections: [{ kind: 'failing-variant', stage: 'vote', fraction: 0.3, fromS: 55 }],
    expect: { cause: 'failing-variant', stages: ['vote'] },
  },
  {
    ...{ name: 'all batches fail', pipeline: 'cascade', seed: 18, load: steady(40) },
    injections: [{ kind: 'failing-variant', stage: 'read', fromS: 60, untilS: 90 }],
    expect: { cause: 'failing-variant', stages: ['read'] },
  },
  {
    ...{ name: 'a rise that the loop does not see', pipeline: 'looks', seed: 19 },
    load: { kind: 'step', fromRps: 25, toRps: 100, atS: 60, durationS: 120 },
    injections: [{ kind: 'stale-signals', fromS: 50 }],
    expect: { cause: 'stale-source' },
  },
  {
    ...{ name: 'more looks per find', pipeline: 'looks', seed: 20, load: steady(50) },
    injections: [{ kind: 'fan-out', from: 'find', to: 'look', factor: 2.5, fromS: 60 }],
    expect: { cause: 'fan-out', stages: ['look', 'vote'] },
  },
  {
    ...{ name: 'the cascade escalates more', pipeline: 'cascade', seed: 21, load: steady(60) },
    injections: [{ kind: 'fan-out', from: 'sort', to: 'read', factor: 2.5, fromS: 60 }],
    expect: { cause: 'fan-out', stages: ['read'] },
  },
  {
    ...{ name: 'a cut budget', pipeline: 'looks', seed: 22, load: steady(120) },
    injections: [{ kind: 'budget', cpuCores: 3, fromS: 60 }],
    expect: { cause: 'budget' },
  },
  {
    ...{ name: 'a budget too small from the start', pipeline: 'cascade', seed: 23, load: steady(200), planForRps: 200 },
    injections: [{ kind: 'budget', cpuCores: 3 }],
    expect: { cause: 'budget' },
  },
  {
    ...{ name: 'clients hang up', pipeline: 'looks', seed: 24, load: steady(50) },
    injections: [{ kind: 'client-aborts', fraction: 0.3, afterMs: 15, fromS: 50 }],
    expect: { cause: 'client' },
  },
  {
    ...{ name: 'clients in a hurry', pipeline: 'cascade', seed: 25, load: steady(50) },
    injections: [{ kind: 'client-deadlines', fraction: 0.25, timeoutMs: 20, fromS: 50 }],
    expect: { cause: 'client' },
  },
];

export const healthyRun = (seed: number): Incident => ({
  name: `healthy ${seed}`,
  pipeline: seed % 2 === 0 ? 'looks' : 'cascade',
  seed,
  injections: [],
  load:
    seed % 3 === 0
      ? { kind: 'ramp', fromRps: 20, toRps: 50, durationS: 120 }
      : seed % 3 === 1
        ? steady(30 + (seed % 5) * 8)
        : { kind: 'gamma', arrivalRps: 40, cv: 1.5, durationS: 120 },
  ask: { fromS: 20, toS: 120 },
  expect: { cause: 'healthy' },
});
