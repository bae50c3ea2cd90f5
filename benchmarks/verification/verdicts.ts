/**
 * Wrong verdicts of a verification against M/M/1, whose sojourn time is exponential with rate μ − λ, and of overloads,
 * which miss every SLO. Runs are shorter and loads higher than usual for plans.
 */
import type { ArrivalEnvelope, Burstiness } from '../../packages/core/src/model/expected-load.js';
import { stageId } from '../../packages/core/src/model/ids.js';
import type { PipelineSpec } from '../../packages/core/src/model/pipeline-spec.js';
import type { Plan } from '../../packages/core/src/model/plan.js';
import { chainSpec, planOf } from '../../packages/core/src/model/spec-builders.test-support.js';
import { type ServiceCurves, serviceCurve } from '../../packages/core/src/profile/service-curves.js';
import type { ServiceLaw } from '../../packages/core/src/profile/service-law.js';
import { itemsPerRequest, verifyPlan } from '../../packages/core/src/simulate/verify-plan.js';

const SERVICE_MS = 10;
/** Stage with the load of a case. */
const QUEUE = 'queue';

interface StageOfShape {
  readonly law: ServiceLaw;
  readonly replicas: number;
}

interface PipelineShape {
  readonly stages: Readonly<Record<string, StageOfShape>>;
  readonly edges: PipelineSpec['edges'];
  /** Items at the stage `queue`. */
  readonly items: number;
}

const queue: StageOfShape = { law: { kind: 'exponential', meanMs: SERVICE_MS }, replicas: 1 };
const short: StageOfShape = { law: { kind: 'constant', ms: 1 }, replicas: 1 };
const long: StageOfShape = { law: { kind: 'constant', ms: 2000 * SERVICE_MS }, replicas: 150 };
const [firstId, queueId, lastId] = [stageId('first'), stageId(QUEUE), stageId('last')];

const RARE = 0.05;
const MANY_ITEMS = 50;
const MANY = 0.02;
const ITEMS = 1 - MANY + MANY * MANY_ITEMS;
const distribution = Array.from({ length: MANY_ITEMS + 1 }, (_, items) =>
  items === 1 ? 1 - MANY : items === MANY_ITEMS ? MANY : 0,
);

const shapes = {
  /** The queue alone. */
  queue: { stages: { [QUEUE]: queue }, edges: [], items: 1 },
  /** Few requests take long at a stage without a queue. */
  'rare-branch': {
    stages: { [QUEUE]: queue, last: long },
    edges: [{ from: queueId, to: lastId, when: { condition: 'output.unsure', probability: RARE } }],
    items: 1,
  },
  /** Few requests have many items. */
  'fan-out': {
    stages: { first: short, [QUEUE]: queue, last: short },
    edges: [
      { from: firstId, to: queueId, fanOut: { expected: ITEMS, distribution } },
      { from: queueId, to: lastId, join: 'all' },
    ],
    items: ITEMS,
  },
} satisfies Record<string, PipelineShape>;

/** The SLO is `room` times the true percentile of the queue alone, or `sloMs`. */
export interface VerdictCase {
  readonly shape?: keyof typeof shapes;
  readonly load: number;
  readonly requests: number;
  readonly percentile: number;
  readonly room: number;
  readonly sloMs?: number;
  readonly burstiness?: Burstiness;
  /** Arrivals by an envelope of 20 s instead of a Poisson process. */
  readonly byEnvelope?: true;
}

export function caseName({ load, requests, shape, burstiness, byEnvelope }: VerdictCase): string {
  const kinds = [shape, burstiness && 'bursts', byEnvelope && 'envelope'];
  return [`${load} of capacity`, `${requests} requests`, ...kinds].filter(Boolean).join(', ');
}

/** Verdicts of the seeds 1, 2, 3 …; `passes` are conclusive and say that the SLO is met. */
export interface VerdictCounts {
  readonly seeds: number;
  readonly inconclusive: number;
  readonly passes: number;
}

const atTruth = (load: number, requests: number, percentile = 99): VerdictCase => ({
  ...{ load, requests, percentile, room: 1 },
});

/**
 * Cases whose SLO equals the truth. An inconclusive verdict means that the interval contains the truth. A pass is
 * wrong.
 */
export const containing: readonly VerdictCase[] = [
  atTruth(0.5, 33_000),
  atTruth(0.5, 100_000),
  atTruth(0.8, 33_000, 95),
  atTruth(0.8, 33_000),
  atTruth(0.8, 100_000),
  atTruth(0.9, 100_000),
  atTruth(0.97, 100_000),
];

/** So near capacity, even intervals far from the SLO prove nothing. */
export const nearCapacity: readonly VerdictCase[] = [
  atTruth(0.98, 200_000),
  atTruth(0.99, 170_000),
  atTruth(0.995, 200_000),
];

/** Arrivals whose counts vary eight times as much as those of a Poisson process. */
const BURSTS: Burstiness = { sloMs: 1000, dispersionAtSlo: 4, dispersionAt10s: 8 };
const FAR_MS = 12_000 * SERVICE_MS;

/** Arrivals, and pipelines around the queue. */
const kinds: readonly Partial<VerdictCase>[] = [
  {},
  { burstiness: BURSTS },
  { byEnvelope: true },
  { shape: 'rare-branch' },
  { shape: 'fan-out' },
];

/** No plan. The queue is still short at the end of the run, and the SLO is 12,000 service times. */
export const overloads: readonly VerdictCase[] = [1, 1.005, 1.01, 1.03].flatMap((load) =>
  [1000, 10_000, 33_000, 100_000, 400_000].flatMap((requests) =>
    kinds.map((kind) => ({ ...{ load, requests, percentile: 99, room: Number.NaN, sloMs: FAR_MS }, ...kind })),
  ),
);

const far = (load: number, requests: number, kind: Partial<VerdictCase>): VerdictCase => ({
  ...{ load, requests, percentile: 99, room: Number.NaN, sloMs: FAR_MS },
  ...kind,
});

/** Most seeds of these cases must pass. */
export const farBelow: readonly VerdictCase[] = [
  { load: 0.9, requests: 25_000, percentile: 99, room: 30 },
  { load: 0.95, requests: 100_000, percentile: 99, room: 10 },
  { load: 0.9, requests: 170_000, percentile: 99, room: 5 },
  { load: 0.97, requests: 400_000, percentile: 99, room: 5 },
  far(0.7, 10_000, { byEnvelope: true }),
  far(0.9, 33_000, { byEnvelope: true }),
  far(0.9, 33_000, { shape: 'rare-branch' }),
  far(0.8, 33_000, { shape: 'fan-out' }),
];

function pipelineOf({ stages, edges }: PipelineShape, slo: PipelineSpec['slo']) {
  const points = Object.keys(stages).map((id) => [id, [{ cpuCores: 1, batchSize: 1, meanMs: SERVICE_MS }]]);
  const spec = { ...chainSpec(Object.fromEntries(points)), edges, slo };
  const byStage = new Map(
    Object.entries(stages).map(([id, { law }]) => [stageId(id), serviceCurve(1, 1, [{ batchSize: 1, law }])]),
  );
  const curves: ServiceCurves = { kind: 'curves', curve: (id) => byStage.get(id), warnings: [] };
  const one = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  const parts = Object.entries(one.stages).map(([id, mixture]) => [
    id,
    mixture.map((part) => ({ ...part, replicas: stages[id]?.replicas ?? 1 })),
  ]);
  const plan: Plan = { ...one, stages: Object.fromEntries(parts) };
  return { spec, curves, plan };
}

/** Rates of measured traffic: single seconds have more requests than the long run. */
const envelopeOf = (arrivalRps: number): ArrivalEnvelope => [
  { windowS: 1, arrivals: Math.round(1.3 * arrivalRps) },
  { windowS: 5, arrivals: Math.round(1.1 * 5 * arrivalRps) },
  { windowS: 20, arrivals: Math.round(20 * arrivalRps) },
];

export function countVerdicts(of: VerdictCase, seeds: number): VerdictCounts {
  const { load, requests, percentile, room, sloMs, burstiness, byEnvelope } = of;
  const latencyMs = sloMs ?? (-room * Math.log(1 - percentile / 100) * SERVICE_MS) / (1 - load);
  const shape: PipelineShape = shapes[of.shape ?? 'queue'];
  const { spec, curves, plan } = pipelineOf(shape, { latencyMs, percentile });
  const arrivalRps = (1000 * load) / SERVICE_MS / shape.items;
  const verdicts = Array.from({ length: seeds }, (_, i) =>
    verifyPlan(
      {
        ...{ spec, curves, arrivalRps, hostCores: Number.POSITIVE_INFINITY },
        ...{ seed: i + 1, workStageRequests: requests * itemsPerRequest(spec) },
        ...(burstiness && { burstiness }),
        ...(byEnvelope && { envelope: envelopeOf(arrivalRps) }),
      },
      plan,
    ),
  );
  const conclusive = verdicts.filter((verdict) => verdict.conclusive);
  const passes = conclusive.filter(({ sloAttainmentFraction }) => sloAttainmentFraction > percentile / 100);
  return { seeds, inconclusive: seeds - conclusive.length, passes: passes.length };
}
