/**
 * Input and signature of policies. Optional fields override the pipeline file. Policies are pure; the clock only
 * measures `certificate.elapsedMs`.
 */
import type { Clock } from '../kernel/clock.js';
import { AppError } from '../model/app-error.js';
import type { Burstiness } from '../model/expected-load.js';
import type { StageId, VariantId } from '../model/ids.js';
import type { Budget, Objective, PipelineSpec, Slo, StagePins, StageSpec } from '../model/pipeline-spec.js';
import type { Plan, PlanResult, SimulatedRun } from '../model/plan.js';
import type { ProfileSet } from '../model/profile-point.js';
import type { RunningPlan } from '../model/running-plan.js';

/** Distributions of sojourn times, or the formula of the literature. */
export type Estimator = 'distribution' | 'sum-of-tails';

export interface PlanningProblem {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  /** Planned rate. At 0, a plan only has to answer one request in time. */
  readonly arrivalRps: number;
  readonly burstiness?: Burstiness;
  readonly runningPlan?: RunningPlan;
  /** Plans that may be feasible, such as those of related problems. Each plan that would be better is verified. */
  readonly candidates?: readonly Plan['stages'][];
  readonly estimator: Estimator;
  readonly slo?: Slo;
  readonly budget?: Budget;
  readonly objective?: Objective;
  readonly pins?: Readonly<Record<StageId, StagePins>>;
  /** Variants to choose from, by stage. Default: all. */
  readonly variants?: ReadonlyMap<StageId, readonly VariantId[]>;
  /** Of a case: stages that `spec` lacks because its plans omit them. Only measured accuracies count. */
  readonly omitted?: readonly StageSpec[];
  /** Of a case: thresholds of its plans, by stage; `spec` has no other ones. Only measured accuracies count. */
  readonly thresholds?: ReadonlyMap<StageId, number>;
  /** Of a case: quorums of its plans, by carrier; `spec` has no other ones. Only measured accuracies count. */
  readonly quorums?: ReadonlyMap<StageId, number>;
  /** Maximum labels in memory during a solve. If reached, the result is the best plan found, with a proven gap. */
  readonly labelLimit?: number;
  /** Maximum work of a search in full verifications; default 165. */
  readonly workLimit?: number;
  readonly clock?: Clock;
  /**
   * Items per second that one replica of a baseline must reach at its base cores. Default 4, as published for the video
   * pipeline.
   */
  readonly baseRps?: number;
  /**
   * Verifies the relaxations of an infeasible problem, which may double the time; default true. If false, they are
   * estimates and may be too small.
   */
  readonly verifiesAdvice?: boolean;
}

/** True for cases whose accuracies are no products. */
export const countsOnlyMeasured = ({ omitted, thresholds, quorums }: PlanningProblem): boolean =>
  (omitted ?? thresholds ?? quorums) !== undefined;

/**
 * Simulates a plan at the planned rate against `slo`. An inconclusive verdict counts as a miss. `workFraction`: length
 * of a single run relative to a full verification. A run below 1 (quick look) may reject a plan, but never accepts it.
 */
export type VerifyPlan = (plan: Plan, slo: Slo, workFraction?: number) => SimulatedRun;

/** Without `verify`, the estimate alone decides. */
export type Policy = (problem: PlanningProblem, verify?: VerifyPlan) => PlanResult;

const wrong = (message: string): AppError => new AppError('WRONG_USAGE', message);

function checkNumbers(problem: PlanningProblem, spec: PipelineSpec): void {
  if (!(problem.arrivalRps >= 0 && Number.isFinite(problem.arrivalRps)))
    throw wrong(`The arrival rate must be a number of at least 0, found ${problem.arrivalRps}.`);
  if (!(spec.slo.latencyMs > 0)) throw wrong(`slo.latencyMs must be above 0, found ${spec.slo.latencyMs}.`);
  if (!(spec.slo.percentile > 0 && spec.slo.percentile < 100))
    throw wrong(`slo.percentile must lie between 0 and 100, found ${spec.slo.percentile}.`);
  for (const [field, limit] of Object.entries(spec.budget))
    if (!(limit >= 0)) throw wrong(`budget.${field} must be a number of at least 0, found ${limit}.`);
  const { objective } = spec;
  if (objective.kind === 'min-cost' && !(objective.accuracyFloor >= 0 && objective.accuracyFloor <= 1))
    throw wrong(`The accuracy floor must lie between 0 and 1, found ${objective.accuracyFloor}.`);
  if (objective.kind === 'weights' && ![objective.accuracy, objective.cost, objective.batch].every((w) => w >= 0))
    throw wrong('The weights of accuracy, cost and batch must be numbers of at least 0.');
}

const effectiveSpecs = new WeakMap<PlanningProblem, PipelineSpec>();

/** Applies the problem's overrides. Throws AppError WRONG_USAGE for impossible numbers. */
export function specOf(problem: PlanningProblem): PipelineSpec {
  const known = effectiveSpecs.get(problem);
  if (known !== undefined) return known;
  const { spec, pins } = problem;
  const effective: PipelineSpec = {
    ...spec,
    slo: problem.slo ?? spec.slo,
    budget: problem.budget ?? spec.budget,
    objective: problem.objective ?? spec.objective,
    stages: pins === undefined ? spec.stages : spec.stages.map((s) => ({ ...s, pins: pins[s.id] ?? s.pins })),
  };
  checkNumbers(problem, effective);
  effectiveSpecs.set(problem, effective);
  return effective;
}
