/**
 * Control session of one pipeline: the only driver of its control steps, also in simulation and replay. It holds state
 * and pins, and accounts for advice and manual changes. It has no clock: observations carry the time. `tickMs` is the
 * interval at which to call it.
 */
import { learnedForecast } from '../forecast/learning/load-learning.js';
import type { Decision, Forecast, LearnedEdge, LoadObservation, Observation, StartTimes } from '../model/decision.js';
import type { DecisionTrigger, PinsByStage } from '../model/decision-record.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import { type ControllerSnapshot, controllerSnapshot, resumeController, snapshotDelta } from './controller-snapshot.js';
import { type ControllerState, newController } from './controller-state.js';
import { type Correction, summarizedStarts } from './feedback/profile-feedback.js';
import { pinnedSpec } from './pinned-spec.js';
import type { ControllerRules, ProfiledParts } from './rules.js';
import { correctedRules } from './situation.js';
import {
  type ControlStep,
  controlStep,
  planSchedule,
  type Quiet,
  quietAfter,
  tickMs,
  trainBetweenTicks,
  wouldProtect,
} from './step.js';

export interface Tick {
  readonly observation: Observation;
  readonly pins?: PinsByStage;
  /** True if changes are carried out; otherwise they are advice. */
  readonly executes: boolean;
  /** True if a person changed replicas since the last tick. */
  readonly changedByHand?: boolean;
  /** True to plan at this tick: a person changed pins or the pipeline, so the last plan answers another question. */
  readonly replans?: boolean;
  /** True to get `quiet` in the answer. */
  readonly asksQuiet?: boolean;
}

/**
 * Input of a step in addition to the observation, small enough to log. Days of measurements only matter through
 * forecast, corrections, start times and learned edges.
 */
export interface StepInput {
  readonly state: Omit<ControllerState, 'learning' | 'service' | 'edges' | 'starts'>;
  /** Absent before a learned method is fitted. */
  readonly learned?: Forecast;
  readonly corrections: readonly Correction[];
  /** Learned start times; absent in old logs. */
  readonly starts?: readonly StartTimes[];
  /** Learned edges that differ from the pipeline file; absent in old logs. */
  readonly edges?: readonly LearnedEdge[];
  /** Manual pins. They override those of the pipeline file. */
  readonly pins?: PinsByStage;
}

/** Answer to a tick. Between plans it has no decision if the fast loop has nothing to do. */
export interface TickAnswer {
  /** Later observation that replaced that of the tick, if any. */
  readonly observation?: Observation;
  readonly decision?: Decision;
  readonly trigger?: DecisionTrigger;
  readonly input?: StepInput;
  /** Parts of the snapshot to persist now. */
  readonly kept?: ControllerSnapshot;
  /** How long no tick is needed; absent if the next tick is. */
  readonly quiet?: Quiet;
}

export type LaterObservation = () => Observation | undefined;

export interface SessionOptions {
  /** Called before each verification. May throw to abandon the plan. */
  readonly betweenVerdicts?: () => void;
}

/** Interval (ms) between complete snapshots. */
const SNAPSHOT_MS = 600_000;

class Preempted extends Error {
  readonly observation: Observation;

  constructor(observation: Observation) {
    super('a burst preempted the plan');
    this.observation = observation;
  }
}

interface FirstStep {
  readonly rules: ControllerRules;
  readonly before: ControllerState;
  readonly first: Observation;
}

/** Throws if a later observation needs an answer before the plan is made. */
function preemptFor(later: Observation | undefined, { rules, before, first }: FirstStep): void {
  if (later === undefined || later.atMs <= first.atMs) return;
  if (wouldProtect(rules, before, later)) throw new Preempted(later);
}

/** Drives the control steps of one pipeline; ticks come in the order of time. */
export class ControlSession {
  readonly #betweenVerdicts: () => void;
  #rules: ControllerRules;
  /** Plans are cached by rules, so this object only changes with pins or `reload`. */
  #pinned: { readonly key: string; readonly rules: ControllerRules };
  #state = newController;
  #advises = false;
  /** State at the last snapshot, and time of the last complete snapshot. */
  #kept: { readonly state: ControllerState; readonly wholeAtMs?: number } = { state: newController };
  #undoTick: (() => void) | undefined;
  #checkLater: (() => void) | undefined;

  constructor(rules: ControllerRules, { betweenVerdicts = () => {} }: SessionOptions = {}) {
    this.#betweenVerdicts = betweenVerdicts;
    this.#rules = this.#preemptible(rules);
    this.#pinned = { key: '{}', rules: this.#rules };
  }

  get rules(): ControllerRules {
    const { service, edges } = this.#state;
    return correctedRules(this.#rules, { corrections: service.corrections, edges: edges?.inForce });
  }

  get tickMs(): number {
    return tickMs(this.#rules);
  }

  /** Decides. A plan is preempted if the fast loop would act on a `later` observation. */
  tick(tick: Tick, later?: LaterObservation): TickAnswer {
    const { observation: first, pins = {}, executes } = tick;
    this.#undoTick = this.#undo();
    const before = this.#stateBefore(tick);
    const rules = this.#rulesWith(pins);
    this.#checkLater = () => preemptFor(later?.(), { rules, before, first });
    let [observation, step]: [Observation, ControlStep | undefined] = [first, undefined];
    while (step === undefined) {
      try {
        step = controlStep(rules, before, observation);
      } catch (error) {
        if (!(error instanceof Preempted)) {
          this.#state = afterDefect(this.#state, this.#rules, first.atMs);
          throw error;
        }
        observation = withOneTimeFacts(error.observation, first);
      } finally {
        this.#checkLater = undefined;
      }
    }
    const { decision, state } = step;
    this.#state = decision?.kind === 'apply' && !executes ? afterAdvice(before, state) : state;
    const kept = this.#delta(observation.atMs);
    const answer = { ...(kept && { kept }), ...this.#quiet(tick, { rules, decision, observation }) };
    if (decision === undefined) return answer;
    return {
      ...answer,
      ...(observation !== first && { observation }),
      decision,
      trigger: stepTrigger(before, step),
      input: stepInput(before, state, { load: observation.load, pins }),
    };
  }

  /** After an `apply`, the next tick sees another running plan. */
  #quiet(
    { asksQuiet = false }: Tick,
    of: { readonly rules: ControllerRules; readonly decision: Decision | undefined; readonly observation: Observation },
  ): { readonly quiet?: Quiet } {
    const quiet =
      asksQuiet && of.decision?.kind !== 'apply' ? quietAfter(of.rules, this.#state, of.observation) : undefined;
    return quiet === undefined ? {} : { quiet };
  }

  /** Undoes the last tick, whose answer a manual action preempted. */
  forgetTick(): void {
    this.#undoTick?.();
    this.#undoTick = undefined;
  }

  #undo(): () => void {
    const [state, advises, kept] = [this.#state, this.#advises, this.#kept];
    return () => {
      this.#state = state;
      this.#advises = advises;
      this.#kept = kept;
    };
  }

  /** True if the fast loop would act, which needs no verified plan. */
  isUrgent({ observation, pins = {} }: Pick<Tick, 'observation' | 'pins'>): boolean {
    return wouldProtect(this.#rulesWith(pins), this.#state, observation);
  }

  isDue(observation: Observation): boolean {
    return planSchedule(this.#rules, this.#state, observation).isDue;
  }

  /** Trains forecasters. Call it when no tick waits. */
  train(): void {
    this.#state = trainBetweenTicks(this.#rules, this.#state);
  }

  get snapshot(): ControllerSnapshot {
    return controllerSnapshot(this.#state);
  }

  resume(snapshot: ControllerSnapshot): void {
    this.restore(resumeController(snapshot, this.#rules));
  }

  restore(state: ControllerState): void {
    this.#state = state;
    this.#kept = { state };
  }

  /** Applies other rules from the next plan on. */
  reload(rules: ControllerRules): void {
    this.#rules = this.#preemptible(rules);
    this.#pinned = { key: '{}', rules: this.#rules };
    this.#state = afterHandChange(this.#state);
  }

  #stateBefore({ executes, changedByHand = false, replans, observation: { atMs } }: Tick): ControllerState {
    const known = changedByHand ? afterHandChange(this.#state) : this.#state;
    const state = replans ? { ...known, nextPlanAtMs: atMs } : known;
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

  #preemptible(rules: ControllerRules): ControllerRules {
    const { partsFor } = rules;
    const checked = ({ profiles, curves, verifierAt }: ProfiledParts): ProfiledParts => ({
      profiles,
      curves,
      verifierAt: (load: ExpectedLoad) => {
        const verify = verifierAt(load);
        return (...asked) => {
          this.#betweenVerdicts();
          this.#checkLater?.();
          return verify(...asked);
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

/** The later observation, plus facts that only the earlier one reports. */
function withOneTimeFacts(later: Observation, { batches, edges, lastChange }: Observation): Observation {
  return { ...later, ...(batches && { batches }), ...(edges && { edges }), ...(lastChange && { lastChange }) };
}

/** State after advice. Learned values stay. The change does not count and is not on trial. */
export function afterAdvice(before: ControllerState, after: ControllerState): ControllerState {
  const { learning, service, starts, edges, failures, nextPlanAtMs, planned } = after;
  // Keeps the planned load. Otherwise each tick would advise on the same burst.
  const learned = { learning, service, starts, edges };
  return { ...before, ...learned, failures, nextPlanAtMs, planned: planned ?? before.planned };
}

/** State when advising ends. A plan is due, because the load of the running plan is unknown. */
export function afterAdvising(state: ControllerState, atMs: number): ControllerState {
  return { ...state, planned: undefined, nextPlanAtMs: atMs };
}

/** State after a step that failed. A plan that was due is due again one interval later. */
function afterDefect(state: ControllerState, rules: ControllerRules, atMs: number): ControllerState {
  const { nextPlanAtMs = Number.POSITIVE_INFINITY } = state;
  const wasDue = atMs + tickMs(rules) / 2 >= nextPlanAtMs;
  return wasDue ? { ...state, nextPlanAtMs: atMs + rules.spec.control.intervalMs } : state;
}

export function afterHandChange({ beforeChange, ...state }: ControllerState): ControllerState {
  return { ...state, trial: undefined, beforeChange: beforeChange && { ...beforeChange, trial: undefined } };
}

function stepInput(
  { learning: _, service: __, edges: ___, starts: ____, ...state }: ControllerState,
  after: ControllerState,
  { load, pins }: { readonly load: LoadObservation; readonly pins?: PinsByStage },
): StepInput {
  const learned = learnedForecast(after.learning, load);
  const { inForce: edges = [] } = after.edges ?? {};
  const starts = summarizedStarts(after.starts);
  return {
    state,
    corrections: after.service.corrections,
    ...(learned && { learned }),
    ...(edges.length > 0 && { edges }),
    ...(starts.length > 0 && { starts }),
    ...(pins && Object.keys(pins).length > 0 && { pins }),
  };
}

function stepTrigger(before: ControllerState, { state, decision }: ControlStep): DecisionTrigger {
  if (decision?.evidence.burst !== undefined) return 'burst';
  return decision?.kind === 'apply' && state.backOff !== undefined && state.backOff !== before.backOff
    ? 'roll-back'
    : 'plan';
}
