/**
 * The serving thread in estimates: the rate at which it saturates, and how long turns wait for it. Batches are between
 * one item and full ones, as their stages are between idle and saturated. Turns wait as in an M/G/1 queue. Simulations
 * follow the thread turn by turn.
 */
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ThreadCost } from '../model/service-correction.js';
import { topologicalOrder } from '../model/stage-order.js';
import { pausedPerMs } from '../profile/pauses.js';
import { spreadFractions, spreadMean } from '../profile/quantile-spread.js';
import { capacityRps, type ServiceCurve } from '../profile/service-curves.js';
import { stageLoads } from './stage-load.js';

interface ThreadedStage {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
}

export interface ThreadLoad {
  /** Requests per second at which the thread saturates; Infinity if its work was not measured. */
  readonly capacityRps: number;
  /** Time (ms) that a request waits for its turns; Infinity from the capacity on. */
  readonly waitMs: number;
}

const UNMEASURED: ThreadLoad = { capacityRps: Number.POSITIVE_INFINITY, waitMs: 0 };

export function threadLoad(
  spec: PipelineSpec,
  stages: ReadonlyMap<StageId, ThreadedStage>,
  arrivalRps: number,
): ThreadLoad {
  const costs = [...stages.values()].map(({ curve }) => curve.calibrated?.correction.thread);
  const request = costs.find((cost) => cost !== undefined);
  if (request === undefined) return UNMEASURED;
  const loads = stageLoads(spec, arrivalRps);
  const requestMs = request.arrivalMs.value + request.answerMs.value;
  /** Work (ms) and turns of a request, if batches are filled to this fraction of the load of their stages. */
  const work = (isFull: boolean) => {
    let [workMs, turns] = [requestMs, 1];
    for (const [id, { curve, replicas, maxBatchSize }] of stages) {
      const { visits = 0, arrivalRps: itemsRps = 0 } = loads.get(id) ?? {};
      const { hopMs, itemMs } = curve.calibrated?.correction.thread ?? request;
      const use = replicas === 0 ? 0 : Math.min(1, itemsRps / capacityRps(curve, replicas, maxBatchSize));
      const items = isFull ? Math.max(1, maxBatchSize) : 1 + (Math.max(1, maxBatchSize) - 1) * use;
      workMs += visits * (hopMs.value / items + itemMs.value);
      turns += visits / items;
    }
    return { workMs, turns };
  };
  const saturationRps = 1000 / work(true).workMs;
  const { workMs, turns } = work(false);
  const use = (arrivalRps / 1000) * workMs;
  if (use >= 1) return { capacityRps: saturationRps, waitMs: Number.POSITIVE_INFINITY };
  const turnMs = workMs / turns;
  const waitOfTurnMs = (use * turnMs * secondMoment(request, turnMs)) / (2 * (1 - use));
  return { capacityRps: saturationRps, waitMs: longestPath(spec) * waitOfTurnMs };
}

/** Mean square of (time of a turn ÷ mean time), with the pauses in it. */
function secondMoment({ spread, pauses }: ThreadCost, turnMs: number): number {
  const usual = meanSquare(spread);
  if (pauses === undefined) return usual;
  const { perMs, lengthsMs } = pauses;
  return usual + 2 * spreadMean(spread) * pausedPerMs(pauses) + (perMs * meanSquare(lengthsMs)) / turnMs;
}

/** Of a distribution, linear between its quantiles. */
function meanSquare(quantiles: readonly number[]): number {
  let sum = 0;
  for (let i = 1; i < quantiles.length; i++) {
    const [low, high] = [quantiles[i - 1] as number, quantiles[i] as number];
    const weight = (spreadFractions[i] as number) - (spreadFractions[i - 1] as number);
    sum += (weight * (low * low + low * high + high * high)) / 3;
  }
  return sum;
}

/** Number of stages one after another: answers wait for the thread at each. */
function longestPath(spec: PipelineSpec): number {
  const depths = new Map<StageId, number>();
  for (const id of topologicalOrder(spec)) {
    const before = spec.edges.flatMap(({ from, to }) => (to === id ? (depths.get(from) ?? 0) : []));
    depths.set(id, 1 + Math.max(0, ...before));
  }
  return Math.max(0, ...depths.values());
}
