/**
 * The control loop: observe, decide, apply, record; again and again. It owns the timer and the order of things, and decides
 * nothing itself. Whatever fails here, the plan in force goes on serving: a failed decision or change is reported and the next
 * tick starts from what really runs then.
 */
import type {
  Actuator,
  Change,
  Clock,
  Decision,
  DecisionRecord,
  Observation,
  Plan,
  PlanStore,
  StageId,
} from '@equipoise/core';

/** What the loop drives. `decide` may take its time (it plans in another thread); ticks never overlap. */
export interface ControlLoopParts {
  readonly pipelineName: string;
  readonly specDigest: string;
  readonly mode: 'auto' | 'advise';
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly epochNowMs: () => number;
  readonly observe: () => Observation;
  readonly decide: (observation: Observation) => Promise<Decision>;
  readonly actuator: Actuator;
  readonly store: PlanStore;
  /** Called after each change with the plan that is being put in force. */
  readonly onChanged: (stageId: StageId, plan: Plan) => void;
  readonly report: (event: LoopEvent) => void;
}

/** What the loop tells whoever watches. */
export type LoopEvent =
  | { readonly kind: 'decided'; readonly record: DecisionRecord }
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
    const observation = this.#parts.observe();
    const decision = await this.#attempt('decide', () => this.#parts.decide(observation));
    if (decision === undefined || this.#stopped) return;
    this.#record({ atEpochMs: this.#parts.epochNowMs(), observation, decision });
    if (decision.kind !== 'apply' || this.#parts.mode !== 'auto') return;
    await this.#attempt('apply', () => this.putInForce(decision.plan, decision.changes));
  }

  /** Applies the changes one by one and keeps the plan as the last good one; rejects with the error of a change that failed. */
  async putInForce(plan: Plan, changes: readonly Change[]): Promise<void> {
    const { actuator, clock, epochNowMs, onChanged, pipelineName, report, specDigest, store } = this.#parts;
    const startedAtMs = clock.nowMs();
    for (const change of changes) {
      if (this.#stopped) return;
      await actuator.apply(change);
      onChanged(change.stageId, plan);
    }
    await this.#attempt('store', async () =>
      store.saveLastGoodPlan(pipelineName, plan, { atEpochMs: epochNowMs(), specDigest }),
    );
    report({ kind: 'in-force', plan, tookMs: clock.nowMs() - startedAtMs });
  }

  #record(record: DecisionRecord): void {
    this.#parts.report({ kind: 'decided', record });
    void this.#attempt('store', async () => this.#parts.store.appendDecision(this.#parts.pipelineName, record));
  }

  async #attempt<T>(step: 'decide' | 'apply' | 'store', action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      this.#parts.report({ kind: 'failed', step, error });
      return undefined;
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
