/**
 * What keeps the loop from making things worse: pure checks of what it wants against what it did. Changes per hour, back-off and smaller steps
 * bound improvements only: a change that is necessary for the SLO is never put off. The budget bounds all.
 */
import type { Decision, Forecast, LoadObservation } from '../model/decision.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import type { RunningPlan, RunningStage } from '../model/running-plan.js';
import { isWithin, limitsOf, totalUse, useOf } from '../optimize/problem/resource-use.js';
import type { SwitchRules } from './kept-variants.js';

/** How far the loop may go. */
export interface GuardrailRules extends SwitchRules {
  /** Changes in an hour from which on only what is necessary is done. */
  readonly mostChangesPerHour: number;
  /** An improvement takes at most this part of its replicas from a stage at a time. */
  readonly largestDownstepFraction: number;
  /** A forecast counts for no more than so many times the largest second of the last ten minutes. */
  readonly largestForecastRatio: number;
}

/** The usual rules. */
export const usualGuardrails: GuardrailRules = {
  mostChangesPerHour: 60,
  largestDownstepFraction: 0.5,
  largestForecastRatio: 3,
  leastSwitchSavingFraction: 0.1,
  leastSwitchPas: 0.01,
};

/** A decision that changes something. */
export type ApplyDecision = Extract<Decision, { kind: 'apply' }>;

const HOUR_MS = 3_600_000;

/** Those of the instants that lie in the last hour. */
export function inLastHour(atMs: readonly number[], nowMs: number): readonly number[] {
  return atMs.filter((each) => each > nowMs - HOUR_MS && each <= nowMs);
}

/** What an improvement has to save of the cost, or to bring of PAS, when all changes of an hour have been made but one. */
const LAST_SAVING_FRACTION = 0.2;
const LAST_PAS = 0.02;

/** The changes so far, and what runs. */
export interface ChangesSoFar {
  readonly appliedAtMs: readonly number[];
  readonly nowMs: number;
  readonly running?: Plan;
}

/**
 * Why an improvement has to wait for the changes before it to grow old; undefined where it need not. The fewer are left in the hour the more
 * it has to gain, so that some are left as long as there is much to gain: of a load that falls for an hour every step is one.
 */
export function tooManyChanges(
  { evidence, plan }: ApplyDecision,
  { appliedAtMs, nowMs, running }: ChangesSoFar,
  { mostChangesPerHour }: GuardrailRules,
): string | undefined {
  const count = inLastHour(appliedAtMs, nowMs).length;
  if (evidence.necessary === true) return undefined;
  if (count >= mostChangesPerHour) return `${count} changes in the last hour: only what is necessary is done`;
  if (running === undefined || running.predicted.costPerHour === 0) return undefined;
  const scarcity = (count / mostChangesPerHour) ** 2;
  const saved = 1 - plan.predicted.costPerHour / running.predicted.costPerHour;
  const gainedPas = plan.predicted.pas - running.predicted.pas;
  if (saved >= LAST_SAVING_FRACTION * scarcity || gainedPas >= LAST_PAS * scarcity) return undefined;
  return `${count} changes in the last hour: this one gains too little`;
}

/** The forecast as far as it can be believed; undefined where it is no number at all. */
export function believed(
  forecast: Forecast,
  { arrivalsPerSecond }: LoadObservation,
  { largestForecastRatio }: GuardrailRules,
): Forecast | undefined {
  const { meanRps, upperRps } = forecast;
  if (![meanRps, upperRps].every((rps) => Number.isFinite(rps) && rps >= 0)) return undefined;
  const mostRps = largestForecastRatio * Math.max(1, ...arrivalsPerSecond);
  return upperRps <= mostRps ? forecast : { ...forecast, meanRps: Math.min(meanRps, mostRps), upperRps: mostRps };
}

/** The plan with no stage taken down further than one step from what runs, where the budget has room for that. */
export function steppedDown(
  spec: PipelineSpec,
  { plan, running }: { readonly plan: Plan; readonly running: RunningPlan },
  { largestDownstepFraction }: GuardrailRules,
): Plan {
  const stages: Plan['stages'] = Object.fromEntries(
    Object.entries(plan.stages).map(([id, stagePlans]) => {
      const [first, ...rest] = stagePlans;
      const present = first === undefined ? 0 : replicasLike(first, running.stages[id as keyof typeof running.stages]);
      const least = Math.ceil((1 - largestDownstepFraction) * present);
      return [
        id,
        first === undefined || first.replicas >= least ? stagePlans : [{ ...first, replicas: least }, ...rest],
      ];
    }),
  );
  const stepped = withUse(spec, { ...plan, stages });
  return keepsToBudget(spec, stepped) ? stepped : plan;
}

function replicasLike({ variantId, resources }: StagePlan, running: RunningStage | undefined): number {
  const live = running?.replicas.filter(({ status }) => status === 'ready' || status === 'starting') ?? [];
  return live.filter((replica) => replica.variantId === variantId && replica.resources.cpuCores === resources.cpuCores)
    .length;
}

/** The plan with cores and cost of its stages as they stand. */
export function withUse(spec: PipelineSpec, plan: Plan): Plan {
  const [cpuCores, , , costPerHour] = useOfPlan(spec, plan);
  return { ...plan, predicted: { ...plan.predicted, cpuCores, costPerHour } };
}

/** Whether a plan keeps to the pins of the pipeline. */
export function keepsToPins(spec: PipelineSpec, { stages }: Plan): boolean {
  return spec.stages.every(({ id, pins }) =>
    (stages[id] ?? []).every(
      ({ variantId, resources, maxBatchSize, replicas }) =>
        variantId === (pins.variantId ?? variantId) &&
        resources.cpuCores === (pins.cpuCores ?? resources.cpuCores) &&
        maxBatchSize === (pins.maxBatchSize ?? maxBatchSize) &&
        replicas === (pins.replicas ?? replicas),
    ),
  );
}

/** Whether a plan keeps to the budget of the pipeline. */
export function keepsToBudget(spec: PipelineSpec, plan: Plan): boolean {
  const limits = limitsOf(spec);
  return useOfPlan(spec, plan).every((amount, kind) => isWithin(amount, limits[kind] ?? Number.POSITIVE_INFINITY));
}

function useOfPlan(spec: PipelineSpec, { stages }: Plan) {
  const uses = Object.values(stages).flat();
  return totalUse(uses.map(({ resources, replicas }) => useOf(resources, replicas, spec.prices)));
}
