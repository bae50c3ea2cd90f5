/** A control loop that switches to a cheaper variant: canary, trial and service feedback together. */

import { controlPolicies, usualGuardrails } from '../../packages/core/src/control/rules.js';
import { simulateControl, type TimedDecision } from '../../packages/core/src/control/simulate-control.js';
import { smoothedRate } from '../../packages/core/src/forecast/smoothed-rate.js';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { variantId } from '../../packages/core/src/model/ids.js';
import type { PipelineSpec, VariantSpec } from '../../packages/core/src/model/pipeline-spec.js';
import type { ProfileSet } from '../../packages/core/src/model/profile-point.js';
import { chainSpec, planOf } from '../../packages/core/src/model/spec-builders.test-support.js';
import { requireCurves } from '../../packages/core/src/profile/service-curves.js';
import { poissonArrivals } from '../../packages/core/src/simulate/arrivals/constant-rate.js';
import { verifiersOf } from '../../packages/core/src/simulate/plan-verifier.js';

export interface TrialCase {
  readonly slowness: number;
  readonly canary: boolean;
}

export const trialCases: readonly TrialCase[] = [1, 1.3, 1.6, 2].flatMap((slowness) => [
  { slowness, canary: true },
  { slowness, canary: false },
]);

/**
 * Outcomes of many seeds. A switch is reverted by the canary, by the trial, or by a plan with corrected service times.
 * `medianS` counts from the decision. `lostFraction` is over the requests of the 90 s after the decision.
 */
export interface TrialFigures {
  readonly switched: number;
  readonly byCanary: number;
  readonly byTrial: number;
  readonly byPlan: number;
  readonly medianS: number;
  readonly lostFraction: number;
}

const RPS = 50;
const END_MS = 110_000;
const COUNTED_MS = 90_000;

/** `v` runs. By its profile, `w` takes 0.8 × the times of `v`; its true times are `slowness` × its profile. */
function specOf(factorOfW: number, canary: boolean): PipelineSpec {
  const variant = (id: string, meanMs: number, base: VariantSpec): VariantSpec => ({
    ...base,
    id: variantId(id),
    profile: [1, 4].map((batchSize) => ({ cpuCores: 1, batchSize, meanMs: batchSize === 1 ? meanMs : 2.3 * meanMs })),
  });
  const chain = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 100 }] });
  const stages = chain.stages.map((stage) => {
    const [base] = stage.variants;
    if (base === undefined) throw new Error('a stage with a variant');
    return { ...stage, variants: [variant('v', 100, base), variant('w', 80 * factorOfW, base)] };
  });
  const control = { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 500, minDwellMs: 0 } as const;
  return {
    ...chain,
    stages,
    budget: { cpuCores: 12 },
    objective: { kind: 'min-cost', accuracyFloor: 0.9 },
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    control: canary ? control : { ...control, canary: false },
  };
}

interface TrialRun {
  readonly endedBy: 'canary' | 'trial' | 'plan' | undefined;
  readonly endedAfterMs: number;
  readonly lostFraction: number;
}

/** Undefined if the loop does not switch. */
function runTrial({ slowness, canary }: TrialCase, seed: number): TrialRun | undefined {
  const spec = specOf(1, canary);
  const partsFor = (profiles: ProfileSet) => {
    const curves = requireCurves(spec, profiles);
    const verifierAt = verifiersOf({ spec, curves, hostCores: 32, seed, workStageRequests: 4_000 });
    return { profiles, curves, verifierAt };
  };
  const context = {
    ...{ spec, policy: controlPolicies.equipoise, forecaster: smoothedRate, guardrails: usualGuardrails },
    ...partsFor([]),
    partsFor,
  };
  const failedAtMs: number[] = [];
  const ends: { readonly atMs: number; readonly isLost: boolean }[] = [];
  const { decisions } = simulateControl({
    ...{ context, hostCores: 32, seed },
    trueCurves: requireCurves(specOf(slowness, canary), []),
    firstPlan: planOf(spec, { maxBatchSize: 4, replicas: 5 }),
    arrivals: poissonArrivals(RPS, END_MS, new SeededRng(seed + 1_000)),
    onTick: ({ observation: { atMs, lastChange } }) => {
      if (lastChange?.kind === 'failed') failedAtMs.push(atMs);
    },
    onEnd: ({ arrivedAtMs, latencyMs = Number.POSITIVE_INFINITY }) =>
      ends.push({ atMs: arrivedAtMs, isLost: latencyMs > spec.slo.latencyMs }),
  });
  const switched = decisions.find((each) => variantOf(each) === 'w');
  if (switched === undefined) return undefined;
  const { atMs: sinceMs } = switched;
  const later = decisions.filter(({ atMs }) => atMs > sinceMs);
  const ways = [
    ['canary', failedAtMs.find((atMs) => atMs > sinceMs)],
    ['trial', later.find(({ trigger }) => trigger === 'roll-back')?.atMs],
    ['plan', later.find((each) => each.trigger !== 'roll-back' && variantOf(each) === 'v')?.atMs],
  ] as const;
  const [endedBy, endedAtMs = Number.POSITIVE_INFINITY] = ways.reduce((first, way) =>
    (way[1] ?? Number.POSITIVE_INFINITY) < (first[1] ?? Number.POSITIVE_INFINITY) ? way : first,
  );
  const counted = ends.filter(({ atMs }) => atMs >= sinceMs && atMs < sinceMs + COUNTED_MS);
  const lostFraction = counted.filter(({ isLost }) => isLost).length / counted.length;
  const isEnded = endedAtMs < Number.POSITIVE_INFINITY;
  return { endedBy: isEnded ? endedBy : undefined, endedAfterMs: endedAtMs - sinceMs, lostFraction };
}

/** Variant of an applied plan. */
function variantOf({ decision }: TimedDecision): string | undefined {
  return decision.kind === 'apply' ? Object.values(decision.plan.stages)[0]?.[0]?.variantId : undefined;
}

/** Simulates seeds 0 to `runs` − 1. */
export function measureTrial(tried: TrialCase, runs: number): TrialFigures {
  const switched = Array.from({ length: runs }, (_, seed) => runTrial(tried, seed)).filter((run) => run !== undefined);
  const ended = switched.map(({ endedAfterMs }) => endedAfterMs / 1000).sort((a, b) => a - b);
  const by = (way: TrialRun['endedBy']) => switched.filter(({ endedBy }) => endedBy === way).length;
  return {
    ...{ switched: switched.length, byCanary: by('canary'), byTrial: by('trial'), byPlan: by('plan') },
    medianS: ended[Math.floor(ended.length / 2)] ?? Number.POSITIVE_INFINITY,
    lostFraction: switched.reduce((sum, each) => sum + each.lostFraction, 0) / switched.length,
  };
}
