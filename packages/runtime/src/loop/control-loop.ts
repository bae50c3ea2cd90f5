/**
 * The control loop: observe, decide, apply, record. It owns the timer and the order of steps, and makes no decisions.
 * If a step fails, the plan in force keeps serving: the failure is reported and the next tick observes the actual
 * state.
 */
import { type ControllerSnapshot, changesToApply, type TickAnswer } from '@equipoise/core/control';
import {
  type Change,
  type Clock,
  type ControlMode,
  type Decision,
  type DecisionOutcome,
  type DecisionRecord,
  type LastChange,
  lastChangeOf,
  type Observation,
  type PinsByStage,
  type Plan,
  type StageId,
} from '@equipoise/core/model';
import type { Actuator } from '@equipoise/core/ports';
import type { DecisionLog, LogEntry } from './decision-log.js';
import { type ActiveFaults, type LoopEvent, messageOf } from './loop-event.js';
import type { OutcomeTracker } from './outcome-tracker.js';
import { type Planner, PlanPreempted } from './planner.js';
import type { PlanningTask } from './planning-session.js';

export interface ControlLoopDeps {
  readonly specDigest: string;
  /** Key of the planning setup in the store. */
  readonly setupDigest: string;
  readonly intervalMs: number;
  readonly mode: () => ControlMode;
  readonly pins: () => PinsByStage;
  readonly clock: Clock;
  readonly epochNowMs: () => number;
  readonly look: () => Observation;
  /** Observes the pipeline now, with counts since the last call. */
  readonly observe: () => Observation;
  readonly planner: Pick<Planner, 'ask' | 'show' | 'preempt'>;
  readonly actuator: Actuator;
  readonly log: DecisionLog;
  readonly outcomes: OutcomeTracker;
  readonly faults: ActiveFaults;
  /** True if plans are saved for a restart. Plans of a baseline policy are not saved. */
  readonly keepsPlans: boolean;
  /** Called after each completed change, with its plan. */
  readonly onChanged: (stageId: StageId, plan: Plan) => void;
  readonly onLearned: (kept: ControllerSnapshot) => void;
  readonly report: (event: LoopEvent) => void;
}

const PINNED_AWAY = 'a change of pins ended its canary';

export type ApplyDecision = Extract<Decision, { kind: 'apply' }>;

export type DecisionFacts = Pick<DecisionRecord, 'trigger' | 'manual' | 'input'>;

export interface CanaryToEnd {
  readonly evenByHand: boolean;
  readonly pinned?: Parameters<Actuator['endCanary']>[0];
}

type TickTask = Extract<PlanningTask, { kind: 'tick' }>;

interface DecidedTick {
  readonly observation: Observation;
  readonly decision: Decision;
  readonly facts: DecisionFacts;
}

/** Runs ticks every `intervalMs` between `start` and `stop`. They never overlap. */
export class ControlLoop {
  readonly #deps: ControlLoopDeps;
  #timer: NodeJS.Timeout | undefined;
  /** True between the timer of a tick and its end. */
  #isTicking = false;
  #turns: Promise<unknown> = Promise.resolve();
  /** Waiting turns, not counting ticks. */
  #waitingTurns = 0;
  #stopped = false;
  #hasEndedCanary = false;
  #isAsking = false;
  #changing: 'loop' | 'hand' | undefined;
  #isPreempted = false;
  #changedByHand = false;
  /** True until a tick has planned for a changed question, or has failed. */
  #replans = false;
  /** True until the tick for it has begun. */
  #ticksSoon = false;
  /** Burst answer during the loop's changes. It replaces the remaining changes. */
  #urgent: DecidedTick | undefined;
  /** Kept until a tick has reported it. */
  #lastChange: LastChange | undefined;

  constructor(deps: ControlLoopDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#schedule(this.#deps.clock.nowMs() + this.#deps.intervalMs);
  }

  /** Moves the next tick to one interval from now. */
  intervalChanged(): void {
    if (this.#timer !== undefined) this.start();
  }

  /**
   * Plans at the next tick, which comes as soon as no tick, change or other turn is running. Call it when a person has
   * changed what plans depend on. Calls before that tick count as one.
   */
  replan(): void {
    this.#replans = true;
    this.#ticksSoon = true;
    if (this.#timer !== undefined && !this.#isTicking) this.#schedule(this.#deps.clock.nowMs());
  }

  /** Resolves when all turns have ended and decisions are stored. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    // A stop does not wait for a canary's verdict.
    this.endCanary({ evenByHand: true });
    await this.#turns;
    this.#deps.outcomes.endAll();
    await this.settled();
  }

  /**
   * Ends canaries. With `pinned`, ends only a canary of another variant at that stage. Manual canaries end only if
   * `evenByHand`.
   */
  endCanary({ evenByHand, pinned }: CanaryToEnd): void {
    if (this.#changing === 'hand' && !evenByHand) return;
    if (!this.#deps.actuator.endCanary(pinned) || this.#changing === undefined) return;
    this.#isPreempted = true;
    this.#hasEndedCanary = true;
  }

  /** Resolves when all decisions so far are stored, or storing has failed. */
  settled(): Promise<void> {
    return this.#deps.log.settled();
  }

  /** Runs work when no tick or other turn is running. Ticks let waiting turns go first. */
  turn<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#waitingTurns += 1;
    return this.#inTurn(() => {
      this.#waitingTurns -= 1;
      return work();
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turns.then(work);
    this.#turns = result.catch(() => undefined);
    return result;
  }

  get isChanging(): boolean {
    return this.#changing !== undefined;
  }

  /** Abandons the decision under way because a person acts; logs nothing. */
  preemptPlan(): void {
    if (this.#isAsking) this.#deps.planner.preempt();
  }

  /**
   * Ends the loop's changes, and manual ones if `evenByHand`, so that a person's turn comes at once. True if it
   * ended any.
   */
  preempt({ evenByHand = false } = {}): boolean {
    this.preemptPlan();
    if (this.#changing === undefined || (this.#changing === 'hand' && !evenByHand)) return false;
    this.#isPreempted = true;
    this.#deps.actuator.preempt();
    return true;
  }

  /** Never rejects. */
  tick(): Promise<void> {
    return this.#inTurn(() => this.#tick().catch((error) => this.#failedToDecide(undefined, error)));
  }

  async #tick(): Promise<void> {
    // A person must not wait for a plan.
    if (this.#waitingTurns > 0) return;
    this.#ticksSoon = false;
    const { mode, pins, outcomes, log, observe } = this.#deps;
    outcomes.tick();
    log.savePlanAgain();
    if (mode() === 'off') return;
    const executes = mode() === 'auto';
    const lastChange = this.#lastChange;
    const observation = { ...observe(), ...(lastChange && { lastChange }) };
    const tick = { observation, pins: pins(), executes, changedByHand: this.#changedByHand };
    const replans = this.#replans && ({ replans: true } as const);
    this.#replans = false;
    let decided = await this.#decided(observation, { kind: 'tick', ...tick, ...replans });
    // The mode may have changed meanwhile.
    if (executes && decided?.decision.kind === 'apply' && mode() !== 'auto')
      this.#lastChange = lastChangeOf('given-up', decided.decision.changes, 0);
    if (mode() === 'off') return;
    for (; decided !== undefined; decided = this.#urgent) {
      this.#urgent = undefined;
      await this.#carryOut(decided);
    }
  }

  /** Undefined without a decision, or if deciding fails, is preempted or stopped. */
  async #decided(observation: Observation, task: TickTask): Promise<DecidedTick | undefined> {
    try {
      const answer = await this.#answerTo(this.#deps.planner.ask(task));
      if (answer === undefined) {
        this.#replans ||= task.replans === true;
        return undefined;
      }
      // Reset only now: failed or preempted ticks report no changes.
      this.#changedByHand = false;
      this.#lastChange = undefined;
      this.#deps.faults.clear('decide');
      return this.#stopped ? undefined : decidedTick(observation, answer);
    } catch (error) {
      this.#failedToDecide(observation, error);
      return undefined;
    }
  }

  /** Passes newer observations to the planner meanwhile. Undefined if a person preempts the question. */
  async #answerTo(asked: Promise<TickAnswer>): Promise<TickAnswer | undefined> {
    const { intervalMs, onLearned } = this.#deps;
    const timer = setInterval(() => this.#show(), intervalMs);
    this.#isAsking = true;
    try {
      const answer = await asked;
      if (answer.kept !== undefined && !this.#stopped) onLearned(answer.kept);
      return answer;
    } catch (error) {
      if (error instanceof PlanPreempted) return undefined;
      throw error;
    } finally {
      clearInterval(timer);
      this.#isAsking = false;
    }
  }

  #show(): void {
    const { look, planner } = this.#deps;
    try {
      planner.show(look());
    } catch {
      // The next tick fails in the same way and reports the error.
    }
  }

  /**
   * Carries out a decision and records its outcome; rejects with the error of a failed change. Changes of the loop end
   * early if a person takes over or a burst is answered.
   */
  async enact(observation: Observation, decision: ApplyDecision, facts: DecisionFacts): Promise<LogEntry> {
    const { outcomes, report } = this.#deps;
    const entry = this.#record(observation, decision, facts);
    this.#changedByHand ||= facts.manual !== undefined;
    this.#hasEndedCanary = false;
    outcomes.endAll();
    try {
      const tookMs = await this.#putInForce(decision, facts);
      if (tookMs !== undefined) {
        entry.amend({ outcome: { kind: 'applied', tookMs } });
        report({ kind: 'in-force', plan: decision.plan, tookMs });
      } else entry.amend({ outcome: { kind: 'given-up', message: this.#whyGivenUp(facts) } });
      outcomes.track(entry);
      return entry;
    } catch (error) {
      entry.amend({ outcome: failure('apply', error) });
      throw error;
    }
  }

  #whyGivenUp({ manual }: DecisionFacts): string {
    if (this.#stopped) return 'the server was stopped before all changes were applied';
    if (manual !== undefined) return this.#hasEndedCanary ? PINNED_AWAY : 'a roll-back by hand replaced it';
    if (this.#deps.mode() !== 'auto') return `the mode is ${this.#deps.mode()} now`;
    if (this.#hasEndedCanary) return PINNED_AWAY;
    return 'the answer to a burst or a rise replaced it';
  }

  /** Checks for bursts at every interval during changes; the answer to a burst ends the changes. */
  async #whileLookingOn(changing: Promise<boolean>): Promise<boolean> {
    let looking: Promise<void> | undefined;
    const look = async (): Promise<void> => {
      await this.#lookForBurst();
      looking = undefined;
    };
    const timer = setInterval(() => {
      looking ??= look();
    }, this.#deps.intervalMs);
    try {
      return await changing;
    } finally {
      clearInterval(timer);
      await looking;
    }
  }

  async #lookForBurst(): Promise<void> {
    const { observe, pins, planner, actuator } = this.#deps;
    if (this.#isOff || this.#urgent !== undefined) return;
    try {
      const observation = { ...observe(), changing: true };
      const answer = await this.#answerTo(planner.ask({ kind: 'tick', observation, pins: pins(), executes: true }));
      const decided = answer && decidedTick(observation, answer);
      if (decided?.decision.kind !== 'apply' || this.#isOff) return;
      this.#urgent = decided;
      actuator.preempt();
    } catch {
      // The next tick fails in the same way and reports the error.
    }
  }

  get #isOff(): boolean {
    return this.#stopped || this.#deps.mode() !== 'auto';
  }

  async #carryOut({ observation, decision, facts }: DecidedTick): Promise<void> {
    const { mode, faults, outcomes } = this.#deps;
    this.#reportGaps(observation, decision);
    if (decision.kind === 'apply' && mode() === 'auto')
      await faults.attempt('apply', () => this.enact(observation, decision, facts));
    else outcomes.track(this.#record(observation, decision, facts));
  }

  #failedToDecide(observation: Observation | undefined, error: unknown): void {
    const { faults, log, epochNowMs, mode, setupDigest } = this.#deps;
    // If a stop ends the planner during a decision, this is not a failure.
    if (this.#stopped) return;
    // An active fault is already in the log. Repeated entries would displace decisions.
    const stands = faults.all.some(({ step, message }) => step === 'decide' && message === messageOf(error));
    faults.raise('decide', error);
    if (observation === undefined || stands) return;
    log.append({
      ...{ atEpochMs: epochNowMs(), mode: mode(), setupDigest },
      ...{ observation: seen(observation), outcome: failure('decide', error) },
    });
  }

  /**
   * Applies the changes one by one, then saves a good plan, or an answer to a burst or a rise. Returns the time taken
   * (ms), or undefined if changes were left out.
   */
  async #putInForce(decision: ApplyDecision, { trigger, manual }: DecisionFacts): Promise<number | undefined> {
    const { clock, epochNowMs, keepsPlans, specDigest, log } = this.#deps;
    const { plan, evidence } = decision;
    const startedAtMs = clock.nowMs();
    const isOfLoop = trigger !== 'start' && trigger !== 'manual';
    const isAtOnce = trigger === 'roll-back' || manual?.action === 'roll-back' || manual?.canary === false;
    const by = isOfLoop ? 'loop' : manual && 'hand';
    const changing = this.#change(plan, changesToApply(decision, { isAtOnce, pins: this.#deps.pins() }), by);
    if (!(await (isOfLoop ? this.#whileLookingOn(changing) : changing))) return undefined;
    // Manual and roll-back plans count as good, so that a restart restores them.
    const isGood = evidence.result?.kind === 'feasible' || trigger === 'roll-back' || trigger === 'manual';
    // A server killed in a burst or a rise must restart with the answer.
    if (keepsPlans && (isGood || trigger === 'burst' || evidence.rise !== undefined))
      log.savePlan({ plan: { plan, atEpochMs: epochNowMs(), specDigest }, isGood });
    return clock.nowMs() - startedAtMs;
  }

  /** True if all changes were carried out. Rejects with the first error. Keeps the outcome of the loop's changes. */
  async #change(plan: Plan, changes: readonly Change[], by: 'loop' | 'hand' | undefined): Promise<boolean> {
    const { actuator, onChanged } = this.#deps;
    const isOfLoop = by === 'loop';
    const isOver = () => (isOfLoop ? this.#isOff || this.#urgent !== undefined : this.#stopped);
    let [end, done]: [LastChange['kind'], number] = ['failed', 0];
    this.#changing = by;
    try {
      for (const change of changes) {
        if (isOver()) break;
        await actuator.apply(change);
        if (this.#isPreempted || (isOfLoop && this.#urgent !== undefined)) break;
        done += 1;
        onChanged(change.stageId, plan);
      }
      end = done === changes.length ? 'applied' : 'given-up';
      return done === changes.length;
    } finally {
      this.#changing = undefined;
      this.#isPreempted = false;
      if (isOfLoop) this.#lastChange = lastChangeOf(end, changes, done);
    }
  }

  #reportGaps({ staleSources }: Observation, { evidence: { forecast } }: Decision): void {
    const { faults } = this.#deps;
    const passedOver = forecast.passedOver ?? [];
    if (staleSources.length === 0) faults.clear('observe');
    if (passedOver.length === 0) faults.clear('forecast');
    for (const source of staleSources) faults.raise('observe', new Error(`no fresh input from ${source}`));
    for (const method of passedOver)
      faults.raise('forecast', new Error(`the forecast of ${method} is no number; that of ${forecast.method} counts`));
  }

  #record(observation: Observation, decision: Decision, facts: DecisionFacts): LogEntry {
    const { epochNowMs, log, mode, setupDigest, report } = this.#deps;
    const at = { atEpochMs: epochNowMs(), mode: mode(), setupDigest };
    const entry = log.append({ ...at, ...facts, observation: seen(observation), decision });
    report({ kind: 'decided', record: { ...entry.record, decision } });
    return entry;
  }

  /** Keeps the grid of the interval; a long tick skips grid points. Tolerates a clock that is set back. */
  #schedule(atMs: number): void {
    if (this.#stopped) return;
    const { clock, intervalMs } = this.#deps;
    const inMs = Math.min(intervalMs, Math.max(0, atMs - clock.nowMs()));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#runTick(atMs), inMs);
  }

  #runTick(atMs: number): void {
    this.#isTicking = true;
    void this.tick().then(() => {
      this.#isTicking = false;
      const { clock, intervalMs } = this.#deps;
      const nowMs = clock.nowMs();
      const missed = Math.max(0, Math.floor((nowMs - atMs) / intervalMs));
      this.#schedule(this.#ticksSoon ? nowMs : atMs + (missed + 1) * intervalMs);
    });
  }
}

/** Observation for the log, without batch times and edge counts. */
function seen({ batches: _, edges: __, ...observation }: Observation): Observation {
  return observation;
}

/** Undefined without a decision. */
function decidedTick(first: Observation, answer: TickAnswer): DecidedTick | undefined {
  const { observation = first, decision, trigger, input } = answer;
  return decision && { observation, decision, facts: { ...(trigger && { trigger }), ...(input && { input }) } };
}

function failure(step: 'decide' | 'apply', error: unknown): DecisionOutcome {
  return { kind: 'failed', step, message: messageOf(error) };
}
