/**
 * Control session of one pipeline: the only driver of control steps, for a served pipeline, a simulated one and a replay. It holds the state
 * between steps, pins, and the consequences of advice and of changes by hand. It has no clock: observations bring the time, and `tickMs`
 * says when the next one is wanted.
 */
import type { Decision, Observation } from '../model/decision.js';
import type { DecisionTrigger, PinsByStage } from '../model/decision-record.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import { type ControllerState, newController } from './controller-state.js';
import { pinnedSpec } from './pinned-spec.js';
import { type StepInput, stepInput, stepTrigger } from './replay/step-input.js';
import type { ControllerRules, ProfiledParts } from './rules.js';
import { correctedRules } from './situation.js';
import {
  type ControllerSnapshot,
  controllerSnapshot,
  resumeController,
  snapshotDelta,
} from './snapshot/controller-snapshot.js';
import { type ControlStep, controlStep, planSchedule, tickMs, trainBetweenTicks, wouldProtect } from './step.js';

/** One tick. */
export interface Tick {
  readonly observation: Observation;
  /** Pins of a person. */
  readonly pins?: PinsByStage;
  /** Will the decided changes be carried out? Else they are advice. */
  readonly executes: boolean;
  /** Has a person changed what runs since the last tick? */
  readonly changedByHand?: boolean;
}

/** The answer to a tick: without a decision between two plans if there is nothing to protect against. */
export interface TickAnswer {
  /** The later observation that preempted the tick's own. */
  readonly observation?: Observation;
  readonly decision?: Decision;
  readonly trigger?: DecisionTrigger;
  readonly input?: StepInput;
  /** Parts of the snapshot that changed and are worth persisting. */
  readonly kept?: ControllerSnapshot;
}

/** The newest observation since the last call, if any. */
export type LaterObservation = () => Observation | undefined;

/** Settings of a session. */
export interface SessionOptions {
  /** Called before each verification while a plan is made; may throw to abandon the plan. */
  readonly betweenVerdicts?: () => void;
}

/** Longest time (ms) in which measurements alone are not worth a snapshot. */
const SNAPSHOT_MS = 600_000;

/** A step, and the observation that it was taken on. */
interface DecidedStep {
  readonly observation: Observation;
  readonly step: ControlStep;
}

/** Thrown through a step by a more urgent observation. */
class Preempted extends Error {
  readonly observation: Observation;

  constructor(observation: Observation) {
    super('a burst preempted the plan');
    this.observation = observation;
  }
}

/** Drives the control steps of one pipeline; ticks come in the order of time. */
export class ControlSession {
  readonly #betweenVerdicts: () => void;
  #rules: ControllerRules;
  /** Plans are remembered by rules, so these stay the same object as long as the pins do. */
  #pinned: { readonly key: string; readonly rules: ControllerRules };
  #state = newController;
  /** Was the last decision advice? */
  #advises = false;
  /** The state of the last snapshot, and the time of the last whole one. */
  #kept: { readonly state: ControllerState; readonly wholeAtMs?: number } = { state: newController };
  /** Memory before the last tick. */
  #beforeTick: { readonly state: ControllerState; readonly advises: boolean } | undefined;
  /** Throws if a later observation is more urgent than the step under way. */
  #checkLater: (() => void) | undefined;

  constructor(rules: ControllerRules, { betweenVerdicts = () => {} }: SessionOptions = {}) {
    this.#betweenVerdicts = betweenVerdicts;
    this.#rules = this.#preemptible(rules);
    this.#pinned = { key: '{}', rules: this.#rules };
  }

  /** The rules with feedback applied. */
  get rules(): ControllerRules {
    const { service, edges } = this.#state;
    return correctedRules(this.#rules, { corrections: service.corrections, edges: edges?.inForce });
  }

  /** Interval at which ticks are wanted. */
  get tickMs(): number {
    return tickMs(this.#rules);
  }

  /** Decides. While a plan is made, a burst in a `later` observation preempts it. */
  tick(tick: Tick, later?: LaterObservation): TickAnswer {
    const { observation: first, pins = {}, executes } = tick;
    this.#beforeTick = { state: this.#state, advises: this.#advises };
    const before = this.#stateBefore(tick);
    const rules = this.#rulesWith(pins);
    const { step, observation } = this.#step(rules, before, { first, later });
    const { decision, state } = step;
    this.#state = decision?.kind === 'apply' && !executes ? afterAdvice(before, state) : state;
    const kept = this.#delta(observation.atMs);
    if (decision === undefined) return { ...(kept && { kept }) };
    return {
      ...(observation !== first && { observation }),
      decision,
      trigger: stepTrigger(before, step),
      input: stepInput(before, state, { load: observation.load, pins }),
      ...(kept && { kept }),
    };
  }

  /** Forgets the last tick, which a person has preempted and whose answer was not taken. */
  forgetTick(): void {
    if (this.#beforeTick === undefined) return;
    this.#state = this.#beforeTick.state;
    this.#advises = this.#beforeTick.advises;
    this.#beforeTick = undefined;
  }

  /** Would a tick answer a burst? Such an answer needs no verified plan. */
  isUrgent({ observation, pins = {} }: Pick<Tick, 'observation' | 'pins'>): boolean {
    return wouldProtect(this.#rulesWith(pins), this.#state, observation);
  }

  /** Is a plan due at an observation? */
  isDue(observation: Observation): boolean {
    return planSchedule(this.#rules, this.#state, observation).isDue;
  }

  /** Trains forecasters; to be called after a tick, when nothing waits. */
  train(): void {
    this.#state = trainBetweenTicks(this.#rules, this.#state);
  }

  /** State to persist. */
  get snapshot(): ControllerSnapshot {
    return controllerSnapshot(this.#state);
  }

  /** Continues from a snapshot. */
  resume(snapshot: ControllerSnapshot): void {
    this.restore(resumeController(snapshot, this.#rules));
  }

  /** Continues from a whole state, such as a logged one. */
  restore(state: ControllerState): void {
    this.#state = state;
    this.#kept = { state };
  }

  /** Continues under other rules; the next plan is made by them. */
  reload(rules: ControllerRules): void {
    this.#rules = this.#preemptible(rules);
    this.#pinned = { key: '{}', rules: this.#rules };
    this.#state = afterHandChange(this.#state);
  }

  /** One step; a step that a later observation preempts is taken again on that one. */
  #step(
    rules: ControllerRules,
    before: ControllerState,
    { first, later }: { readonly first: Observation; readonly later: LaterObservation | undefined },
  ): DecidedStep {
    this.#checkLater = () => {
      const latest = later?.();
      if (latest === undefined || latest.atMs <= first.atMs) return;
      if (wouldProtect(rules, before, latest)) throw new Preempted(latest);
    };
    try {
      return { observation: first, step: controlStep(rules, before, first) };
    } catch (error) {
      this.#checkLater = undefined;
      try {
        if (!(error instanceof Preempted)) throw error;
        const observation = withOneTimeFacts(error.observation, first);
        return { observation, step: controlStep(rules, before, observation) };
      } catch (defect) {
        this.#state = afterDefect(this.#state, this.#rules, first.atMs);
        throw defect;
      }
    } finally {
      this.#checkLater = undefined;
    }
  }

  #stateBefore({ executes, changedByHand = false, observation: { atMs } }: Tick): ControllerState {
    const state = changedByHand ? afterHandChange(this.#state) : this.#state;
    const wasAdvice = this.#advises && executes;
    this.#advises = !executes;
    return wasAdvice ? afterAdvising(state, atMs) : state;
  }

  #rulesWith(pins: PinsByStage): ControllerRules {
    const key = JSON.stringify(pins);
    if (this.#pinned.key !== key)
      this.#pinned = { key, rules: { ...this.#rules, spec: pinnedSpec(this.#rules.spec, pins) } };
    return this.#pinned.rules;
  }

  #delta(atMs: number): ControllerSnapshot | undefined {
    const { state: before, wholeAtMs = atMs } = this.#kept;
    const isWhole = Math.abs(atMs - wholeAtMs) >= SNAPSHOT_MS;
    const delta = isWhole ? controllerSnapshot(this.#state) : snapshotDelta(this.#state, before);
    this.#kept = { state: delta === undefined ? before : this.#state, wholeAtMs: isWhole ? atMs : wholeAtMs };
    return delta;
  }

  /** The rules with a check before each verification. */
  #preemptible(rules: ControllerRules): ControllerRules {
    const { partsFor } = rules;
    const checked = ({ profiles, curves, verifierAt }: ProfiledParts): ProfiledParts => ({
      profiles,
      curves,
      verifierAt: (load: ExpectedLoad) => {
        const verify = verifierAt(load);
        return (plan, slo) => {
          this.#betweenVerdicts();
          this.#checkLater?.();
          return verify(plan, slo);
        };
      },
    });
    return {
      ...rules,
      ...checked(rules),
      ...(partsFor && { partsFor: (...corrected) => checked(partsFor(...corrected)) }),
    };
  }
}

/** A later observation with the facts that an earlier one told once. */
function withOneTimeFacts(later: Observation, { batches, edges, lastChange }: Observation): Observation {
  return { ...later, ...(batches && { batches }), ...(edges && { edges }), ...(lastChange && { lastChange }) };
}

/** State after a step whose changes are advice: learning stays, the change does not count and is not on trial. */
export function afterAdvice(before: ControllerState, after: ControllerState): ControllerState {
  const { learning, service, edges, failures, nextPlanAtMs, planned } = after;
  return {
    ...before,
    learning,
    service,
    ...(edges && { edges }),
    ...(failures && { failures }),
    ...(nextPlanAtMs !== undefined && { nextPlanAtMs }),
    // Else the same burst would be advised on at each tick, and nothing besides.
    ...(planned && { planned }),
  };
}

/** State when changes are carried out again after advice: the load that what runs was made for is unknown, so a plan is due. */
export function afterAdvising({ planned: _, ...state }: ControllerState, atMs: number): ControllerState {
  return { ...state, nextPlanAtMs: atMs };
}

/** State after a step that failed: a plan that was due is due again an interval later, not at every tick. */
function afterDefect(state: ControllerState, rules: ControllerRules, atMs: number): ControllerState {
  const { nextPlanAtMs = Number.POSITIVE_INFINITY } = state;
  const wasDue = atMs + tickMs(rules) / 2 >= nextPlanAtMs;
  return wasDue ? { ...state, nextPlanAtMs: atMs + rules.spec.control.intervalMs } : state;
}

/** State after a person has changed what runs: no change of the loop is on trial any more. */
export function afterHandChange({ trial: _, beforeChange, ...state }: ControllerState): ControllerState {
  if (beforeChange === undefined) return state;
  const { trial: __, ...rest } = beforeChange;
  return { ...state, beforeChange: rest };
}
