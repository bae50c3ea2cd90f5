/**
 * The control loop in simulated time. It drives a `ControlSession`, and simulates load times, manual actions and
 * planning time.
 */
import { HistoryRecorder } from '../history/history-recorder.js';
import { type Rng, SeededRng } from '../kernel/rng.js';
import { AppError } from '../model/app-error.js';
import type { Change } from '../model/change.js';
import type { Decision, LoadObservation, Observation } from '../model/decision.js';
import type { DecisionTrigger, PinsByStage } from '../model/decision-record.js';
import type { ReplicaId, StageId } from '../model/ids.js';
import type { ControlMode, PipelineSpec } from '../model/pipeline-spec.js';
import { bindingText, type Plan } from '../model/plan.js';
import type { RunningPlan } from '../model/running-plan.js';
import type { ServiceCurves } from '../profile/service-curves.js';
import { arrivalsOf, type LoadSpec } from '../simulate/arrivals/load-spec.js';
import { simulatePlan } from '../simulate/simulate-plan.js';
import type {
  SimulatedController,
  SimulatedView,
  SimulationInput,
  SimulationRun,
} from '../simulate/simulation-input.js';
import { diffPlans } from './diff-plans.js';
import { type BatchKind, BatchRecord } from './feedback/batch-record.js';
import { profiledLoadMs } from './feedback/profile-feedback.js';
import { runningAsPlan } from './plan-facts.js';
import { changesToApply } from './protect.js';
import type { ControlContext, ControllerRules } from './rules.js';
import { ControlSession, type Tick } from './session.js';

/** Manual action: new pins, a mode, or a plan. A plan turns `auto` into `advise`. */
export type HandAction = { readonly atMs: number } & (
  | { readonly pins: PinsByStage }
  | { readonly mode: ControlMode }
  | { readonly plan: Plan }
);

/** Setup of a simulated loop. `hostCores`: as in the verification of plans. */
export interface ControlSetup
  extends Pick<
    SimulationInput,
    'arrivals' | 'hostCores' | 'measureFromMs' | 'loadEndsAtMs' | 'onEnd' | 'faults' | 'clients' | 'laterEdges'
  > {
  readonly context: ControllerRules;
  readonly firstPlan: Plan;
  /** Real service times of batches; default: those of the context. */
  readonly trueCurves?: ServiceCurves;
  /** Real fan-outs and branches, in edge order; default: those of the context. */
  readonly trueEdges?: PipelineSpec['edges'];
  readonly seed: number;
  /** `later`: observation that may preempt the plan of the tick. */
  readonly onTick?: (tick: Tick, later?: Observation) => void;
  readonly actions?: readonly HandAction[];
  /** Time (ms) that planning takes; a burst or a person can preempt it. Default 0. */
  readonly planningMs?: number;
  /** Records a history that begins at this instant. Default: none. */
  readonly historyFromEpochMs?: number;
  /** Changes what the loop sees, for example to a stale observation. */
  readonly seen?: (observation: Observation) => Observation;
}

export interface TimedDecision {
  readonly atMs: number;
  readonly decision: Decision;
  readonly trigger: DecisionTrigger;
}

export interface ControlledRun extends SimulationRun {
  readonly decisions: readonly TimedDecision[];
  readonly history?: HistoryRecorder;
}

export function simulateControl(setup: ControlSetup): ControlledRun {
  const {
    context,
    firstPlan,
    seed,
    trueCurves,
    trueEdges,
    actions = [],
    planningMs = 0,
    onTick,
    seen,
    ...rest
  } = setup;
  const spec: PipelineSpec = { ...context.spec, edges: trueEdges ?? context.spec.edges };
  const curves = trueCurves ?? context.curves;
  const kinds = new Map<ReplicaId, BatchKind>();
  const loop = new SimulatedLoop(context, { actions, planningMs, onTick, seen });
  const { historyFromEpochMs: fromEpochMs } = setup;
  const run = simulatePlan({
    ...rest,
    spec,
    curves,
    plan: firstPlan,
    controller: loop,
    onFleet: (running) => noteKinds(kinds, running),
    onBatch: ({ replicaId, batch }, { serviceMs }) => {
      const kind = kinds.get(replicaId);
      if (kind !== undefined) loop.batches.note(kind, batch.length, serviceMs);
    },
    rng: new SeededRng(seed),
    drops: true,
    accuracyOf: (running) => runningAccuracy(spec, running),
    ...(fromEpochMs !== undefined && {
      recorder: (sample) => {
        loop.history = new HistoryRecorder({
          spec,
          sloLatencyMs: () => spec.slo.latencyMs,
          budgetCores: (atMs) => ({ ...spec, ...context.targetAt?.(atMs) }).budget.cpuCores,
          curves: context.curves,
          startedAtMs: 0,
          epochMsOf: (atMs) => fromEpochMs + atMs,
          sample: () => {
            const state = sample();
            return { ...state, plan: runningAsPlan(spec, state.runningPlan)?.predicted };
          },
        });
        return loop.history;
      },
    }),
  });
  return { ...run, decisions: loop.decisions, ...(loop.history && { history: loop.history }) };
}

interface Planning {
  readonly tick: Tick;
  readonly untilMs: number;
}

interface LoopOptions {
  readonly actions: readonly HandAction[];
  readonly planningMs: number;
  readonly onTick: ControlSetup['onTick'];
  readonly seen: ControlSetup['seen'];
}

class SimulatedLoop implements SimulatedController {
  readonly batches = new BatchRecord();
  readonly decisions: TimedDecision[] = [];
  history: HistoryRecorder | undefined;
  readonly intervalMs: number;
  readonly looksWhileChanging: boolean;
  readonly #context: ControllerRules;
  readonly #session: ControlSession;
  readonly #planningMs: number;
  readonly #onTick: NonNullable<ControlSetup['onTick']>;
  readonly #seen: NonNullable<ControlSetup['seen']>;
  #actions: readonly HandAction[];
  #mode: ControlMode;
  #pins: PinsByStage = {};
  #changedByHand = false;
  #replans = false;
  #planning: Planning | undefined;
  #lastChange: Observation['lastChange'];

  constructor(
    context: ControllerRules,
    { actions, planningMs, onTick = () => {}, seen = (observation) => observation }: LoopOptions,
  ) {
    this.#context = context;
    this.#session = new ControlSession(context);
    this.#actions = actions;
    this.#planningMs = planningMs;
    this.#onTick = onTick;
    this.#seen = seen;
    this.#mode = context.spec.control.mode;
    this.intervalMs = this.#session.tickMs;
    this.looksWhileChanging = context.policy.protects;
  }

  decide(view: SimulatedView): readonly Change[] | undefined {
    const byHand = this.#takeActions(view);
    if (byHand !== undefined) return byHand;
    if (this.#mode === 'off') return undefined;
    if (this.#planning !== undefined) return this.#continuePlanning(this.#planning, view);
    const untold = this.#lastChange && { lastChange: this.#lastChange };
    this.#lastChange = undefined;
    const tick = this.#tick(this.#seen({ ...untold, ...view.observe(), batches: this.batches.take() }));
    this.history?.observed(tick.observation);
    const isDue = tick.replans || this.#session.isDue(tick.observation);
    const isReplan = this.#planningMs > 0 && !view.changing && isDue;
    if (!isReplan || this.#session.isUrgent(tick)) return this.#finish(tick);
    this.#planning = { tick, untilMs: view.nowMs + this.#planningMs };
    return undefined;
  }

  loadMs(...[stageId, variantId]: Parameters<SimulatedController['loadMs']>): number {
    return profiledLoadMs(this.#context, stageId, variantId);
  }

  expectedCurves(): ServiceCurves {
    return this.#session.rules.curves;
  }

  #tick(observation: Observation): Tick {
    return {
      observation,
      pins: this.#pins,
      executes: this.#mode === 'auto',
      changedByHand: this.#changedByHand,
      ...(this.#replans && { replans: true }),
    };
  }

  /** Ends planning if a burst begins or the planning time is over. */
  #continuePlanning({ tick, untilMs }: Planning, view: SimulatedView): readonly Change[] | undefined {
    const later = this.#seen(view.peek());
    const isUrgent = this.#session.isUrgent({ ...tick, observation: later });
    if (!isUrgent && view.nowMs < untilMs) return undefined;
    this.#planning = undefined;
    return this.#finish(tick, later);
  }

  #finish(tick: Tick, later?: Observation): readonly Change[] {
    this.#changedByHand = false;
    if (tick.replans) this.#replans = false;
    this.#onTick(tick, later);
    const { decision, trigger = 'plan', observation } = this.#session.tick(tick, () => later);
    this.#session.train();
    if (decision === undefined) return [];
    const { atMs } = observation ?? tick.observation;
    this.decisions.push({ atMs, decision, trigger });
    this.history?.decided(decision, !tick.executes);
    return decision.kind === 'apply' && tick.executes ? changesToApply(decision, { pins: this.#pins }) : [];
  }

  /** Changes of a manual plan; undefined without one. Each due action preempts planning. */
  #takeActions(view: SimulatedView): readonly Change[] | undefined {
    let changes: readonly Change[] | undefined;
    for (let [next] = this.#actions; next !== undefined && next.atMs <= view.nowMs; [next] = this.#actions) {
      this.#actions = this.#actions.slice(1);
      this.#preempt();
      if ('pins' in next) this.#pin(next.pins, view);
      else if ('mode' in next) this.#setMode(next.mode, view);
      else changes = this.#applyByHand(next.plan, view);
    }
    return changes;
  }

  #pin(pins: PinsByStage, view: SimulatedView): void {
    this.#pins = pins;
    this.#replans = true;
    for (const [id, { variantId }] of Object.entries(pins))
      if (variantId !== undefined) view.endCanary({ stageId: id as StageId, variantId });
    const { stages } = view.peek().runningPlan;
    const isTried = Object.entries(stages).some(
      ([id, { canary }]) => canary && pins[id as StageId]?.variantId === canary.variantId,
    );
    if (!isTried && this.#mode === 'auto') view.endCanary();
  }

  #setMode(mode: ControlMode, view: SimulatedView): void {
    this.#mode = mode;
    if (mode !== 'auto') view.endCanary();
  }

  /** Reports the end of the last change again: the abandoned tick had consumed that report. */
  #preempt(): void {
    this.#lastChange = this.#planning?.tick.observation.lastChange ?? this.#lastChange;
    this.#planning = undefined;
  }

  #applyByHand(plan: Plan, view: SimulatedView): readonly Change[] {
    if (this.#mode === 'auto') this.#mode = 'advise';
    this.#changedByHand = true;
    return diffPlans(view.peek().runningPlan, plan, this.#context.spec);
  }
}

function noteKinds(kinds: Map<ReplicaId, BatchKind>, { stages }: RunningPlan): void {
  kinds.clear();
  for (const [stageId, { replicas }] of Object.entries(stages)) {
    for (const { replicaId, variantId, resources } of replicas)
      kinds.set(replicaId, { stageId: stageId as StageId, variantId, cpuCores: resources.cpuCores });
  }
}

/** Accuracy (fraction) of the running replicas; 0 while a stage has no ready replica. */
function runningAccuracy(spec: PipelineSpec, running: RunningPlan): number {
  return runningAsPlan(spec, running)?.predicted.pas ?? 0;
}

/**
 * First plan of a simulated loop: plan or best effort of the policy for the first interval of the load. Throws AppError
 * INFEASIBLE without either.
 */
export function firstPlan(context: ControlContext, load: LoadSpec, seed: number): Plan {
  const { profiles, policy, verifierAt } = context;
  const spec = { ...context.spec, ...context.targetAt?.(0) };
  const { intervalMs } = spec.control;
  const { upperRps } = context.forecaster(firstInterval(load, intervalMs, seed), intervalMs, 0);
  const problem = { spec, profiles, arrivalRps: upperRps, estimator: 'distribution' } as const;
  const result = policy.plan(problem, policy.usesVerdicts ? verifierAt({ arrivalRps: upperRps }) : undefined);
  const plan = result.kind === 'feasible' ? result.plan : result.bestEffort;
  if (plan !== undefined) return plan;
  const binding = result.kind !== 'feasible' ? result.bindingConstraint : 'capacity';
  const rate = upperRps.toFixed(1);
  throw new AppError(
    'INFEASIBLE',
    `No plan carries the ${rate} rps that the load begins with: ${bindingText(binding)}.`,
    {
      details: { bindingConstraint: binding, arrivalRps: upperRps },
    },
  );
}

/** Arrivals per second of the first interval, which has at least one whole second. */
function firstInterval(load: LoadSpec, intervalMs: number, seed: number): LoadObservation {
  const arrivalsPerSecond = new Array<number>(Math.max(1, Math.floor(intervalMs / 1000))).fill(0);
  const arrivals = arrivalsOf(load, arrivalRng(seed));
  for (;;) {
    const atMs = arrivals.nextAtMs();
    if (atMs === undefined || atMs >= arrivalsPerSecond.length * 1000) return { arrivalsPerSecond };
    const second = Math.floor(atMs / 1000);
    arrivalsPerSecond[second] = (arrivalsPerSecond[second] ?? 0) + 1;
  }
}

/** Random numbers for arrivals, separate from those for service times. */
export const arrivalRng = (seed: number): Rng => new SeededRng(seed).fork('arrivals');
