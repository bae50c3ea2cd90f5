/** One question to `recommend`, and its answer by a simulation of every plan. */
import { SeededRng } from '../../../packages/core/src/kernel/rng.js';
import { type FreeQuantity, recommend } from '../../../packages/core/src/optimize/recommend.js';
import {
  exhaustiveBest,
  FREE,
  isAllowed,
  planCount,
  type QuestionSize,
  randomQuestion,
  TOLERANCE,
} from '../../../packages/core/src/optimize/recommend-oracle.test-support.js';

/** Sizes by turns: few stages with many options, and more stages with fewer. */
const WORK_STAGE_REQUESTS = 20_000;

const SIZES: readonly QuestionSize[] = (
  [
    { stages: [1, 2], variants: 3, batches: [1, 2, 4, 8], mostReplicas: 3 },
    { stages: [2, 3], variants: 2, batches: [1, 4], mostReplicas: 2 },
    { stages: [3], variants: 3, batches: [1, 4], mostReplicas: 2 },
  ] as const
).map((size) => ({ ...size, workStageRequests: WORK_STAGE_REQUESTS }));

export interface RecommendResult {
  readonly index: number;
  readonly free: FreeQuantity;
  readonly stages: number;
  /** Plans that the exhaustive search lists. */
  readonly plans: number;
  /** Undefined if there is no plan. */
  readonly value: number | undefined;
  readonly exhaustive: number | undefined;
  /** The plan keeps every limit and meets its SLO. */
  readonly allowed: boolean;
  /** Fraction by which the exhaustive search is better; negative if it is worse. */
  readonly loss: number;
  readonly agrees: boolean;
  readonly cpuS: number;
  readonly exhaustiveCpuS: number;
}

export function measureRecommend(seedFrom: string, index: number): RecommendResult {
  const rng = new SeededRng(index).fork(seedFrom);
  const free = FREE[index % FREE.length] as FreeQuantity;
  const question = randomQuestion(rng, SIZES[index % SIZES.length] as QuestionSize);
  const { spec, arrivalRps, accuracyFloor, verifierOf } = question;
  const problem = { spec, profiles: [], arrivalRps, estimator: 'distribution' as const };
  const asked = timed(() => recommend({ problem, accuracyFloor, verifierOf }, free));
  const searched = timed(() => exhaustiveBest(question, free));
  const { result: answer } = asked;
  const value = answer.kind === 'found' ? answer.value : undefined;
  const loss = lossOf(free, value, searched.result);
  const allowed = answer.kind === 'none' || isAllowed(question, answer);
  const tolerance = free === 'cost' || free === 'accuracy' ? 1e-9 : TOLERANCE;
  return {
    index,
    free,
    stages: spec.stages.length,
    plans: planCount(question),
    value,
    exhaustive: searched.result,
    allowed,
    loss,
    agrees: allowed && loss <= tolerance,
    cpuS: asked.cpuS,
    exhaustiveCpuS: searched.cpuS,
  };
}

/** Infinite if only one of both has a plan. */
function lossOf(free: FreeQuantity, value: number | undefined, best: number | undefined): number {
  if (value === undefined && best === undefined) return 0;
  if (value === undefined || best === undefined) return Number.POSITIVE_INFINITY;
  return free === 'cost' || free === 'slo' ? value / best - 1 : 1 - value / best;
}

function timed<T>(run: () => T): { readonly result: T; readonly cpuS: number } {
  const from = process.cpuUsage();
  const result = run();
  const { user, system } = process.cpuUsage(from);
  return { result, cpuS: (user + system) / 1e6 };
}
