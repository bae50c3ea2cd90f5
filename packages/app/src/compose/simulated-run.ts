/** Simulates a fixed plan or a policy, for `simulate` and `experiment`. */
import {
  arrivalRng,
  type ControlContext,
  type ControllerRules,
  controlPolicies,
  firstPlan,
  simulateControl,
  usualGuardrails,
  variantChoice,
} from '@equipoise/core/control';
import { type Forecaster, forecastMethods, smoothedRate } from '@equipoise/core/forecast';
import { type PipelineSpec, type Plan, type ProfileSet, SeededRng } from '@equipoise/core/model';
import { type PolicyName, pipelineAccuracy, requireCurves } from '@equipoise/core/plan';
import type { SourceCounts } from '@equipoise/core/serve';
import {
  arrivalsOf,
  type LoadSpec,
  loadDurationS,
  type SimulationReport,
  type SimulationRun,
  simulatePlan,
  simulationReport,
} from '@equipoise/core/simulate';
import { plannedHostCores, verdictsFor } from './plan-verification.js';
import { joinedArrivals, type SourceFlags } from './source-load.js';

/** Request for a simulation. A plan stays fixed; a policy plans at every tick. */
export interface RunRequest {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly load: LoadSpec;
  readonly seed: number;
  /** How several sources send the parts of the load. Without flags, the load is that of requests that begin. */
  readonly sourceFlags?: SourceFlags;
  readonly by: { readonly plan: Plan } | { readonly policy: PolicyName };
  /** Forecaster; default: that of the served loop. */
  readonly forecaster?: Forecaster;
  /** Verifiers with shared verdicts; default: new ones. */
  readonly verifierAt?: ControlContext['verifierAt'];
  /** Seconds at the start that do not count. */
  readonly excludeFirstS?: number;
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
  const { spec, by } = request;
  const input = runInput(request);
  const { run, decisions } =
    'plan' in by ? { run: fixedRun(request, by.plan, input), decisions: 0 } : controlledRun(request, by.policy, input);
  const { joined } = input;
  const sources = joined && Object.fromEntries(spec.sources.map(({ name }, index) => [name, joined.counts[index]]));
  return { figures: { ...simulationReport(spec, run), decisions, ...(sources && { sources }) } as RunFigures, run };
}

function fixedRun(request: RunRequest, plan: Plan, input: RunInput): SimulationRun {
  const { spec, profiles, seed } = request;
  const { pas } = pipelineAccuracy(spec, variantChoice(plan.stages));
  // A plan above the budget needs a host with more cores.
  const hostCores = Math.max(plannedHostCores(spec), Math.ceil(coresOf(plan)));
  return simulatePlan({
    ...input,
    spec,
    plan,
    hostCores,
    curves: requireCurves(spec, profiles),
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
  const { spec, profiles, load, seed, forecaster = smoothedRate } = request;
  const hostCores = plannedHostCores(spec);
  const context: ControllerRules = {
    spec,
    profiles,
    forecaster,
    curves: requireCurves(spec, profiles),
    policy: controlPolicies[policy],
    verifierAt: request.verifierAt ?? verdictsFor(spec, profiles),
    ...(policy === 'equipoise' && { learning: { methods: forecastMethods, seed }, guardrails: usualGuardrails }),
  };
  const run = simulateControl({
    ...input,
    context,
    hostCores,
    seed,
    firstPlan: firstPlan(context, load, seed),
  });
  return { run, decisions: run.decisions.length };
}

type RunInput = ReturnType<typeof runInput>;

function runInput({ spec, load, seed, excludeFirstS = 0, sourceFlags = {}, onProgress }: RunRequest) {
  let nextAtMs = 0;
  const requests = arrivalsOf(load, arrivalRng(seed));
  const durationMs = loadDurationS(load) * 1000;
  const joined = joinedArrivals(spec, sourceFlags, { requests, durationMs, seed });
  return {
    joined,
    arrivals: joined ?? requests,
    measureFromMs: Math.min(excludeFirstS * 1000, durationMs),
    onEnd: ({ endedAtMs }: { readonly endedAtMs: number }) => {
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
