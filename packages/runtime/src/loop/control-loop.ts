/**
 * The control loop: observe, decide, apply, record. It owns the timer and the order of steps, and decides nothing
 * itself. If a step fails, the plan in force keeps serving: the failure is reported and the next tick starts from what
 * runs then.
 */
import { type ControllerSnapshot, changesToApply, type Tick, type TickAnswer } from '@equipoise/core/control';
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
  type Plan,
  type StageId,
} from '@equipoise/core/model';
import type { Actuator, GoodPlan, PlanStore } from '@equipoise/core/ports';
import type { DecisionLog, LogEntry } from './decision-log.js';
import { type LoopEvent, messageOf } from './loop-event.js';
import type { OutcomeWatch } from './outcome-watch.js';
import type { StandingFaults } from './standing-faults.js';

/**
 * Collaborators of the loop. `decide` plans in another thread; ticks never overlap. A tick between two plans without a
 * decision leaves no trace.
 */
export interface ControlLoopParts {
  readonly pipelineName: string;
  readonly specDigest: string;
  /** Names the planning setup in the store. */
  readonly setupDigest: string;
  readonly mode: () => ControlMode;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly epochNowMs: () => number;
  readonly observe: () => Observation;
  readonly decide: (observation: Observation, circumstances: Omit<Tick, 'observation' | 'pins'>) => Promise<TickAnswer>;
  /** Called at each interval during a decision, for more urgent events. */
  readonly meanwhile: () => void;
  /** Abandons the decision under way. */
  readonly abandonPlan: () => void;
  readonly actuator: Actuator;
  readonly store: Pick<PlanStore, 'saveGoodPlan' | 'keep'>;
  readonly log: DecisionLog;
  readonly outcomes: OutcomeWatch;
  readonly faults: StandingFaults;
  /** True if plans are saved for a restart; those of a baseline are not. */
  readonly keepsPlans: boolean;
  /** Called after each change with the plan that is being put in force. */
  readonly onChanged: (stageId: StageId, plan: Plan) => void;
  /** Called with news worth persisting. */
  readonly onLearned: (kept: ControllerSnapshot) => void;
  readonly report: (event: LoopEvent) => void;
}

export type ApplyDecision = Extract<Decision, { kind: 'apply' }>;

export type DecisionFacts = Pick<DecisionRecord, 'trigger' | 'manual' | 'input'>;

interface DecidedTick {
  readonly observation: Observation;
  readonly answer: TickAnswer & { readonly decision: Decision };
}

/** A plan to resume after a restart. Only a good one is also a roll-back target. */
interface SavedPlan {
  readonly plan: GoodPlan;
  readonly isGood: boolean;
}

/** Runs ticks every `intervalMs` between `start` and `stop`. */
export class ControlLoop {
  readonly #parts: ControlLoopParts;
  #timer: NodeJS.Timeout | undefined;
  #turns: Promise<unknown> = Promise.resolve();
  #stopped = false;
  #hasEndedCanary = false;
  #endDeciding: (() => void) | undefined;
  /** Author of the changes under way. */
  #changing: 'loop' | 'hand' | undefined;
  /** Has a person preempted the changes? */
  #isPreempted = false;
  #changedByHand = false;
  /** Answer to a burst during the loop's changes. It replaces the rest of them. */
  #urgent: DecidedTick | undefined;
  /** Kept until a tick has reported it. */
  #lastChange: LastChange | undefined;
  #saving: Promise<void> = Promise.resolve();
  /** The last plan given to the store. */
  #newest: SavedPlan | undefined;
  /** Set if the store did not take it. */
  #unsaved: SavedPlan | undefined;

  constructor(parts: ControlLoopParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#schedule(this.#parts.clock.nowMs() + this.#parts.intervalMs);
  }

  /** Looks next an interval from now. */
  intervalChanged(): void {
    if (this.#timer !== undefined) this.start();
  }

  /** Ends after the tick under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#endCanary();
    await this.#turns;
    this.#parts.outcomes.planEnds();
    await this.settled();
  }

  /** A stop does not wait for a canary's verdict. */
  #endCanary(): void {
    const { actuator } = this.#parts;
    this.#hasEndedCanary = Object.values(actuator.runningPlan().stages).some(({ canary }) => canary !== undefined);
    if (this.#hasEndedCanary) actuator.preempt();
  }

  /** Resolves when all decisions so far are stored, or have failed to be. */
  async settled(): Promise<void> {
    await this.#saving;
    await this.#parts.log.settled();
  }

  /** Runs work when no tick or other turn is under way. */
  turn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turns.then(work);
    this.#turns = result.catch(() => undefined);
    return result;
  }

  /** Abandons a decision under way for a person; it leaves no trace. */
  preemptPlan(): void {
    this.#endDeciding?.();
  }

  /**
   * Ends the loop's changes, too, so that a person's turn comes at once; those by hand only if `evenByHand`. True if
   * there were some.
   */
  preempt({ evenByHand = false } = {}): boolean {
    this.preemptPlan();
    if (this.#changing === undefined || (this.#changing === 'hand' && !evenByHand)) return false;
    this.#isPreempted = true;
    this.#parts.actuator.preempt();
    return true;
  }

  /** Never rejects. */
  tick(): Promise<void> {
    return this.turn(() => this.#look());
  }

  /**
   * Carries a decision out and records its outcome; rejects with the error of a failed change. Changes of the loop end
   * early when a person takes over, and at once for a burst.
   */
  async enact(observation: Observation, decision: ApplyDecision, facts: DecisionFacts): Promise<LogEntry> {
    const { outcomes, report } = this.#parts;
    const entry = this.#record(observation, decision, facts);
    this.#changedByHand ||= facts.manual !== undefined;
    outcomes.planEnds();
    try {
      const tookMs = await this.#putInForce(decision, facts);
      if (tookMs !== undefined) {
        entry.amend({ outcome: { kind: 'applied', tookMs } });
        report({ kind: 'in-force', plan: decision.plan, tookMs });
      } else entry.amend({ outcome: { kind: 'given-up', message: this.#whyGivenUp(facts) } });
      outcomes.watch(entry);
      return entry;
    } catch (error) {
      entry.amend({ outcome: failure('apply', error) });
      throw error;
    }
  }

  #whyGivenUp({ manual }: DecisionFacts): string {
    if (this.#stopped) return 'the server was stopped before all of it was done';
    if (manual !== undefined) return 'a roll-back by hand takes its place';
    if (this.#parts.mode() !== 'auto') return `the mode is ${this.#parts.mode()} now`;
    return 'a burst is answered in its place';
  }

  async #look(): Promise<void> {
    const { mode, outcomes } = this.#parts;
    outcomes.look();
    this.#saveAgain();
    if (mode() === 'off') return;
    const executes = mode() === 'auto';
    const decided = await this.#decide(executes);
    if (decided === undefined) return;
    const { observation, answer } = decided;
    // The mode may have changed meanwhile.
    if (executes && answer.decision.kind === 'apply' && mode() !== 'auto')
      this.#lastChange = lastChangeOf('given-up', answer.decision.changes, 0);
    if (mode() === 'off') return;
    await this.#carryOn(observation, answer);
    for (let urgent = this.#takeUrgent(); urgent !== undefined; urgent = this.#takeUrgent())
      await this.#carryOn(urgent.observation, urgent.answer);
  }

  /** Undefined without a decision, and if deciding fails or is preempted. */
  async #decide(executes: boolean): Promise<DecidedTick | undefined> {
    const { observe, decide, faults, onLearned } = this.#parts;
    let observation: Observation | undefined;
    try {
      const lastChange = this.#lastChange;
      const seen = { ...observe(), ...(lastChange && { lastChange }) };
      observation = seen;
      const changedByHand = this.#changedByHand;
      const answer = await this.#unlessPreempted(() => decide(seen, { executes, changedByHand }));
      if (answer === undefined) return undefined;
      // A failed or preempted tick has not reported the changes.
      this.#changedByHand = false;
      this.#lastChange = undefined;
      faults.well('decide');
      if (this.#stopped) return undefined;
      if (answer.kept !== undefined) onLearned(answer.kept);
      const { decision } = answer;
      return decision && { observation: answer.observation ?? seen, answer: { ...answer, decision } };
    } catch (error) {
      // A stop ends the planner during a decision: no failure.
      if (!this.#stopped) this.#failedToDecide(observation, error);
      return undefined;
    }
  }

  #takeUrgent(): DecidedTick | undefined {
    const urgent = this.#urgent;
    this.#urgent = undefined;
    return urgent;
  }

  /** Looks for bursts at every interval during changes; the answer to one ends them. */
  async #whileLookingOn(changing: Promise<boolean>): Promise<boolean> {
    let looking: Promise<void> | undefined;
    const look = async (): Promise<void> => {
      await this.#lookForBurst();
      looking = undefined;
    };
    const timer = setInterval(() => {
      looking ??= look();
    }, this.#parts.intervalMs);
    try {
      return await changing;
    } finally {
      clearInterval(timer);
      await looking;
    }
  }

  async #lookForBurst(): Promise<void> {
    const { observe, decide, onLearned, actuator } = this.#parts;
    if (this.#isOff || this.#urgent !== undefined) return;
    try {
      const observation = { ...observe(), changing: true };
      const answer = await this.#unlessPreempted(() => decide(observation, { executes: true, changedByHand: false }));
      if (answer === undefined) return;
      if (answer.kept !== undefined) onLearned(answer.kept);
      const { decision } = answer;
      if (decision?.kind !== 'apply' || this.#isOff) return;
      this.#urgent = { observation, answer: { ...answer, decision } };
      actuator.preempt();
    } catch {
      // The next tick meets and reports the failure.
    }
  }

  get #isOff(): boolean {
    return this.#stopped || this.#parts.mode() !== 'auto';
  }

  /** Decides and looks on meanwhile; undefined if a person preempts it. */
  async #unlessPreempted(decide: () => Promise<TickAnswer>): Promise<TickAnswer | undefined> {
    const { intervalMs, meanwhile, abandonPlan } = this.#parts;
    const timer = setInterval(() => {
      try {
        meanwhile();
      } catch {
        // The next tick meets and reports the failure.
      }
    }, intervalMs);
    const preempted = new Promise<undefined>((resolve) => {
      this.#endDeciding = () => {
        resolve(undefined);
        abandonPlan();
      };
    });
    try {
      return await Promise.race([decide(), preempted]);
    } finally {
      clearInterval(timer);
      this.#endDeciding = undefined;
    }
  }

  async #carryOn(
    observation: Observation,
    { decision, trigger, input }: TickAnswer & { readonly decision: Decision },
  ): Promise<void> {
    const { mode, faults, outcomes } = this.#parts;
    this.#reportGaps(observation, decision);
    const facts = { ...(trigger && { trigger }), ...(input && { input }) };
    if (decision.kind === 'apply' && mode() === 'auto')
      await faults.attempt('apply', () => this.enact(observation, decision, facts));
    else outcomes.watch(this.#record(observation, decision, facts));
  }

  #failedToDecide(observation: Observation | undefined, error: unknown): void {
    const { faults, log, epochNowMs, mode, setupDigest } = this.#parts;
    // An active fault is in the log already; repeating it would push out decisions.
    const stands = faults.all.some(({ step, message }) => step === 'decide' && message === messageOf(error));
    faults.failed('decide', error);
    if (observation === undefined || stands) return;
    log.append({
      ...{ atEpochMs: epochNowMs(), mode: mode(), setupDigest },
      ...{ observation: seen(observation), outcome: failure('decide', error) },
    });
  }

  /** Applies the changes one by one and saves the plan; undefined if some were left. */
  async #putInForce(decision: ApplyDecision, { trigger, manual }: DecisionFacts): Promise<number | undefined> {
    const { clock, epochNowMs, keepsPlans, specDigest } = this.#parts;
    const { plan, evidence } = decision;
    const startedAtMs = clock.nowMs();
    const isOfLoop = trigger !== 'start' && trigger !== 'manual';
    const isAtOnce = trigger === 'roll-back' || manual?.action === 'roll-back' || manual?.canary === false;
    const by = isOfLoop ? 'loop' : manual && 'hand';
    const changing = this.#change(plan, changesToApply(decision, isAtOnce), by);
    if (!(await (isOfLoop ? this.#whileLookingOn(changing) : changing))) return undefined;
    // The target of a person or of a roll-back is restored, too.
    const isGood = evidence.result?.kind === 'feasible' || trigger === 'roll-back' || trigger === 'manual';
    // A server killed in a burst must restart with the answer to it.
    if (keepsPlans && (isGood || trigger === 'burst'))
      this.#save({ plan: { plan, atEpochMs: epochNowMs(), specDigest }, isGood });
    const tookMs = clock.nowMs() - startedAtMs;
    return tookMs;
  }

  /** True if all changes were carried out. Rejects with the first error. Reports how changes of the loop ended. */
  async #change(plan: Plan, changes: readonly Change[], by: 'loop' | 'hand' | undefined): Promise<boolean> {
    const { actuator, onChanged } = this.#parts;
    const isOfLoop = by === 'loop';
    const isOver = () => (isOfLoop ? this.#isOff || this.#urgent !== undefined : this.#stopped);
    let [end, done]: [LastChange['kind'], number] = ['failed', 0];
    this.#changing = by;
    try {
      for (const change of changes) {
        if (isOver()) break;
        await actuator.apply(change);
        if (this.#isPreempted || this.#hasEndedCanary || (isOfLoop && this.#urgent !== undefined)) break;
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

  /** Not awaited: a slow store must not delay the next tick. */
  #save(saved: SavedPlan): void {
    const { faults, store, pipelineName } = this.#parts;
    this.#unsaved = undefined;
    this.#newest = saved;
    this.#saving = this.#saving.then(async () => {
      const isSaved = await faults.attempt('store', async () => {
        await store.keep(pipelineName, 'in-force', saved.plan);
        if (saved.isGood) await store.saveGoodPlan(pipelineName, saved.plan);
        return true;
      });
      if (isSaved === undefined && this.#newest === saved) this.#unsaved = saved;
    });
  }

  /** The store may have been locked for a moment. */
  #saveAgain(): void {
    if (this.#unsaved !== undefined) this.#save(this.#unsaved);
  }

  #reportGaps({ staleSources }: Observation, { evidence: { forecast } }: Decision): void {
    const { faults } = this.#parts;
    const passedOver = forecast.passedOver ?? [];
    if (staleSources.length === 0) faults.well('observe');
    if (passedOver.length === 0) faults.well('forecast');
    for (const source of staleSources) faults.failed('observe', new Error(`no fresh input from ${source}`));
    for (const method of passedOver)
      faults.failed('forecast', new Error(`the forecast of ${method} is no number; that of ${forecast.method} counts`));
  }

  #record(observation: Observation, decision: Decision, facts: DecisionFacts): LogEntry {
    const { epochNowMs, log, mode, setupDigest, report } = this.#parts;
    const at = { atEpochMs: epochNowMs(), mode: mode(), setupDigest };
    const entry = log.append({ ...at, ...facts, observation: seen(observation), decision });
    report({ kind: 'decided', record: { ...entry.record, decision } });
    return entry;
  }

  /** Keeps the grid of the interval; skips ticks that a long one has covered. Tolerates a clock that is set back. */
  #schedule(atMs: number): void {
    if (this.#stopped) return;
    const { clock, intervalMs } = this.#parts;
    const inMs = Math.min(intervalMs, Math.max(0, atMs - clock.nowMs()));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#runTick(atMs), inMs);
  }

  #runTick(atMs: number): void {
    void this.tick().then(() => {
      const { clock, intervalMs } = this.#parts;
      const missed = Math.max(0, Math.floor((clock.nowMs() - atMs) / intervalMs));
      this.#schedule(atMs + (missed + 1) * intervalMs);
    });
  }
}

/** Observation to log, without what the step's input already has. */
function seen({ batches: _, edges: __, ...observation }: Observation): Observation {
  return observation;
}

function failure(step: 'decide' | 'apply', error: unknown): DecisionOutcome {
  return { kind: 'failed', step, message: messageOf(error) };
}
