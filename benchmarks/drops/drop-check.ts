/**
 * Verification drops nothing, service does. So a drop rule that refuses what would have been in time shows only here:
 * one planned pipeline, simulated at its planned rate with and without drops, and at twice that rate with drops.
 */
import { type Plan, SeededRng } from '@equipoise/core/model';
import { optimize, requireCurves } from '@equipoise/core/plan';
import { poissonArrivals, simulatePlan, verifiersOf } from '@equipoise/core/simulate';
import { type RandomPipeline, randomPipeline } from './random-pipeline.js';

export interface DropCheck {
  readonly seed: number;
  /** Fractions of the requests that completed in time, at the planned rate. */
  readonly withoutDrops: number;
  readonly withDrops: number;
  /** Rate in time with drops at twice the planned rate, and at twice the capacity, ÷ capacity within the SLO. */
  readonly goodput: number;
  readonly goodputAtTwiceCapacity: number;
  /** Highest rate in time without drops ÷ capacity. */
  readonly withinSlo: number;
  readonly plan: Plan['stages'];
}

/** In a loss of more than a point, drops refuse requests that would have been in time. */
export const bars = { lost: 0.01, goodput: 0.9 } as const;

export const holdsAtPlannedRate = ({ withDrops, withoutDrops }: DropCheck): boolean =>
  withDrops >= withoutDrops - bars.lost;
export const holdsInOverload = ({ goodput }: DropCheck): boolean => goodput >= bars.goodput;

const REQUESTS = 6000;
/** Loads that look for the highest rate in time without drops: fractions of twice the planned rate or the capacity. */
const LOADS = [0.55, 0.65, 0.75, 0.85, 0.92, 1];
/** Work of a verification: shorter than usual, because the comparison needs no verdict. */
const WORK = 20_000;

/** Seeds that no one chose. */
export const firstSeedOf = (commit: string): number => Number.parseInt(commit.slice(0, 8), 16);

/** Undefined if the pipeline has no plan. */
export function dropCheck(seed: number): DropCheck | undefined {
  const random = randomPipeline(seed);
  const plan = planFor(random);
  if (plan === undefined) return undefined;
  const { arrivalRps } = random;
  const { capacityRps } = plan.predicted;
  const of = { random, plan, seed };
  const inTimeRps = (rps: number, drops: boolean) => rps * inTimeFraction(of, rps, drops);
  const slower = LOADS.map((load) => load * Math.min(2 * arrivalRps, capacityRps));
  const withinSloRps = Math.max(...[...slower, arrivalRps].map((rps) => inTimeRps(rps, false)));
  return {
    seed,
    withoutDrops: inTimeFraction(of, arrivalRps, false),
    withDrops: inTimeFraction(of, arrivalRps, true),
    goodput: inTimeRps(2 * arrivalRps, true) / withinSloRps,
    goodputAtTwiceCapacity: inTimeRps(2 * capacityRps, true) / withinSloRps,
    withinSlo: withinSloRps / capacityRps,
    plan: plan.stages,
  };
}

function planFor({ spec, arrivalRps }: RandomPipeline): Plan | undefined {
  const curves = requireCurves(spec, []);
  const hostCores = Number.POSITIVE_INFINITY;
  const verify = verifiersOf({ spec, curves, hostCores, seed: 1, workStageRequests: WORK })({ arrivalRps });
  const problem = { spec, profiles: [], arrivalRps, workLimit: 10, verifiesAdvice: false } as const;
  const result = optimize({ ...problem, estimator: 'distribution' }, verify);
  return result.kind === 'feasible' ? result.plan : undefined;
}

/** Of the requests that arrive after a tenth of the load. */
function inTimeFraction(
  { random: { spec }, plan, seed }: { readonly random: RandomPipeline; readonly plan: Plan; readonly seed: number },
  rate: number,
  drops: boolean,
): number {
  const durationMs = (1000 * REQUESTS) / rate;
  const rng = new SeededRng(seed);
  let [counted, inTime] = [0, 0];
  simulatePlan({
    ...{ spec, plan, drops, rng },
    curves: requireCurves(spec, []),
    arrivals: poissonArrivals(rate, durationMs, rng.fork('arrivals')),
    hostCores: Number.POSITIVE_INFINITY,
    onEnd: ({ arrivedAtMs, latencyMs = Number.POSITIVE_INFINITY }) => {
      if (arrivedAtMs < durationMs / 10) return;
      counted += 1;
      if (latencyMs <= spec.slo.latencyMs) inTime += 1;
    },
  });
  return inTime / counted;
}
