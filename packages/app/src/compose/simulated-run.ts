/** Simulates a fixed plan or a policy, for `simulate` and `experiment`. */
import {
  arrivalRng,
  type ControlContext,
  type ControllerRules,
  controlPolicies,
  firstPlan,
  type ObservingPolicy,
  simulateControl,
  simulateObserving,
  usualGuardrails,
} from '@equipoise/core/control';
import { type Forecaster, forecastMethods, smoothedRate } from '@equipoise/core/forecast';
import {
  type PipelineSpec,
  type Plan,
  type ProfilePoint,
  type ProfileSet,
  SeededRng,
  variantChoice,
} from '@equipoise/core/model';
import {
  type PolicyName,
  pipelineAccuracy,
  requireCurves,
  type ServiceCurves,
  scaledPoint,
} from '@equipoise/core/plan';
import type { SourceCounts } from '@equipoise/core/serve';
import {
  arrivalsOf,
  JoinedArrivals,
  type LoadSpec,
  loadDurationS,
  mergeRuns,
  type SimulatedEnd,
  type SimulationReport,
  type SimulationRun,
  simulatePlan,
  simulationReport,
} from '@equipoise/core/simulate';
import { plannedHostCores, verdictsFor } from './plan-verification.js';
import { type SourceFlags, sourceLoadFor } from './source-load.js';

/** Request for a simulation. A plan stays fixed; a policy plans at every tick. */
export interface RunRequest {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly load: LoadSpec;
  readonly seed: number;
  /** Seed of the arrivals; default: `seed`. */
  readonly arrivalSeed?: number;
  /** How several sources send the parts of the load. Without flags, the load is that of requests that begin. */
  readonly sourceFlags?: SourceFlags;
  readonly by: { readonly plan: Plan } | { readonly policy: PolicyName } | { readonly own: ObservingPolicy };
  /** Forecaster; default: that of the served loop. */
  readonly forecaster?: Forecaster;
  /** Verifiers with shared verdicts; default: new ones. */
  readonly verifierAt?: ControlContext['verifierAt'];
  /** Real service times ÷ profiled ones, which plans and drop rules believe. Default 1. */
  readonly profileFactor?: number;
  /** Routers behind a balancer; default 1. */
  readonly routers?: number;
  /** Fractions of the requests by router, which get them at random. Default: a balancer deals them in turn. */
  readonly shares?: readonly number[];
  /** Seconds at the start that do not count. */
  readonly excludeFirstS?: number;
  readonly onEnd?: ((end: SimulatedEnd) => void) | undefined;
  /** Called about once per simulated second. */
  readonly onProgress?: (atMs: number) => void;
}

/** Figures of a run, without durations. */
export interface RunFigures extends SimulationReport {
  /** Number of decisions; 0 for a fixed plan. */
  readonly decisions: number;
  /** Parts by source, if the load is that of parts. */
  readonly sources?: Readonly<Record<string, SourceCounts>>;
}

interface SimulatedRun {
  readonly figures: RunFigures;
  readonly run: SimulationRun;
}

/** Throws PROFILE_MISSING or PROFILE_INVALID, and INFEASIBLE if a policy has no first plan. */
export function simulatedRun(request: RunRequest): SimulatedRun {
  const { spec, routers = 1 } = request;
  if (routers > 1) return routedRun(request, routers);
  const input = runInput(request);
  const { run, decisions } = oneRun(request, input);
  const { joined } = input;
  const sources = joined && Object.fromEntries(spec.sources.map(({ name }, index) => [name, joined.counts[index]]));
  return { figures: { ...simulationReport(spec, run), decisions, ...(sources && { sources }) } as RunFigures, run };
}

const oneRun = (request: RunRequest, input = runInput(request)): { run: SimulationRun; decisions: number } =>
  'plan' in request.by
    ? { run: fixedRun(request, request.by.plan, input), decisions: 0 }
    : 'own' in request.by
      ? ownRun(request, request.by.own, input)
      : controlledRun(request, request.by.policy, input);

/** Distance of the seeds of routers, so that their service times differ. */
const ROUTER_SEEDS = 1_000_003;

/** Each router has its share of the budget or of the plan's replicas. */
function routedRun(request: RunRequest, routers: number): SimulatedRun {
  const { spec, load, by, seed, shares } = request;
  const runs = Array.from({ length: routers }, (_, router) =>
    oneRun({
      ...request,
      spec: { ...spec, budget: shareOf(spec.budget, routers) },
      load: { kind: 'dealt', load, routers, router, ...(shares && { shares }) },
      by: 'plan' in by ? { plan: planShare(by.plan, routers, router) } : by,
      arrivalSeed: seed,
      seed: seed + router * ROUTER_SEEDS,
    }),
  );
  const run = mergeRuns(
    runs.map((each) => each.run),
    spec.slo.latencyMs,
  );
  const decisions = runs.reduce((sum, each) => sum + each.decisions, 0);
  return { figures: { ...simulationReport(spec, run), decisions }, run };
}

const shareOf = (budget: PipelineSpec['budget'], routers: number): PipelineSpec['budget'] =>
  Object.fromEntries(Object.entries(budget).map(([name, limit]) => [name, limit / routers]));

/** Replicas of one router: an equal share, but at least one, because routers do not share replicas. */
function planShare(plan: Plan, routers: number, router: number): Plan {
  const share = (replicas: number) =>
    replicas === 0 ? 0 : Math.max(1, Math.floor((replicas + routers - 1 - router) / routers));
  const stages = Object.entries(plan.stages).map(([id, parts]) => [
    id,
    parts.map((part) => ({ ...part, replicas: share(part.replicas) })),
  ]);
  return { ...plan, stages: Object.fromEntries(stages) as Plan['stages'] };
}

/** Real service times; undefined if they are the profiled ones. */
function trueCurvesOf({ spec, profiles, profileFactor = 1 }: RunRequest): ServiceCurves | undefined {
  if (profileFactor === 1) return undefined;
  const scaled = (points: readonly ProfilePoint[]) => points.map((point) => scaledPoint(point, profileFactor));
  const stages = spec.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({
      ...variant,
      ...(variant.profile && { profile: scaled(variant.profile) }),
    })),
  }));
  const measured = profiles.map((profile) => ({ ...profile, points: scaled(profile.points) }));
  return requireCurves({ ...spec, stages }, measured);
}

function fixedRun(request: RunRequest, plan: Plan, input: RunInput): SimulationRun {
  const { spec, profiles, seed } = request;
  const profiled = requireCurves(spec, profiles);
  const { pas } = pipelineAccuracy(spec, variantChoice(plan.stages));
  // A plan above the budget needs a host with more cores.
  const hostCores = Math.max(plannedHostCores(spec), Math.ceil(coresOf(plan)));
  return simulatePlan({
    ...input,
    spec,
    plan,
    hostCores,
    curves: trueCurvesOf(request) ?? profiled,
    policyCurves: profiled,
    rng: new SeededRng(seed),
    drops: true,
    accuracyOf: () => pas,
  });
}

function controlledRun(
  request: RunRequest,
  policy: PolicyName,
  input: RunInput,
): { run: SimulationRun; decisions: number } {
  const { spec, load, seed, arrivalSeed = seed } = request;
  const hostCores = plannedHostCores(spec);
  const context = policyRules(request, policy);
  const trueCurves = trueCurvesOf(request);
  const run = simulateControl({
    ...input,
    context,
    hostCores,
    seed,
    firstPlan: firstPlan(context, load, arrivalSeed),
    ...(trueCurves && { trueCurves }),
  });
  return { run, decisions: run.decisions.length };
}

/** Rules of a policy, in a simulation and for the first plan of a served pipeline. */
export function policyRules(
  {
    spec,
    profiles,
    seed,
    forecaster = smoothedRate,
    verifierAt = verdictsFor(spec, profiles),
  }: Pick<RunRequest, 'spec' | 'profiles' | 'seed' | 'forecaster' | 'verifierAt'>,
  policy: PolicyName,
): ControllerRules {
  return {
    spec,
    profiles,
    forecaster,
    curves: requireCurves(spec, profiles),
    policy: controlPolicies[policy],
    verifierAt,
    ...(policy === 'equipoise' && { learning: { methods: forecastMethods, seed }, guardrails: usualGuardrails }),
  };
}

/** A user's policy, which decides from measurements. */
function ownRun(
  { spec, profiles, load, seed, arrivalSeed = seed }: RunRequest,
  policy: ObservingPolicy,
  input: RunInput,
): { run: SimulationRun; decisions: number } {
  const run = simulateObserving({
    ...input,
    spec,
    profiles,
    policy,
    seed,
    curves: requireCurves(spec, profiles),
    hostCores: plannedHostCores(spec),
    sampleArrivalsPerSecond: firstSeconds(load, arrivalSeed),
    sampleArrivals: () => arrivalsOf(load, arrivalRng(arrivalSeed)),
  });
  return { run, decisions: run.changes };
}

/** Seconds of a load that a policy knows before it begins. */
const SAMPLE_S = 10;

/** Arrivals in each of the first seconds of a load. */
export function firstSeconds(load: LoadSpec, seed: number): readonly number[] {
  const counts = new Array<number>(SAMPLE_S).fill(0);
  const arrivals = arrivalsOf(load, arrivalRng(seed));
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined && atMs < 1000 * SAMPLE_S; atMs = arrivals.nextAtMs())
    counts[Math.floor(atMs / 1000)] = (counts[Math.floor(atMs / 1000)] ?? 0) + 1;
  return counts;
}

type RunInput = ReturnType<typeof runInput>;

function runInput(request: RunRequest) {
  const { spec, load, seed, arrivalSeed = seed, excludeFirstS = 0, sourceFlags = {}, onProgress, onEnd } = request;
  let nextAtMs = 0;
  const requests = arrivalsOf(load, arrivalRng(arrivalSeed));
  const durationMs = loadDurationS(load) * 1000;
  const sources = sourceLoadFor(spec, sourceFlags);
  const joined = sources && new JoinedArrivals({ spec, load: sources, requests, durationMs, rng: arrivalRng(seed) });
  return {
    joined,
    arrivals: joined ?? requests,
    measureFromMs: Math.min(excludeFirstS * 1000, durationMs),
    loadEndsAtMs: durationMs,
    onEnd: (end: SimulatedEnd) => {
      const { endedAtMs } = end;
      onEnd?.(end);
      if (onProgress === undefined || endedAtMs < nextAtMs) return;
      nextAtMs = endedAtMs + 1000;
      onProgress(endedAtMs);
    },
  };
}

function coresOf({ stages }: Plan): number {
  return Object.values(stages)
    .flat()
    .reduce((sum, { replicas, resources }) => sum + replicas * resources.cpuCores, 0);
}
