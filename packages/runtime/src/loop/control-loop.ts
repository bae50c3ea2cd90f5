/**
 * The control loop: observe, decide, apply, record; again and again. It owns the timer and the order of things, and decides
 * nothing itself. Whatever fails here, the plan in force goes on serving: a failed decision or change is reported and the next
 * tick starts from what really runs then.
 */
import type {
  Actuator,
  Clock,
  Decision,
  DecisionOutcome,
  DecisionRecord,
  Observation,
  Plan,
  PlanStore,
  StageId,
} from '@equipoise/core';

/**
 * What the loop drives. `decide` may take its time (it plans in another thread); ticks never overlap. One without a decision, between two
 * plans and with nothing to protect against, leaves no trace.
 */
export interface ControlLoopParts {
  readonly pipelineName: string;
  readonly specDigest: string;
  readonly mode: 'auto' | 'advise';
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly epochNowMs: () => number;
  readonly observe: () => Observation;
  readonly decide: (observation: Observation) => Promise<Decision | undefined>;
  readonly actuator: Actuator;
  readonly store: PlanStore;
  /** Whether feasible plans are kept to go on with after a restart: not those of a baseline. */
  readonly keepsPlans: boolean;
  /** Called after each change with the plan that is being put in force. */
  readonly onChanged: (stageId: StageId, plan: Plan) => void;
  readonly report: (event: LoopEvent) => void;
}

/** A decision that says to change something. */
export type ApplyDecision = Extract<Decision, { kind: 'apply' }>;

/** What the loop tells whoever watches; `decided` comes before anything is applied. */
export type LoopEvent =
  | { readonly kind: 'decided'; readonly record: DecisionRecord & { readonly decision: Decision } }
  | { readonly kind: 'in-force'; readonly plan: Plan; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly step: 'decide' | 'apply' | 'store'; readonly error: unknown };

/** Runs ticks every `intervalMs` between `start` and `stop`. */
export class ControlLoop {
  readonly #parts: ControlLoopParts;
  #timer: NodeJS.Timeout | undefined;
  #tick: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: ControlLoopParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#schedule(this.#parts.clock.nowMs() + this.#parts.intervalMs);
  }

  /** Ends after the tick that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#tick;
  }

  /** One whole tick; never rejects. */
  async tick(): Promise<void> {
    const atEpochMs = this.#parts.epochNowMs();
    let observation: Observation | undefined;
    let decision: Decision | undefined;
    try {
      observation = this.#parts.observe();
      decision = await this.#parts.decide(observation);
    } catch (error) {
      // A stop takes the planner away from a decision under way: that is no failure.
      if (this.#stopped) return;
      this.#parts.report({ kind: 'failed', step: 'decide', error });
      if (observation !== undefined) this.#record({ atEpochMs, observation, outcome: failure('decide', error) });
      return;
    }
    if (this.#stopped || decision === undefined) return;
    if (decision.kind === 'apply' && this.#parts.mode === 'auto') {
      await this.#attempt('apply', () => this.enact(observation, decision));
      return;
    }
    const record = { atEpochMs: this.#parts.epochNowMs(), observation, decision };
    this.#parts.report({ kind: 'decided', record });
    this.#record(record);
  }

  /** Carries a decision out and records it with its outcome; rejects with the error of a change that failed. */
  async enact(observation: Observation, decision: ApplyDecision): Promise<void> {
    const record = { atEpochMs: this.#parts.epochNowMs(), observation, decision };
    this.#parts.report({ kind: 'decided', record });
    try {
      const tookMs = await this.#putInForce(decision);
      this.#record(tookMs === undefined ? record : { ...record, outcome: { kind: 'applied', tookMs } });
    } catch (error) {
      this.#record({ ...record, outcome: failure('apply', error) });
      throw error;
    }
  }

  /** Applies the changes one by one and keeps the plan as the last good one; undefined when a stop came in between. */
  async #putInForce({ plan, changes, evidence }: ApplyDecision): Promise<number | undefined> {
    const { actuator, clock, epochNowMs, keepsPlans, onChanged, pipelineName, report, specDigest, store } = this.#parts;
    const startedAtMs = clock.nowMs();
    for (const change of changes) {
      if (this.#stopped) return undefined;
      await actuator.apply(change);
      onChanged(change.stageId, plan);
    }
    if (keepsPlans && evidence.result?.kind === 'feasible') {
      await this.#attempt('store', async () =>
        store.saveLastGoodPlan(pipelineName, plan, { atEpochMs: epochNowMs(), specDigest }),
      );
    }
    const tookMs = clock.nowMs() - startedAtMs;
    report({ kind: 'in-force', plan, tookMs });
    return tookMs;
  }

  #record(record: DecisionRecord): void {
    void this.#attempt('store', async () => this.#parts.store.appendDecision(this.#parts.pipelineName, record));
  }

  async #attempt(step: 'apply' | 'store', action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#parts.report({ kind: 'failed', step, error });
    }
  }

  /** Keeps to the grid of the interval; ticks that a long one has covered are skipped. */
  #schedule(atMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#runTick(atMs), Math.max(0, atMs - this.#parts.clock.nowMs()));
  }

  #runTick(atMs: number): void {
    this.#tick = this.tick().then(() => {
      const { clock, intervalMs } = this.#parts;
      const missed = Math.max(0, Math.floor((clock.nowMs() - atMs) / intervalMs));
      this.#schedule(atMs + (missed + 1) * intervalMs);
    });
  }
}

function failure(step: 'decide' | 'apply', error: unknown): DecisionOutcome {
  return { kind: 'failed', step, message: error instanceof Error ? error.message : String(error) };
}
