/** Rates from two readings of the counts. A restarted server counts from zero; then there is no rate. */
import type { PipelineCounts, PipelineGraph } from '../api/answers.js';

export interface StageRates {
  readonly itemsRps: number;
  /** Mean items of a batch; undefined without a batch. */
  readonly batchSize: number | undefined;
  /** Mean time in the queue. */
  readonly waitMs: number | undefined;
  /** Mean time of a batch, from sending it until its answer. */
  readonly runMs: number | undefined;
  readonly droppedRps: number;
  readonly failedRps: number;
  readonly queueLength: number;
}

export interface EdgeRates {
  readonly itemsRps: number;
  /** Fraction of the outputs that took this edge; undefined for an edge without condition. */
  readonly share: number | undefined;
  /** Mean items of a fan-out; undefined without one. */
  readonly fanOut: number | undefined;
}

export interface Rates {
  readonly seconds: number;
  readonly arrivalRps: number;
  readonly completedRps: number;
  readonly stages: Readonly<Record<string, StageRates>>;
  readonly edges: readonly (EdgeRates | undefined)[];
}

const sum = (record: Readonly<Record<string, number>> = {}): number =>
  Object.values(record).reduce((total, value) => total + value, 0);

const ratio = (part: number, whole: number): number | undefined => (whole > 0 ? part / whole : undefined);

/** Undefined if the readings have no time between them, or the server has restarted. */
export function ratesBetween(
  before: PipelineCounts,
  after: PipelineCounts,
  { edges }: Pick<PipelineGraph, 'edges'>,
): Rates | undefined {
  const seconds = (after.atEpochMs - before.atEpochMs) / 1000;
  if (!(seconds > 0) || after.requests.arrived < before.requests.arrived) return undefined;
  const stages = Object.entries(after.stages).flatMap(([id, now]) => {
    const then = before.stages[id];
    if (then === undefined || now.items < then.items) return [];
    const items = now.items - then.items;
    const batches = now.batches - then.batches;
    const rates: StageRates = {
      itemsRps: items / seconds,
      batchSize: ratio(items, batches),
      waitMs:
        now.waitMs === undefined || then.waitMs === undefined ? undefined : ratio(now.waitMs - then.waitMs, items),
      runMs: ratio(now.busyMs - then.busyMs, batches),
      droppedRps: (sum(now.dropped) - sum(then.dropped)) / seconds,
      failedRps: (now.failedItems - then.failedItems) / seconds,
      queueLength: now.queueLength,
    };
    return [[id, rates] as const];
  });
  const byStage = Object.fromEntries(stages);
  return {
    seconds,
    arrivalRps: (after.requests.arrived - before.requests.arrived) / seconds,
    completedRps: (after.requests.completed - before.requests.completed) / seconds,
    stages: byStage,
    edges: edges.map((edge, at) => {
      const [now, then] = [after.edges[at], before.edges[at]];
      if (now === undefined || then === undefined) return ratesOfStages(edge, edges, byStage);
      const fanOuts = now.fanOuts - then.fanOuts;
      const items = now.items - then.items;
      const taken = now.taken - then.taken;
      const share = edge.when && ratio(taken, now.offered - then.offered);
      const plain = edge.when === undefined ? (byStage[edge.from]?.itemsRps ?? 0) : taken / seconds;
      return {
        itemsRps: edge.fanOut === undefined ? plain : items / seconds,
        share,
        fanOut: edge.fanOut === undefined ? undefined : ratio(items, fanOuts),
      };
    }),
  };
}

/**
 * Rates of an edge that is not counted, as on a cluster. An edge without condition and fan-out passes on all answers of
 * its stage. The only edge into a stage passes on all that this stage gets.
 */
function ratesOfStages(
  { from, to, fanOut, when }: PipelineGraph['edges'][number],
  edges: PipelineGraph['edges'],
  stages: Rates['stages'],
): EdgeRates | undefined {
  const [before, after] = [stages[from]?.itemsRps, stages[to]?.itemsRps];
  if (fanOut === undefined && when === undefined)
    return before === undefined ? undefined : { itemsRps: before, share: undefined, fanOut: undefined };
  const isOnly = edges.filter((edge) => edge.to === to).length === 1;
  if (!isOnly || before === undefined || after === undefined) return undefined;
  const perOutput = ratio(after, before);
  return {
    itemsRps: after,
    share: when !== undefined && fanOut === undefined ? perOutput : undefined,
    fanOut: when === undefined ? perOutput : undefined,
  };
}
