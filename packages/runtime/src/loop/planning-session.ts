/** Planning session of one pipeline: control session and planner with verification. Synchronous. */
import {
  type ControllerRules,
  type ControllerSnapshot,
  ControlSession,
  controlPolicies,
  type LaterObservation,
  pinnedSpec,
  type Tick,
  type TickAnswer,
  usualGuardrails,
} from '@equipoise/core/control';
import { diagnose, type IncidentCard } from '@equipoise/core/diagnose';
import { forecastMethods, smoothedRate } from '@equipoise/core/forecast';
import type { Objective, PinsByStage, PipelineSpec, Plan, PlanResult, ProfileSet } from '@equipoise/core/model';
import {
  estimateStages,
  type Frontier,
  frontier,
  type PlanningProblem,
  type PolicyName,
  policies,
  requireCurves,
} from '@equipoise/core/plan';
import { verifiersOf } from '@equipoise/core/simulate';
import type { DiagnosisQuestion } from './pipeline-diagnosis.js';

/** `hostCores` is Infinity if the replicas are not on one host. */
export interface PlanningSetup {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly hostCores: number;
  readonly seed: number;
  /** Policy that the ticks follow; default equipoise. */
  readonly policy?: PolicyName;
  /** Requests of one verification, counted at all stages; default 100,000. */
  readonly workStageRequests?: number;
  /** `wideBuckets` of the rules. */
  readonly wideBuckets?: boolean;
}

export interface PlanAssumptions {
  readonly sloLatencyMs?: number;
  readonly budgetCpuCores?: number;
  readonly objective?: Objective;
  readonly pins?: PinsByStage;
}

export type ReloadedSetup = Pick<PlanningSetup, 'spec' | 'hostCores'>;

export interface PlanTask {
  readonly kind: 'plan';
  readonly policy: PolicyName;
  readonly arrivalRps: number;
  readonly verify: boolean;
  readonly assuming?: PlanAssumptions;
}

/** Searches the most accurate plan for each cost, at a rate. Has at most `mostPoints` points. */
export interface FrontierTask {
  readonly kind: 'frontier';
  readonly arrivalRps: number;
  readonly mostPoints: number;
  readonly assuming?: PlanAssumptions;
}

/**
 * A tick, a plan for a rate, a frontier, the prediction of a plan, a diagnosis, a snapshot to resume or return, or a changed
 * spec.
 */
export type PlanningTask =
  | ({ readonly kind: 'tick' } & Tick)
  | PlanTask
  | FrontierTask
  | { readonly kind: 'estimate'; readonly stages: Plan['stages']; readonly arrivalRps: number }
  | { readonly kind: 'resume'; readonly kept: ControllerSnapshot }
  | { readonly kind: 'diagnose'; readonly question: DiagnosisQuestion }
  | { readonly kind: 'keep' }
  | ({ readonly kind: 'reload' } & ReloadedSetup);

interface Answers {
  readonly tick: TickAnswer;
  readonly plan: PlanResult;
  readonly frontier: Frontier | PlanResult;
  readonly estimate: ReturnType<typeof estimateStages>;
  readonly resume: undefined;
  readonly diagnose: IncidentCard;
  readonly keep: ControllerSnapshot;
  readonly reload: undefined;
}

export type PlanningAnswer<Task extends PlanningTask> = Answers[Task['kind']];

/** Rules of a served pipeline. Throws AppError PROFILE_MISSING or PROFILE_INVALID. */
export function controllerRules({
  spec,
  profiles,
  policy = 'equipoise',
  wideBuckets = false,
  ...simulated
}: PlanningSetup): ControllerRules {
  const partsFor = (set: ProfileSet, of: PipelineSpec) => {
    const curves = requireCurves(of, set);
    return { profiles: set, curves, verifierAt: verifiersOf({ spec: of, curves, ...simulated }) };
  };
  return {
    spec,
    ...partsFor(profiles, spec),
    policy: controlPolicies[policy],
    forecaster: smoothedRate,
    wideBuckets,
    // The other policies are as published: they learn nothing.
    ...(policy === 'equipoise' && {
      partsFor,
      learning: { methods: forecastMethods, seed: simulated.seed },
      guardrails: usualGuardrails,
    }),
  };
}

/** Ticks come in the order of time. */
export class PlanningSession {
  readonly control: ControlSession;
  #setup: PlanningSetup;

  /**
   * `betweenVerdicts` is called before each verification, and may throw. The constructor throws the errors of
   * `controllerRules`.
   */
  constructor(setup: PlanningSetup, betweenVerdicts: () => void = () => {}) {
    this.#setup = setup;
    this.control = new ControlSession(controllerRules(setup), { betweenVerdicts });
  }

  /** A burst in a `later` observation preempts the plan of a tick. */
  answer<Task extends PlanningTask>(task: Task, later?: LaterObservation): PlanningAnswer<Task>;
  answer(task: PlanningTask, later?: LaterObservation): Answers[PlanningTask['kind']] {
    const { control } = this;
    switch (task.kind) {
      case 'tick':
        return control.tick(task, later);
      case 'resume':
        control.resume(task.kept);
        return undefined;
      case 'keep':
        return control.snapshot;
      case 'reload':
        this.#reload(task);
        return undefined;
      case 'estimate':
        return estimateStages(control.rules, task.stages, task.arrivalRps);
      case 'diagnose': {
        const { spec, profiles, hostCores } = this.#setup;
        return diagnose({ ...task.question, spec, profiles, hostCores });
      }
      case 'plan':
        return planFor(this.#setup, control.rules, task);
      case 'frontier':
        return frontierFor(this.#setup, control.rules, task);
    }
  }

  #reload({ spec, hostCores }: ReloadedSetup): void {
    const reloaded = { ...this.#setup, spec, hostCores };
    this.control.reload(controllerRules(reloaded));
    this.#setup = reloaded;
  }
}

function planFor(
  { spec: _, profiles: __, wideBuckets: ___, ...simulated }: PlanningSetup,
  { spec, profiles, verifierAt, curves }: ControllerRules,
  { policy, arrivalRps, verify, assuming = {} }: PlanTask,
): PlanResult {
  const assumed = assumedSpec(spec, assuming);
  const problem: PlanningProblem = {
    spec: assumed,
    profiles,
    arrivalRps,
    estimator: 'distribution',
    clock: { nowMs: () => performance.now() },
  };
  const verifiers = assumed === spec ? verifierAt : verifiersOf({ spec: assumed, curves, ...simulated });
  return policies[policy](problem, verify ? verifiers({ arrivalRps }) : undefined);
}

function frontierFor(
  { spec: _, profiles: __, wideBuckets: ___, ...simulated }: PlanningSetup,
  { spec, profiles, curves }: ControllerRules,
  { arrivalRps, mostPoints, assuming = {} }: FrontierTask,
): Frontier | PlanResult {
  const assumed = assumedSpec(spec, assuming);
  const problem: PlanningProblem = {
    spec: assumed,
    ...{ profiles, arrivalRps, estimator: 'distribution' },
    clock: { nowMs: () => performance.now() },
  };
  return frontier(problem, verifiersOf({ spec: assumed, curves, ...simulated })({ arrivalRps }), { mostPoints });
}

function assumedSpec(
  spec: PipelineSpec,
  { sloLatencyMs, budgetCpuCores, objective, pins = {} }: PlanAssumptions,
): PipelineSpec {
  const pinned = pinnedSpec(spec, pins);
  if (sloLatencyMs === undefined && budgetCpuCores === undefined && objective === undefined) return pinned;
  return {
    ...pinned,
    ...(sloLatencyMs !== undefined && { slo: { ...spec.slo, latencyMs: sloLatencyMs } }),
    ...(budgetCpuCores !== undefined && { budget: { ...spec.budget, cpuCores: budgetCpuCores } }),
    ...(objective !== undefined && { objective }),
  };
}
