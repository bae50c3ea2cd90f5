/**
 * The log of decisions as the loop writes it: each entry goes to the store at once, later facts are added. A failing
 * store costs entries only; the newest stay in memory, to be seen and applied.
 */
import type { DecisionRecord, LaterFacts } from '@equipoise/core/model';
import type { DecisionPage, PlanStore } from '@equipoise/core/ports';
import type { LoopEvent } from './loop-event.js';
import type { StandingFaults } from './standing-faults.js';

const RECENT = 100;

export interface DecisionLogParts {
  readonly pipelineName: string;
  readonly store: PlanStore;
  readonly faults: StandingFaults;
  readonly report: (event: LoopEvent) => void;
  /** 0 without any entry. */
  readonly lastId: number;
}

/** `record` has what is known by now. */
export interface LogEntry {
  readonly record: DecisionRecord;
  amend(later: LaterFacts): void;
}

export class DecisionLog {
  readonly #parts: DecisionLogParts;
  readonly #recent: Entry[] = [];
  readonly #writing = new Set<Promise<unknown>>();
  #lastId: number;

  constructor(parts: DecisionLogParts) {
    this.#parts = parts;
    this.#lastId = parts.lastId;
  }

  append(facts: Omit<DecisionRecord, 'id'>): LogEntry {
    const { store, pipelineName, faults } = this.#parts;
    this.#lastId += 1;
    const record = { ...facts, id: this.#lastId };
    const stored = faults.attempt('store', () => store.appendDecision(pipelineName, record));
    this.#track(stored);
    const entry = new Entry(record, (later) => this.#amend(entry, stored, later));
    void stored.then((id) => this.#numbered(entry, id));
    this.#recent.push(entry);
    if (this.#recent.length > RECENT) this.#recent.shift();
    return entry;
  }

  /** Newest first: from the store, or memory if it fails. */
  async page(page: DecisionPage): Promise<readonly DecisionRecord[]> {
    const { store, pipelineName } = this.#parts;
    await this.settled();
    try {
      return await store.decisions(pipelineName, page);
    } catch (error) {
      this.#parts.faults.failed('store', error);
      const { limit, beforeId = Number.POSITIVE_INFINITY } = page;
      const before = this.#recent.map(({ record }) => record).filter(({ id }) => id < beforeId);
      return before.toReversed().slice(0, limit);
    }
  }

  /** The entry of that number; undefined where there is none. */
  async entry(id: number): Promise<DecisionRecord | undefined> {
    const recent = this.#recent.find(({ record }) => record.id === id);
    if (recent !== undefined) return recent.record;
    const { store, pipelineName, faults } = this.#parts;
    return faults.attempt('store', () => store.decision(pipelineName, id));
  }

  /** Resolves when everything is written, or has failed to be. */
  async settled(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing);
  }

  /** Another process may have taken the number. */
  #numbered(entry: Entry, id: number | undefined): void {
    if (id === undefined) return;
    entry.record = { ...entry.record, id };
    this.#lastId = Math.max(this.#lastId, id);
  }

  #amend(entry: Entry, stored: Promise<number | undefined>, later: LaterFacts): void {
    const { store, pipelineName, faults, report } = this.#parts;
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

class Entry implements LogEntry {
  record: DecisionRecord;
  readonly amend: LogEntry['amend'];

  constructor(record: DecisionRecord, amend: LogEntry['amend']) {
    this.record = record;
    this.amend = amend;
  }
}
