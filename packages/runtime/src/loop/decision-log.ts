/**
 * Writes decisions, later facts about them, and plans in force to the store. If the store fails, the newest entries
 * stay in memory, where they can be read and applied. The last plan is saved again later.
 */
import { type DecisionRecord, type DecisionSummary, decisionSummary, type LaterFacts } from '@equipoise/core/model';
import type { DecisionPage, GoodPlan, PlanStore } from '@equipoise/core/ports';
import type { ActiveFaults, LoopEvent } from './loop-event.js';

const RECENT = 100;

export interface DecisionLogDeps {
  readonly pipelineName: string;
  readonly store: PlanStore;
  readonly faults: ActiveFaults;
  readonly report: (event: LoopEvent) => void;
  /** Number of the last entry; 0 if the log is empty. */
  readonly lastId: number;
}

export interface LogEntry {
  readonly record: DecisionRecord;
  readonly amend: (later: LaterFacts) => void;
}

/** A plan to resume after a restart. Only a good plan is also a roll-back target. */
export interface SavedPlan {
  readonly plan: GoodPlan;
  readonly isGood: boolean;
}

interface Entry extends LogEntry {
  record: DecisionRecord;
}

export class DecisionLog {
  readonly #deps: DecisionLogDeps;
  readonly #recent: Entry[] = [];
  readonly #writing = new Set<Promise<unknown>>();
  #lastId: number;
  #saving: Promise<void> = Promise.resolve();
  #newestPlan: SavedPlan | undefined;
  /** Last plan, if the store refused it. */
  #unsavedPlan: SavedPlan | undefined;

  constructor(deps: DecisionLogDeps) {
    this.#deps = deps;
    this.#lastId = deps.lastId;
  }

  /** Continues the numbers of another server, which has written to the log. */
  continueAfter(lastId: number): void {
    this.#lastId = Math.max(this.#lastId, lastId);
  }

  append(facts: Omit<DecisionRecord, 'id'>): LogEntry {
    const { store, pipelineName, faults } = this.#deps;
    this.#lastId += 1;
    const record = { ...facts, id: this.#lastId };
    const stored = faults.attempt('store', () => store.appendDecision(pipelineName, record));
    this.#track(stored);
    const entry: Entry = { record, amend: (later) => this.#amend(entry, stored, later) };
    void stored.then((id) => this.#numbered(entry, id));
    this.#recent.push(entry);
    if (this.#recent.length > RECENT) this.#recent.shift();
    return entry;
  }

  /** Not awaited: a slow store must not delay the next tick. */
  savePlan(saved: SavedPlan): void {
    const { store, pipelineName, faults } = this.#deps;
    this.#unsavedPlan = undefined;
    this.#newestPlan = saved;
    this.#saving = this.#saving.then(async () => {
      const isSaved = await faults.attempt('store', async () => {
        await store.keep(pipelineName, 'in-force', saved.plan);
        if (saved.isGood) await store.saveGoodPlan(pipelineName, saved.plan);
        return true;
      });
      if (isSaved === undefined && this.#newestPlan === saved) this.#unsavedPlan = saved;
    });
    this.#track(this.#saving);
  }

  /** Saves the last plan if the store refused it, for example because the file was locked. */
  savePlanAgain(): void {
    if (this.#unsavedPlan !== undefined) this.savePlan(this.#unsavedPlan);
  }

  /** Newest first; from memory if the store fails. */
  async page(page: DecisionPage): Promise<readonly DecisionRecord[]> {
    const { store, pipelineName } = this.#deps;
    return (await this.#stored(() => store.decisions(pipelineName, page))) ?? this.#recentPage(page);
  }

  /** Summaries of `page`, with much less work for this thread. */
  async summaries(page: DecisionPage): Promise<readonly DecisionSummary[]> {
    const { store, pipelineName } = this.#deps;
    const found = await this.#stored(() => store.decisionSummaries(pipelineName, page));
    return found ?? this.#recentPage(page).map(decisionSummary);
  }

  async entry(id: number): Promise<DecisionRecord | undefined> {
    const recent = this.#recent.find(({ record }) => record.id === id);
    if (recent !== undefined) return recent.record;
    const { store, pipelineName, faults } = this.#deps;
    return faults.attempt('store', () => store.decision(pipelineName, id));
  }

  /** Resolves when everything is written, or writing has failed. */
  async settled(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing);
  }

  /** Undefined if the store fails. */
  async #stored<Answer>(read: () => Promise<Answer>): Promise<Answer | undefined> {
    await this.settled();
    try {
      return await read();
    } catch (error) {
      this.#deps.faults.raise('store', error);
      return undefined;
    }
  }

  #recentPage({ limit, beforeId = Number.POSITIVE_INFINITY }: DecisionPage): readonly DecisionRecord[] {
    const before = this.#recent.map(({ record }) => record).filter(({ id }) => id < beforeId);
    return before.toReversed().slice(0, limit);
  }

  /** Another process may have taken the number. */
  #numbered(entry: Entry, id: number | undefined): void {
    if (id === undefined) return;
    entry.record = { ...entry.record, id };
    this.#lastId = Math.max(this.#lastId, id);
  }

  #amend(entry: Entry, stored: Promise<number | undefined>, later: LaterFacts): void {
    const { store, pipelineName, faults, report } = this.#deps;
    entry.record = { ...entry.record, ...later };
    report({ kind: 'amended', id: entry.record.id, ...later });
    this.#track(
      stored.then((id) =>
        id === undefined ? undefined : faults.attempt('store', () => store.amendDecision(pipelineName, id, later)),
      ),
    );
  }

  #track(written: Promise<unknown>): void {
    this.#writing.add(written);
    void written.finally(() => this.#writing.delete(written));
  }
}
