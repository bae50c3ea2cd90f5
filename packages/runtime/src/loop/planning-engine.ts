/** Planning and deciding over one pipeline and its profiles: core's functions with their verifier wired in. Synchronous. */
import {
  afterAdvice,
  afterDefect,
  type ControllerRules,
  type ControllerState,
  changedByHand,
  controlPolicies,
  controlStep,
  type KeptController,
  keptController,
  keptNews,
  learnBetween,
  newController,
  notCarriedOut,
  pinnedSpec,
  resumedController,
  rulesInForce,
  type StepInput,
  stepInput,
  stepTrigger,
  usualGuardrails,
  wouldProtect,
} from '@equipoise/core/control';
import { forecastMethods, smoothedRate } from '@equipoise/core/forecast';
import type {
  Decision,
  DecisionTrigger,
  ExpectedLoad,
  Objective,
  Observation,
  PinsByStage,
  PipelineSpec,
  Plan,
  PlanResult,
  ProfileSet,
} from '@equipoise/core/model';
import {
  estimateStages,
  type PlanningProblem,
  type PolicyName,
  policies,
  requireCurves,
  type VerifyPlan,
} from '@equipoise/core/plan';
import { verifiersOf } from '@equipoise/core/simulate';
import { Interruption } from './interruption.js';

/** What an engine plans with. `hostCores` is Infinity where the replicas are not on one host. */
export interface PlanningSetup {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly hostCores: number;
  readonly seed: number;
  /** Requests that one verification of a plan may simulate, counted at all stages; 100,000 when left out. */
  readonly workStageRequests?: number;
}

/** What a question of what would be changes of the pipeline. */
export interface PlanAssumptions {
  readonly sloLatencyMs?: number;
  readonly budgetCpuCores?: number;
  readonly objective?: Objective;
  readonly pins?: PinsByStage;
}

/** How the loop stands at a tick. */
export interface TickCircumstances {
  /** Whether the changes that are decided will be carried out. */
  readonly executes: boolean;
  /** Whether a person has changed what runs since the tick before. */
  readonly changedByHand: boolean;
}

/** What another description of a pipeline changes of a setup. */
export type ReloadedSetup = Pick<PlanningSetup, 'spec' | 'hostCores'>;

/** A question to the engine; `estimate` asks what is predicted of a plan that somebody else has made, `resume` goes on with what was kept of another, `keep` asks what there is to keep, `reload` gives it another description of the pipeline. */
export type PlanningTask =
  | ({ readonly kind: 'tick'; readonly observation: Observation; readonly pins?: PinsByStage } & TickCircumstances)
  | {
      readonly kind: 'plan';
      readonly policy: PolicyName;
      readonly arrivalRps: number;
      readonly verify: boolean;
      readonly assuming?: PlanAssumptions;
    }
  | { readonly kind: 'estimate'; readonly stages: Plan['stages']; readonly arrivalRps: number }
  | { readonly kind: 'resume'; readonly kept: KeptController }
  | { readonly kind: 'keep' }
  | ({ readonly kind: 'reload' } & ReloadedSetup);

/**
 * What came of a tick: no decision between two plans when nothing happens; `kept` when there is news that is worth keeping; `observation` is
 * the later one that it was decided on, where that showed a burst.
 */
export interface TickAnswer {
  readonly observation?: Observation;
  readonly decision?: Decision;
  readonly trigger?: DecisionTrigger;
  readonly input?: StepInput;
  readonly kept?: KeptController;
}

type TickTask = PlanningTask & { readonly kind: 'tick' };

interface Answers {
  readonly tick: TickAnswer;
  readonly plan: PlanResult;
  readonly estimate: ReturnType<typeof estimateStages>;
  readonly resume: undefined;
  readonly keep: KeptController;
  readonly reload: undefined;
}

/** The answer by the kind of the question. */
export type PlanningAnswer<Task extends PlanningTask> = Answers[Task['kind']];

/** The newest observation that has come in since the last call, if any. */
export type LaterObservation = () => Observation | undefined;

/**
 * An engine; ticks are to come in the order of time. While a tick plans, `later` is asked between two verifications: a burst cannot wait for
 * a verified plan, so one that a later observation shows is answered in its place.
 */
export interface PlanningEngine {
  answer<Task extends PlanningTask>(task: Task, later?: LaterObservation): PlanningAnswer<Task>;
  /** To be called behind a tick: what takes time and nobody waits for. */
  learn(): void;
  /** Whether a tick would answer a burst, which takes no plan that has to be verified. */
  isUrgent(tick: TickTask): boolean;
}

/** The longest time in which measurements alone are no news. */
const KEEP_MS = 600_000;

/**
 * The rules by which a served pipeline is controlled; `beforeVerdict` is called before each verification and may throw. Throws AppError
 * PROFILE_MISSING or PROFILE_INVALID when the profiles do not suffice.
 */
export function controllerRules(
  { spec, profiles, ...simulated }: PlanningSetup,
  beforeVerdict: () => void = () => {},
): ControllerRules {
  const partsFor = (set: ProfileSet, of: PipelineSpec) => {
    const curves = requireCurves(of, set);
    const verifiers = verifiersOf({ spec: of, curves, ...simulated });
    const verifierAt = (load: ExpectedLoad): VerifyPlan => {
      const verify = verifiers(load);
      return (plan, slo) => {
        beforeVerdict();
        return verify(plan, slo);
      };
    };
    return { profiles: set, curves, verifierAt };
  };
  return {
    ...{ spec, ...partsFor(profiles, spec), partsFor },
    policy: controlPolicies.equipoise,
    forecaster: smoothedRate,
    learning: { methods: forecastMethods, seed: simulated.seed },
    guardrails: usualGuardrails,
  };
}

/** Makes an engine; throws as `controllerRules` does. `between` is called before each verification, and may throw. */
export function planningEngine(initial: PlanningSetup, between: () => void = () => {}): PlanningEngine {
  let setup = initial;
  const interruption = new Interruption();
  const beforeVerdict = (): void => {
    between();
    interruption.check();
  };
  const rulesFor = (of: PlanningSetup) => controllerRules(of, beforeVerdict);
  const controller = new Controller(rulesFor(setup), interruption);
  const reload = ({ spec, hostCores }: ReloadedSetup): undefined => {
    const reloaded = { ...setup, spec, hostCores };
    controller.reload(rulesFor(reloaded));
    setup = reloaded;
  };
  const answer = (task: PlanningTask, later?: LaterObservation): Answers[PlanningTask['kind']] => {
    switch (task.kind) {
      case 'tick':
        return controller.tick(task, later);
      case 'resume':
        return controller.resume(task.kept);
      case 'keep':
        return controller.kept;
      case 'reload':
        return reload(task);
      case 'estimate':
        return estimateStages(controller.rules, task.stages, task.arrivalRps);
      case 'plan':
        return planned(setup, controller.rules, task);
    }
  };
  return {
    answer: answer as PlanningEngine['answer'],
    learn: () => controller.learn(),
    isUrgent: (tick) => controller.isUrgent(tick),
  };
}

/** The steps of the controller, with what is remembered between them. */
class Controller {
  readonly #interruption: Interruption;
  #rules: ControllerRules;
  #pinned: { readonly key: string; readonly rules: ControllerRules };
  #state: ControllerState = newController;
  /** Whether what was decided last was not to be carried out. */
  #advises = false;
  /** The state that was kept last, and when it was kept whole; missing before the first tick. */
  #kept: { readonly state: ControllerState; readonly wholeAtMs?: number } = { state: newController };

  constructor(rules: ControllerRules, interruption: Interruption) {
    this.#interruption = interruption;
    this.#rules = rules;
    this.#pinned = { key: '{}', rules };
  }

  /** With what was learned. */
  get rules(): ControllerRules {
    return rulesInForce(this.#rules, this.#state);
  }

  /** Goes on by other rules with what was learned; the next plan is made by them. */
  reload(rules: ControllerRules): void {
    this.#rules = rules;
    this.#pinned = { key: '{}', rules };
    this.#state = changedByHand(this.#state);
  }

  get kept(): KeptController {
    return keptController(this.#state);
  }

  resume(kept: KeptController): undefined {
    this.#state = resumedController(kept, this.#rules);
    this.#kept = { state: this.#state };
  }

  tick(
    { observation: first, pins = {}, executes, changedByHand: byHand }: TickTask,
    later?: LaterObservation,
  ): TickAnswer {
    const before = this.#stateBefore({ executes, byHand, atMs: first.atMs });
    const rules = this.#rulesWith(pins);
    const showsBurst = (latest: Observation) => latest.atMs > first.atMs && wouldProtect(rules, before, latest);
    const { step, observation } = this.#whileNothingFails(first, () =>
      this.#interruption.during({ later, showsBurst }, first, (seen) => ({
        observation: seen,
        step: controlStep(rules, before, seen),
      })),
    );
    const { decision, state } = step;
    this.#state = decision?.kind === 'apply' && !executes ? notCarriedOut(before, state) : state;
    const kept = this.#news(observation.atMs);
    if (decision === undefined) return { ...(kept && { kept }) };
    const { load } = observation;
    const input = stepInput(before, state, { load, pins });
    const on = observation === first ? {} : { observation };
    return { ...on, decision, trigger: stepTrigger(before, step), input, ...(kept && { kept }) };
  }

  #whileNothingFails<Result>({ atMs }: Observation, work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      this.#state = afterDefect(this.#state, this.#rules, atMs);
      throw error;
    }
  }

  #stateBefore({ executes, byHand, atMs }: { executes: boolean; byHand: boolean; atMs: number }): ControllerState {
    const state = byHand ? changedByHand(this.#state) : this.#state;
    const advisedOnly = this.#advises && executes;
    this.#advises = !executes;
    return advisedOnly ? afterAdvice(state, atMs) : state;
  }

  isUrgent({ observation, pins = {} }: TickTask): boolean {
    return wouldProtect(this.#rulesWith(pins), this.#state, observation);
  }

  learn(): void {
    this.#state = learnBetween(this.#rules, this.#state);
  }

  /** What is planned is remembered by rules, so these stay the same object as long as the pins do. */
  #rulesWith(pins: PinsByStage): ControllerRules {
    const key = JSON.stringify(pins);
    if (this.#pinned.key !== key)
      this.#pinned = { key, rules: { ...this.#rules, spec: pinnedSpec(this.#rules.spec, pins) } };
    return this.#pinned.rules;
  }

  #news(atMs: number): KeptController | undefined {
    const { state: before, wholeAtMs = atMs } = this.#kept;
    const isWhole = Math.abs(atMs - wholeAtMs) >= KEEP_MS;
    const news = isWhole ? keptController(this.#state) : keptNews(this.#state, before);
    this.#kept = { state: news === undefined ? before : this.#state, wholeAtMs: isWhole ? atMs : wholeAtMs };
    return news;
  }
}

/** A plan for a rate, of the pipeline as it is or as it is assumed to be. */
function planned(
  { spec: _, profiles: __, ...simulated }: PlanningSetup,
  { spec, profiles, verifierAt, curves }: ControllerRules,
  { policy, arrivalRps, verify, assuming = {} }: PlanningTask & { readonly kind: 'plan' },
): PlanResult {
  const assumed = assumedSpec(spec, assuming);
  const problem: PlanningProblem = {
    ...{ spec: assumed, profiles, arrivalRps, estimator: 'distribution' },
    clock: { nowMs: () => performance.now() },
  };
  const verifiers = assumed === spec ? verifierAt : verifiersOf({ spec: assumed, curves, ...simulated });
  return policies[policy](problem, verify ? verifiers({ arrivalRps }) : undefined);
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
