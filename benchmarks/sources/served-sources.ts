/**
 * Two sources on a pipeline that serves in this process: parts that are missing or late, while the plan changes. The
 * simulator gets the same arrivals of parts and the same changes at the same times.
 */
import { EmbeddedActuator, preciseClock, SyntheticReplicaLauncher } from '@equipoise/adapter-embedded';
import { diffPlans } from '@equipoise/core/control';
import {
  LatencyHistogram,
  type PipelineSpec,
  type Plan,
  SeededRng,
  type StageSpec,
  stageId,
  type TensorMap,
  variantId,
} from '@equipoise/core/model';
import { drawMs, requireCurves, type ServiceCurves } from '@equipoise/core/plan';
import type { SourceCounts } from '@equipoise/core/serve';
import { JoinedArrivals, partDelays, poissonArrivals, type SourceLoad, simulatePlan } from '@equipoise/core/simulate';
import { type PipelineOutcome, PipelineRunner } from '@equipoise/runtime';
import {
  type EdgeState,
  learnedSpec,
  observeEdgeCounts,
} from '../../packages/core/src/control/feedback/edge-feedback.js';

export interface SourcesQuestion {
  readonly durationS: number;
  readonly arrivalRps: number;
  /** Time between two changes of the plan. */
  readonly changeEveryS: number;
  readonly seed: number;
}

export interface SourcesFigures {
  readonly changes: number;
  readonly sentParts: number;
  /** Parts without exactly one outcome, and requests without a count. */
  readonly unaccounted: number;
  readonly served: readonly SourceCounts[];
  readonly simulated: readonly SourceCounts[];
  /** Fraction of the requests with a scan: as injected, counted and learned by the control loop. */
  readonly scanShare: { readonly injected: number; readonly counted: number; readonly learned: number };
  readonly p99Ms: { readonly served: number; readonly simulated: number };
  readonly requests: { readonly served: number; readonly simulated: number };
}

const MAX_WAIT_MS = 800;
const LATE_MS = 1200;
const MISSING = { letter: 0.03, scan: 0.1 };
const LATE = 0.08;
const STATED_SHARE = 0.95;

export const sourceLoad: SourceLoad = {
  meanGapMs: 60,
  sources: [
    { missingFraction: MISSING.letter },
    { missingFraction: MISSING.scan, late: { fraction: LATE, byMs: LATE_MS } },
  ],
};

/** Injected fraction of the requests that begin with a scan: those with a letter whose scan is sent and not late. */
export const injectedShare = (1 - MISSING.scan) * (1 - LATE);

function stageOf(name: string, meanMs: number): StageSpec {
  const variant = (id: string, factor: number) => ({
    ...{ id: variantId(id), accuracy: { value: 0.5 + 0.1 * factor, metric: 'accuracy' }, cpuCores: [1] },
    ...{ memoryBytes: 0, gpus: 0, loadMs: 100, parameters: {} },
    profile: [1, 2].map((batchSize) => ({
      ...{ cpuCores: 1, batchSize },
      ...{ meanMs: factor * meanMs * (0.4 + 0.6 * batchSize), p99Ms: 1.5 * factor * meanMs * (0.4 + 0.6 * batchSize) },
    })),
  });
  return {
    ...{ id: stageId(name), kind: 'model', variants: [variant('s', 1), variant('m', 1.5)], pins: {} },
    bounds: { minReplicas: 1, maxReplicas: 8, maxBatchWaitMs: 0 },
  };
}

export function mailSpec(): PipelineSpec {
  const tensor = (name: string) => ({ name, datatype: 'FP32' as const, shape: [1], contentTypes: [] });
  const [read, detect, sort] = [stageId('read'), stageId('detect'), stageId('sort')];
  return {
    ...{ name: 'mail', baseDir: '.', slo: { latencyMs: 1500, percentile: 99 }, budget: {} },
    ...{ prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 }, objective: { kind: 'max-accuracy' } },
    sources: [
      { name: 'letter', to: [read], tensors: [tensor('letter')] },
      { name: 'scan', to: [detect], tensors: [tensor('scan')], onMissing: 'partial', share: STATED_SHARE },
    ],
    sourceJoin: { maxWaitMs: MAX_WAIT_MS, maxWaiting: 1000 },
    stages: [stageOf('read', 40), stageOf('detect', 90), stageOf('sort', 60)],
    edges: [
      { from: read, to: sort },
      { from: detect, to: sort },
    ],
    outputs: [{ from: sort }],
    control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 500, minDwellMs: 30_000, canary: false },
    admission: { maxQueueLength: 1000 },
  };
}

/** Plans in turn: another variant of one stage, and other replicas of another. */
function planOf(change: number): Plan {
  const stage = (variant: string, replicas: number) => [
    {
      ...{ variantId: variantId(variant), resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 }, maxBatchSize: 2 },
      ...{ maxBatchWaitMs: 0, replicas, trafficFraction: 1 },
    },
  ];
  const stages =
    change % 2 === 0
      ? { read: stage('s', 2), detect: stage('s', 3), sort: stage('s', 2) }
      : { read: stage('m', 2), detect: stage('s', 2), sort: stage('s', 3) };
  const predicted = { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 };
  return { stages, predicted } as Plan;
}

export async function serveSources(question: SourcesQuestion): Promise<SourcesFigures> {
  const spec = mailSpec();
  const curves = requireCurves(spec, []);
  const simulated = simulateSources(spec, curves, question);
  const served = await serve(spec, curves, question);
  const [, scan] = served.counts;
  return {
    ...{ changes: served.changes, sentParts: served.outcomes.length },
    unaccounted: unaccounted(served),
    ...{ served: served.counts, simulated: simulated.counts },
    scanShare: {
      injected: injectedShare,
      counted: (scan?.joined ?? 0) / Math.max(1, (scan?.joined ?? 0) + (scan?.missing ?? 0)),
      learned: learnedSpec(spec, served.edges.inForce).sources[1]?.share ?? 1,
    },
    p99Ms: { served: served.latencies.quantileMs(0.99), simulated: simulated.latencies.quantileMs(0.99) },
    requests: { served: served.requests, simulated: simulated.requests },
  };
}

type Served = Awaited<ReturnType<typeof serve>>;

function unaccounted({ counts, outcomes, requests }: Served): number {
  const ended = counts.reduce(
    (sum, { joined, unmatched, late, duplicate, kept, dropped }) =>
      sum + joined + unmatched + late + duplicate + kept + dropped,
    0,
  );
  const begun = counts.map(({ joined, missing }) => joined + missing);
  return Math.abs(ended - outcomes.length) + begun.reduce((sum, each) => sum + Math.abs(each - requests), 0);
}

async function serve(spec: PipelineSpec, curves: ServiceCurves, question: SourcesQuestion) {
  const { durationS, arrivalRps, changeEveryS, seed } = question;
  const runner = new PipelineRunner({ spec, hostCores: Number.POSITIVE_INFINITY, clock: preciseClock });
  const launcher = new SyntheticReplicaLauncher({
    rng: new SeededRng(seed).fork('service'),
    serviceMs: ({ stage, variant, resources }, batchSize, own) => {
      const curve = curves.curve(stage.id, variant.id, resources.cpuCores);
      return curve === undefined ? 0 : drawMs(curve.law(batchSize), own);
    },
  });
  const actuator = new EmbeddedActuator(spec, { pool: runner, launcher });
  const enact = async (plan: Plan) => {
    for (const change of diffPlans(actuator.runningPlan(), plan, spec)) await actuator.apply(change);
  };
  await enact(planOf(0));
  const latencies = new LatencyHistogram();
  let [requests, changes] = [0, 0];
  runner.onRequestEnd((end) => {
    requests += 1;
    if (end.kind === 'completed') latencies.record(end.latencyMs);
  });
  let edges: EdgeState = { memories: [], inForce: [] };
  const ticks = every(1000, (tick) => {
    const counts = { counts: runner.takeEdgeCounts(), atMs: preciseClock.nowMs(), due: tick % 10 === 0 };
    edges = observeEdgeCounts(spec, edges, counts);
  });
  let changing = Promise.resolve();
  const replans = every(1000 * changeEveryS, (change) => {
    changes += 1;
    changing = changing.then(() => enact(planOf(change)));
  });
  const outcomes = await sendParts(runner, { durationS, arrivalRps, seed });
  for (const stop of [ticks, replans]) stop();
  await changing;
  const { sources: counts } = runner.partCounts;
  runner.beginDraining();
  await runner.drained;
  await actuator.close();
  return { counts, outcomes, requests, latencies, edges, changes };
}

/** Calls `work` with 1, 2, … until the returned function is called. */
function every(ms: number, work: (tick: number) => void): () => void {
  let tick = 0;
  const timer = setInterval(() => work(++tick), ms);
  return () => clearInterval(timer);
}

/** Resolves once each part has its outcome. */
function sendParts(
  runner: PipelineRunner,
  { durationS, arrivalRps, seed }: Omit<SourcesQuestion, 'changeEveryS'>,
): Promise<readonly PipelineOutcome[]> {
  const rng = new SeededRng(seed);
  const arrivals = poissonArrivals(arrivalRps, 1000 * durationS, rng.fork('arrivals'));
  const delays = partDelays(sourceLoad, rng.fork('parts'));
  const startedAtMs = preciseClock.nowMs();
  const sent: Promise<PipelineOutcome>[] = [];
  const inputs = (source: number): TensorMap => ({
    [source === 0 ? 'letter' : 'scan']: { datatype: 'FP32', shape: [1], data: Float32Array.of(1) },
  });
  return new Promise((resolve) => {
    let pending = 1;
    const done = () => {
      pending -= 1;
      if (pending === 0) resolve(Promise.all(sent));
    };
    const at = (atMs: number, work: () => void) => {
      pending += 1;
      preciseClock.ringAt(startedAtMs + atMs, () => {
        work();
        done();
      });
    };
    const next = (number: number) => {
      const atMs = arrivals.nextAtMs();
      if (atMs === undefined) return;
      at(atMs, () => {
        for (const [source, delayMs] of delays().entries())
          if (delayMs !== undefined)
            at(atMs + delayMs, () => sent.push(runner.submitPart({ source, key: `${number}` }, inputs(source))));
        next(number + 1);
      });
    };
    next(0);
    done();
  });
}

function simulateSources(spec: PipelineSpec, curves: ServiceCurves, question: SourcesQuestion) {
  const { durationS, arrivalRps, changeEveryS, seed } = question;
  const rng = new SeededRng(seed);
  const durationMs = 1000 * durationS;
  const requests = poissonArrivals(arrivalRps, durationMs, rng.fork('arrivals'));
  const arrivals = new JoinedArrivals({ spec, load: sourceLoad, requests, durationMs, rng });
  const latencies = new LatencyHistogram();
  let change = 0;
  const { tally } = simulatePlan({
    ...{ spec, curves, arrivals, plan: planOf(0), rng: rng.fork('run'), hostCores: Number.POSITIVE_INFINITY },
    drops: true,
    controller: {
      intervalMs: 1000 * changeEveryS,
      decide: ({ observe }) => diffPlans(observe().runningPlan, planOf(++change), spec),
      loadMs: () => 100,
    },
    onEnd: ({ latencyMs }) => {
      if (latencyMs !== undefined) latencies.record(latencyMs);
    },
  });
  return { counts: arrivals.counts, latencies, requests: tally.arrived };
}
