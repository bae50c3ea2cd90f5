/** One-stage pipeline for controller steps, and observations of it. */
import { smoothedRate } from '../forecast/smoothed-rate.js';
import type { Observation } from '../model/decision.js';
import { replicaId, stageId, variantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { RunningPlan } from '../model/running-plan.js';
import { smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { type ControllerState, newController } from './controller-state.js';
import { type ControllerRules, controlPolicies, usualGuardrails } from './rules.js';
import { controlStep } from './step.js';

export const detect = stageId('detect');
const prices = { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 };

/** Variant large serves 20 rps per core. The accuracy floor excludes variant small. */
export const spec: PipelineSpec = {
  ...smallOrLargeSpec(),
  prices,
  budget: { cpuCores: 30 },
  objective: { kind: 'min-cost', accuracyFloor: 0.9 },
  control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 1000, minDwellMs: 20_000 },
};

export function rulesFor(described: PipelineSpec, over: Partial<ControllerRules> = {}): ControllerRules {
  const curves = requireCurves(described, []);
  const verifierAt = verifiersOf({ spec: described, curves, hostCores: 64, seed: 1, workStageRequests: 20_000 });
  const policy = controlPolicies.equipoise;
  return {
    spec: described,
    profiles: [],
    curves,
    policy,
    forecaster: smoothedRate,
    verifierAt,
    guardrails: usualGuardrails,
    ...over,
  };
}

/** Ready replicas, one core each. */
export function running(replicas: number, variant = 'large'): RunningPlan {
  const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
  const all = Array.from({ length: replicas }, (_, i) => ({
    ...{ replicaId: replicaId(`r${i}`), variantId: variantId(variant), resources },
    status: 'ready' as const,
  }));
  return { stages: { [detect]: { replicas: all, maxBatchSize: 1, maxBatchWaitMs: 0 } } };
}

interface Seen {
  readonly counts: readonly number[];
  readonly running: RunningPlan;
  readonly dropped?: number;
  readonly failed?: number;
  readonly stale?: readonly string[];
}

export const observe = (
  atS: number,
  { counts, running: runningPlan, dropped = 0, failed, stale = [] }: Seen,
): Observation => ({
  atMs: 1000 * atS,
  load: { arrivalsPerSecond: counts },
  stages: { [detect]: { queueLength: 0, droppedTotal: dropped, variantSinceMs: 0 } },
  runningPlan,
  ...(failed !== undefined && { failedTotal: failed }),
  staleSources: stale,
});

export const steady = (rps: number, seconds = 120): number[] => new Array<number>(seconds).fill(rps);

/** State at 130 s, after a plan for a steady load. */
export function plannedFor(rules: ControllerRules, rps: number, runningPlan: RunningPlan): ControllerState {
  const start = { ...newController, nextPlanAtMs: 130_000 };
  return controlStep(rules, start, observe(130, { counts: steady(rps), running: runningPlan })).state;
}
