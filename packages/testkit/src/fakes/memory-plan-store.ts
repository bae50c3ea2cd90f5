/** A PlanStore that forgets everything with its process. */
import { AppError, type DecisionRecord, type Plan, type PlanStore, type SavedPlanFacts } from '@equipoise/core';

/** Keeps plans and decisions in memory, as copies. */
export class MemoryPlanStore implements PlanStore {
  readonly #plans = new Map<string, { readonly plan: Plan; readonly specDigest: string }>();
  readonly #decisions = new Map<string, DecisionRecord[]>();
  #closed = false;

  saveLastGoodPlan(pipelineName: string, plan: Plan, { specDigest }: SavedPlanFacts): void {
    this.#checkOpen();
    this.#plans.set(pipelineName, { plan: structuredClone(plan), specDigest });
  }

  lastGoodPlan(pipelineName: string, specDigest: string): Plan | undefined {
    this.#checkOpen();
    const saved = this.#plans.get(pipelineName);
    return saved?.specDigest === specDigest ? structuredClone(saved.plan) : undefined;
  }

  appendDecision(pipelineName: string, record: DecisionRecord): void {
    this.#checkOpen();
    const log = this.#decisions.get(pipelineName) ?? [];
    log.push(structuredClone(record));
    this.#decisions.set(pipelineName, log);
  }

  recentDecisions(pipelineName: string, limit: number): readonly DecisionRecord[] {
    this.#checkOpen();
    const log = this.#decisions.get(pipelineName) ?? [];
    return structuredClone(log.slice(Math.max(0, log.length - limit)).reverse());
  }

  close(): void {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (this.#closed) throw new AppError('STORE_FAILED', 'The store is closed.');
  }
}
