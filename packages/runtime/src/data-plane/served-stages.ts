/** Stages of a served pipeline by index, as the policies know them: ids, batch policies and statistics. */
import { invariant, type StageId } from '@equipoise/core/model';
import type { BatchPolicy, PipelineScheduler } from '@equipoise/core/serve';
import { type StageCounts, StageStatistics } from './stage-statistics.js';

interface ServedStage {
  readonly id: StageId;
  readonly statistics: StageStatistics;
  policy: BatchPolicy;
}

type PolicyCounters = Pick<
  PipelineScheduler<unknown, unknown, unknown>,
  'arrivals' | 'queueLength' | 'retries' | 'issues'
>;

export class ServedStages {
  readonly ids: readonly StageId[];
  readonly #stages: readonly ServedStage[];
  readonly #indexes: ReadonlyMap<StageId, number>;

  constructor(ids: readonly StageId[]) {
    this.ids = ids;
    this.#stages = ids.map((id) => ({
      id,
      statistics: new StageStatistics(),
      policy: { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0 },
    }));
    this.#indexes = new Map(ids.map((id, index) => [id, index]));
  }

  idOf(stage: number): StageId {
    return this.ids[stage] as StageId;
  }

  indexOf(stageId: StageId): number {
    const index = this.#indexes.get(stageId);
    invariant(index !== undefined, `the pipeline has no stage ${stageId}`);
    return index;
  }

  statistics(stage: number): StageStatistics {
    return this.#stage(stage).statistics;
  }

  countAnew(): void {
    for (const { statistics } of this.#stages) statistics.countAnew();
  }

  get policies(): readonly BatchPolicy[] {
    return this.#stages.map(({ policy }) => policy);
  }

  policy(stage: number): BatchPolicy {
    return this.#stage(stage).policy;
  }

  setPolicy(stage: number, policy: BatchPolicy): void {
    this.#stage(stage).policy = policy;
  }

  /** Items that came to each stage since the start. */
  arrivals(policies: PolicyCounters): readonly number[] {
    return this.#stages.map((_, index) => policies.arrivals(index));
  }

  counts(policies: PolicyCounters): Readonly<Record<StageId, StageCounts>> {
    return Object.fromEntries(
      this.#stages.map(({ id, statistics }, index) => [
        id,
        statistics.counts({
          queueLength: policies.queueLength(index),
          retriedItems: policies.retries(index),
          troubles: { ...policies.issues(index) },
        }),
      ]),
    );
  }

  #stage(index: number): ServedStage {
    return this.#stages[index] as ServedStage;
  }
}
