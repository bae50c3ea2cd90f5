/** The newest decisions about one pipeline of a cluster, in memory: an operator has no store. */
import { isSamePlan } from '@equipoise/core/control';
import type { ControlMode, Decision, DecisionRecord, LaterFacts, Observation, Plan } from '@equipoise/core/model';
import type { DecisionPage } from '@equipoise/core/ports';

interface Decided {
  readonly decision: Decision;
  readonly observation: Observation;
  readonly mode: ControlMode;
  readonly atEpochMs: number;
}

export class BoardDecisions {
  #records: DecisionRecord[] = [];
  #lastId = 0;

  /** Keeps at most `most` decisions: those that changed something before those that held. */
  add({ decision, observation, mode, atEpochMs }: Decided, most: number): DecisionRecord {
    this.#lastId += 1;
    const trigger = this.#records.length === 0 ? ('start' as const) : ('plan' as const);
    const record = { id: this.#lastId, atEpochMs, trigger, mode, observation, decision };
    this.#records.push(record);
    while (this.#records.length > most) {
      const hold = this.#records.findIndex((each) => each !== record && each.decision?.kind === 'hold');
      this.#records.splice(Math.max(0, hold), 1);
    }
    return record;
  }

  /** Newest first. */
  page({ limit, beforeId = Number.POSITIVE_INFINITY }: DecisionPage): readonly DecisionRecord[] {
    return this.#records
      .filter(({ id }) => id < beforeId)
      .toReversed()
      .slice(0, limit);
  }

  find(id: number): DecisionRecord | undefined {
    return this.#records.find((each) => each.id === id);
  }

  get newest(): DecisionRecord | undefined {
    return this.#records.at(-1);
  }

  /** True if the newest decision to change something chose this plan. */
  hasChosen({ stages }: Plan): boolean {
    const { decision } = this.#lastApplied ?? {};
    return decision?.kind === 'apply' && isSamePlan(decision.plan.stages, stages);
  }

  /** Adds the outcome of the newest change; undefined if it has one already. */
  end(laterAt: (atEpochMs: number) => LaterFacts): DecisionRecord | undefined {
    const record = this.#lastApplied;
    if (record === undefined || record.outcome !== undefined) return undefined;
    const ended = { ...record, ...laterAt(record.atEpochMs) };
    this.#records = this.#records.map((each) => (each === record ? ended : each));
    return ended;
  }

  get #lastApplied(): DecisionRecord | undefined {
    return this.#records.findLast(({ decision }) => decision?.kind === 'apply');
  }
}
