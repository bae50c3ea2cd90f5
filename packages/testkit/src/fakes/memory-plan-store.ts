import {
  AppError,
  type DecisionRecord,
  type DecisionSummary,
  decisionSummary,
  type LaterFacts,
} from '@equipoise/core/model';
import type { DecisionPage, GoodPlan, KeptName, PlanStore } from '@equipoise/core/ports';

/** PlanStore in memory. Stores copies and prunes nothing. */
export class MemoryPlanStore implements PlanStore {
  readonly #plans = new Map<string, GoodPlan[]>();
  readonly #decisions = new Map<string, DecisionRecord[]>();
  readonly #setups = new Map<string, object>();
  readonly #kept = new Map<string, object>();
  #closed = false;

  async saveGoodPlan(pipelineName: string, good: GoodPlan): Promise<void> {
    this.#checkOpen();
    this.#plans.set(pipelineName, [structuredClone(good), ...(this.#plans.get(pipelineName) ?? [])]);
  }

  async goodPlans(pipelineName: string, limit: number): Promise<readonly GoodPlan[]> {
    this.#checkOpen();
    return structuredClone((this.#plans.get(pipelineName) ?? []).slice(0, Math.max(0, limit)));
  }

  async appendDecision(pipelineName: string, record: DecisionRecord): Promise<number> {
    this.#checkOpen();
    const log = this.#decisions.get(pipelineName) ?? [];
    const id = Math.max(record.id, (log.at(-1)?.id ?? record.id - 1) + 1);
    this.#decisions.set(pipelineName, [...log, { ...structuredClone(record), id }]);
    return id;
  }

  async amendDecision(pipelineName: string, id: number, later: LaterFacts): Promise<void> {
    this.#checkOpen();
    const log = this.#decisions.get(pipelineName) ?? [];
    this.#decisions.set(
      pipelineName,
      log.map((record) => (record.id === id ? { ...record, ...structuredClone(later) } : record)),
    );
  }

  async decisions(pipelineName: string, { limit, beforeId }: DecisionPage): Promise<readonly DecisionRecord[]> {
    this.#checkOpen();
    const before = (this.#decisions.get(pipelineName) ?? []).filter(({ id }) => id < (beforeId ?? id + 1));
    return structuredClone(before.toReversed().slice(0, Math.max(0, limit)));
  }

  async decisionSummaries(pipelineName: string, page: DecisionPage): Promise<readonly DecisionSummary[]> {
    return (await this.decisions(pipelineName, page)).map(decisionSummary);
  }

  async decision(pipelineName: string, id: number): Promise<DecisionRecord | undefined> {
    this.#checkOpen();
    return structuredClone(this.#decisions.get(pipelineName)?.find((record) => record.id === id));
  }

  async saveSetup(digest: string, setup: object): Promise<void> {
    this.#checkOpen();
    this.#setups.set(digest, structuredClone(setup));
  }

  async setup(digest: string): Promise<object | undefined> {
    this.#checkOpen();
    return structuredClone(this.#setups.get(digest));
  }

  async keep(pipelineName: string, name: KeptName, value: object): Promise<void> {
    this.#checkOpen();
    this.#kept.set(JSON.stringify([pipelineName, name]), structuredClone(value));
  }

  async kept(pipelineName: string, name: KeptName): Promise<object | undefined> {
    this.#checkOpen();
    return structuredClone(this.#kept.get(JSON.stringify([pipelineName, name])));
  }

  async pipelineNames(): Promise<readonly string[]> {
    this.#checkOpen();
    return [...this.#decisions.keys()].sort();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (this.#closed) throw new AppError('STORE_FAILED', 'The store is closed.');
  }
}
